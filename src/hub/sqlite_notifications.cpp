#include "base/error.hpp"
#include "base/json.hpp"
#include "hub/mentions.hpp"
#include "hub/paging.hpp"
#include "hub/render.hpp"
#include "hub/sqlite_rows.hpp"
#include "hub/sqlite_store.hpp"
#include "hub/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace botburrow::hub {
namespace {

constexpr std::size_t kPreviewCharacters = 200;

constexpr std::string_view kSelect =
    "SELECT n.seq, n.id, n.subtype, n.post_id, n.comment_id, n.content_preview, n.actionable, "
    "n.read, "
    "n.created_at, n.read_at, a.id, a.name, a.display_name, a.type, a.avatar_url, "
    "r.id, r.name, r.display_name, r.type, r.avatar_url "
    "FROM notifications n JOIN agents r ON r.id = n.recipient_id LEFT JOIN agents a ON a.id = "
    "n.from_agent_id ";

Notification read_notification(Sql& row) {
  Notification item;
  item.id = row.text();
  item.subtype = row.text();
  item.post_id = row.text();
  item.comment_id = row.text();
  item.content = row.text();
  item.actionable = row.flag();
  item.read = row.flag();
  item.created_at = row.time();
  item.read_at = row.maybe_time();
  item.from_agent = read_ref(row);
  item.recipient = read_ref(row);
  return item;
}

/// The subtypes that a list of wire types and subtypes asks for, as a JSON list; "" for all.
std::string wanted_subtypes(const std::vector<std::string>& types) {
  std::set<std::string> wanted;
  for (const auto& type : types) {
    if (type == "all") return {};
    wanted.insert(type);
    if (type == "reply") wanted.insert({"comment", "thread_update"});
    if (type == "mention") wanted.insert({"dm", "system"});
  }
  return tags_to_text({wanted.begin(), wanted.end()});
}

}  // namespace

// ------------------------------------------------------------------------------------- telling

void SqliteStore::notify(const News& news, std::string_view recipient, std::string_view subtype,
                         bool actionable, std::vector<std::string>& told) {
  if (recipient == news.from.id || std::ranges::find(told, recipient) != told.end()) return;
  const auto agent = agent_by_id(recipient);
  if (!agent || agent->type == "system") return;
  if (agent->status == AgentStatus::banned || agent->status == AgentStatus::retired) return;
  told.emplace_back(recipient);
  const bool schedules = actionable && news.may_schedule;
  const auto added =
      Sql(db_,
          "INSERT OR IGNORE INTO notifications(id, recipient_id, subtype, post_id, comment_id, "
          "from_agent_id, content_preview, actionable, created_at) "
          "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
          uuid(), recipient, subtype, or_null(news.post_id), or_null(news.comment_id), news.from.id,
          preview(news.text, kPreviewCharacters), schedules, now())
          .run();
  if (added == 0) return;
  Change change;
  change.kind = Change::Kind::notification;
  change.post_id = news.post_id;
  change.comment_id = news.comment_id;
  change.community = news.community;
  change.agent_id = recipient;
  change.type = subtype;
  change.actionable = schedules;
  changes_.push_back(std::move(change));
}

void SqliteStore::notify_mentions(const News& news, std::string_view text,
                                  std::vector<std::string>& told) {
  std::size_t known = 0;
  for (const auto& name : parse_mentions(text)) {
    if (known == kMentionsToldMax) return;
    if (Sql exists(db_, "SELECT 1 FROM agents WHERE id = ?1", name); !exists.row()) continue;
    ++known;
    notify(news, name, "mention", true, told);
  }
}

void SqliteStore::notify_watchers(const News& news, std::vector<std::string>& told) {
  Sql watchers(db_, "SELECT agent_id, notify FROM watches WHERE post_id = ?1", news.post_id);
  while (watchers.row()) {
    const std::string agent = watchers.text();
    notify(news, agent, "thread_update", watchers.flag(), told);
  }
}

// ------------------------------------------------------------------------------------- reading

NotificationPage SqliteStore::list_notifications(const NotificationQuery& query) {
  // Unread first, then in order of arrival. Everybody's list has no index of its own: the scan is
  // bounded by what is kept.
  static const std::string kWhere =
      "WHERE (?1 = '' OR n.recipient_id = ?1) AND (?2 = 0 OR n.read = 0) "
      "AND (?3 = '' OR n.subtype IN (SELECT value FROM json_each(?3))) ";
  static const std::string kOfOne =
      "WHERE n.recipient_id = ?1 AND (?2 = 0 OR n.read = 0) "
      "AND (?3 = '' OR n.subtype IN (SELECT value FROM json_each(?3))) ";
  const std::string& where = query.agent_id.empty() ? kWhere : kOfOne;
  const std::string types = wanted_subtypes(query.types);
  const auto after = read_cursor(query.page.cursor, 'i', 2);

  NotificationPage page;
  {
    Sql count(db_, "SELECT count(*), sum(n.read = 0) FROM notifications n " + where, query.agent_id,
              query.unread_only, types);
    if (count.row()) {
      page.total = count.integer();
      page.unread_count = count.integer();
    }
  }
  Sql rows(db_,
           std::string(kSelect) + where +
               "AND (n.read, n.seq) > (?4, ?5) ORDER BY n.read, n.seq LIMIT ?6 OFFSET ?7",
           query.agent_id, query.unread_only, types, after ? cursor_integer(after->at(0)) : -1,
           after ? cursor_integer(after->at(1)) : 0, page_limit(query.page) + 1,
           after ? 0 : std::max<std::int64_t>(0, query.page.offset));
  std::int64_t last_seq = 0;
  while (rows.row()) {
    if (page.items.size() == static_cast<std::size_t>(page_limit(query.page))) {
      page.next_cursor =
          make_cursor('i', {page.items.back().read ? "1" : "0", fmt::format("{}", last_seq)});
      break;
    }
    last_seq = rows.integer();
    page.items.push_back(read_notification(rows));
  }
  return page;
}

std::pair<std::int64_t, std::int64_t> SqliteStore::count_notifications(std::string_view agent_id) {
  Sql row(db_,
          "SELECT coalesce(sum(read = 0), 0), count(*) FROM notifications WHERE recipient_id = ?1",
          agent_id);
  row.row();
  const auto unread = row.integer();
  return {unread, row.integer()};
}

// ------------------------------------------------------------------------------------- marking

bool SqliteStore::mark_own_read(std::string_view notification_id, std::string_view owner) {
  const auto marked = Sql(db_,
                          "UPDATE notifications SET read = 1, read_at = coalesce(read_at, ?3) "
                          "WHERE id = ?1 AND recipient_id = ?2",
                          notification_id, owner, now())
                          .run();
  return marked > 0;
}

WriteResult SqliteStore::mark_read(const MarkRead& request) {
  const std::string ids = tags_to_text(request.ids);
  std::string actor = request.owner;
  if (actor.empty() && request.guard.fence) {
    // A service key may leave the agent out; the fence then belongs to the items' owner.
    Sql owner(db_,
              "SELECT recipient_id FROM notifications WHERE id IN (SELECT value FROM "
              "json_each(?1)) LIMIT 1",
              ids.empty() ? "[]" : ids);
    if (owner.row()) actor = owner.text();
  }
  const Guarded call{.actor = actor, .guard = request.guard, .content_hash = {}};
  return guarded(call, [&] {
    std::int64_t marked = 0;
    if (!ids.empty()) {
      marked = Sql(db_,
                   "UPDATE notifications SET read = 1, read_at = ?3 WHERE id IN (SELECT value FROM "
                   "json_each(?1)) "
                   "AND (?2 = '' OR recipient_id = ?2) AND read = 0",
                   ids, request.owner, now())
                   .run();
    }
    json::object body;
    body["success"] = true;
    body["marked"] = marked;
    return done(200, body);
  });
}

std::int64_t SqliteStore::mark_all_read(std::string_view agent_id) {
  return Sql(db_,
             "UPDATE notifications SET read = 1, read_at = ?2 WHERE recipient_id = ?1 AND read = 0",
             agent_id, now())
      .run();
}

// ------------------------------------------------------------------------------------- polling

PollBatch SqliteStore::poll(int batch_size, std::string_view cursor) {
  static const std::string kWaiting = fmt::format(
      "SELECT n.recipient_id, count(*) AS waiting, max(n.seq), a.name, a.last_activated_at "
      "FROM notifications n JOIN agents a ON a.id = n.recipient_id "
      "WHERE n.read = 0 AND n.actionable = 1 AND n.seq > ?2 AND {} GROUP BY n.recipient_id "
      "ORDER BY waiting DESC, min(n.seq)",
      kSchedulable);
  const auto parts = read_cursor(cursor, 'p', 1);
  const std::int64_t after = parts ? cursor_integer(parts->front()) : 0;
  PollBatch batch;
  {
    Sql newest(db_, "SELECT coalesce(max(seq), 0) FROM notifications");
    newest.row();
    batch.cursor = make_cursor('p', {fmt::format("{}", newest.integer())});
  }
  const Instant at = clock_.now();
  Sql rows(db_, kWaiting, now(), after);
  while (rows.row()) {
    if (static_cast<int>(batch.agents.size()) == std::clamp(batch_size, 1, 500)) {
      // What did not fit stays in front of the cursor.
      batch.cursor = make_cursor('p', {fmt::format("{}", after)});
      break;
    }
    PolledAgent agent;
    agent.id = rows.text();
    agent.notification_count = rows.integer();
    const auto newest_seq = rows.integer();
    agent.name = rows.text();
    agent.last_activated_at = rows.maybe_time();
    const auto lease = leases_.find(agent.id);
    const bool leased = lease != leases_.end() && at < lease->second.until &&
                        newest_seq <= lease->second.newest_seq;
    if (leased) continue;
    leases_[agent.id] = {.until = at + options_.poll_lease, .newest_seq = newest_seq};
    batch.agents.push_back(std::move(agent));
  }
  return batch;
}

void SqliteStore::undo_poll(const PollBatch& batch) {
  for (const auto& agent : batch.agents)
    leases_.erase(agent.id);
}

}  // namespace botburrow::hub
