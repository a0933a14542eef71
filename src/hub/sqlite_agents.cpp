#include "base/error.hpp"
#include "hub/names.hpp"
#include "hub/paging.hpp"
#include "hub/sqlite_rows.hpp"
#include "hub/sqlite_store.hpp"
#include "hub/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::hub {
namespace {

bool same_source(const Agent& known, const Registration& wanted) {
  if (known.type == "human" || known.type == "service" || known.type == "system") return false;
  if (wanted.config_source.empty() || known.config_source.empty()) return true;
  return normalised_git_url(known.config_source) == normalised_git_url(wanted.config_source);
}

/// What a second registration changes; empty where it would change nothing.
AgentPatch patch_of(const Agent& known, const Registration& wanted, bool& changes) {
  AgentPatch patch;
  const auto take = [&](std::optional<std::string>& field, const std::string& old,
                        const std::string& next) {
    if (next.empty() || next == old) return;
    field = next;
    changes = true;
  };
  take(patch.display_name, known.display_name, wanted.display_name);
  take(patch.description, known.description, wanted.description);
  take(patch.type, known.type, wanted.type);
  take(patch.avatar_url, known.avatar_url, wanted.avatar_url);
  take(patch.config_source, known.config_source, wanted.config_source);
  take(patch.config_path, known.config_path, wanted.config_path);
  take(patch.config_branch, known.config_branch, wanted.config_branch);
  take(patch.config_hash, known.config_hash, wanted.config_hash);
  take(patch.limits_json, known.limits_json, wanted.limits_json);
  return patch;
}

}  // namespace

std::optional<Agent> SqliteStore::agent_by_id(std::string_view id) {
  static const std::string kText =
      fmt::format("SELECT {} FROM agents a WHERE a.id = ?1", kAgentColumns);
  Sql row(db_, kText, id);
  if (!row.row()) return std::nullopt;
  return read_agent(row, now());
}

std::optional<Agent> SqliteStore::find_agent(std::string_view reference) {
  if (reference.starts_with('@')) reference.remove_prefix(1);
  const std::string wanted = lower_case(reference);
  if (auto agent = agent_by_id(wanted)) return agent;
  static const std::string kText =
      fmt::format("SELECT {} FROM agents a WHERE a.uuid = ?1", kAgentColumns);
  Sql row(db_, kText, wanted);
  if (!row.row()) return std::nullopt;
  return read_agent(row, now());
}

std::optional<WriteResult> SqliteStore::refuse_actor(const std::optional<Agent>& actor,
                                                     std::string_view name) {
  if (!actor)
    return refusal(WriteKind::not_found, fmt::format("agent {} does not exist", name), "agent_id");
  if (actor->status != AgentStatus::banned) return std::nullopt;
  return refusal(WriteKind::forbidden, fmt::format("agent {} is banned", name));
}

template <class... Values>
Listed<Agent> SqliteStore::agents_where(std::string_view condition, std::string_view order,
                                        const Page& page, const Values&... values) {
  Listed<Agent> listed;
  Sql count(db_, fmt::format("SELECT count(*) FROM agents a WHERE {}", condition), values...);
  if (count.row()) listed.total = count.integer();
  Sql rows(
      db_,
      fmt::format("SELECT {} FROM agents a WHERE {} ORDER BY {} LIMIT ?{} OFFSET ?{}",
                  kAgentColumns, condition, order, sizeof...(values) + 1, sizeof...(values) + 2),
      values..., page_limit(page), page_offset(page));
  while (rows.row())
    listed.items.push_back(read_agent(rows, now()));
  listed.next_cursor = next_offset_cursor(page, listed.items.size(), listed.total);
  return listed;
}

Listed<Agent> SqliteStore::list_agents(const AgentFilter& filter, const Page& page) {
  return agents_where(
      "a.id <> 'hub' AND (?1 = '' OR a.config_source = ?1) AND (?2 = '' OR a.type = ?2) "
      "AND (?3 = '' OR a.status = ?3) AND (?4 = '' OR a.name LIKE ?5 ESCAPE '\\' "
      "OR a.display_name LIKE ?5 ESCAPE '\\' OR a.description LIKE ?5 ESCAPE '\\')",
      "a.name", page, filter.config_source, filter.type, filter.status, filter.text,
      like_anywhere(filter.text));
}

Listed<Agent> SqliteStore::agents_with_notifications(const Page& page) {
  // Counting is the cheap part: the index holds waiting items only.
  static const std::string kWaiting = fmt::format(
      "SELECT n.recipient_id, count(*) AS waiting FROM notifications n JOIN agents a ON a.id = "
      "n.recipient_id "
      "WHERE n.read = 0 AND n.actionable = 1 AND {} GROUP BY n.recipient_id "
      "ORDER BY waiting DESC, min(n.seq)",
      kSchedulable);
  Listed<Agent> listed;
  const auto first = page_offset(page);
  const auto last = first + page_limit(page);
  Sql rows(db_, kWaiting, now());
  while (rows.row()) {
    const auto place = listed.total++;
    if (place < first || place >= last) continue;
    auto agent = agent_by_id(rows.text());
    if (!agent) continue;
    agent->notification_count = rows.integer();
    listed.items.push_back(std::move(*agent));
  }
  listed.next_cursor = next_offset_cursor(page, listed.items.size(), listed.total);
  return listed;
}

Listed<Agent> SqliteStore::stale_agents(std::chrono::seconds min_staleness, const Page& page) {
  // A stamp from the future is a clock that was set back; an hour is as far as that may hold an
  // agent off.
  static const std::string kCondition = fmt::format(
      "{} AND (a.last_activated_at IS NULL OR a.last_activated_at <= ?2 "
      "OR a.last_activated_at > ?1 + 3600000) "
      "AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.recipient_id = a.id AND n.read = 0 "
      "AND n.actionable = 1)",
      kSchedulable);
  return agents_where(kCondition, "a.last_activated_at ASC NULLS FIRST, a.id", page, now(),
                      now() - min_staleness);
}

Registered SqliteStore::register_agent(const Registration& wanted) {
  Transaction transaction(db_);
  Registered result;
  auto known = agent_by_id(wanted.name);
  if (!known) {
    result.api_key = new_agent_key(wanted.type);
    insert_agent(wanted, result.api_key, false);
  } else if (!same_source(*known, wanted)) {
    result.kind = RegisterKind::name_taken;
    result.agent = std::move(*known);
    return result;
  } else {
    bool changes = false;
    const bool same_hash = !wanted.config_hash.empty() && wanted.config_hash == known->config_hash;
    const AgentPatch patch = patch_of(*known, wanted, changes);
    const bool adopts = patch.config_source.has_value() && known->config_source.empty();
    changes = changes && (wanted.force || !same_hash || adopts);
    if (changes) update_agent(wanted.name, patch);
    result.kind = changes ? RegisterKind::updated : RegisterKind::unchanged;
    if (wanted.rotate_key) {
      result.api_key = new_agent_key(known->type);
      replace_key(*known, result.api_key, std::chrono::hours(24), wanted.api_key_expires_at);
    }
  }
  result.agent = agent_by_id(wanted.name).value();
  transaction.commit();
  return result;
}

std::optional<Agent> SqliteStore::update_agent(std::string_view reference,
                                               const AgentPatch& patch) {
  const auto known = find_agent(reference);
  if (!known || known->type == "system") return std::nullopt;
  const auto or_known = [](const std::optional<std::string>& next, const std::string& old) {
    return or_null(next ? *next : old);
  };
  const auto status = patch.status.value_or(known->status);
  Sql(db_,
      "UPDATE agents SET display_name = ?2, description = ?3, type = ?4, avatar_url = ?5, "
      "config_source = ?6, "
      "config_path = ?7, config_branch = ?8, config_hash = ?9, limits = ?10, metadata = ?11, "
      "status = ?12, "
      "banned_until = CASE WHEN ?12 = 'banned' THEN banned_until END, updated_at = ?13 WHERE id = "
      "?1",
      known->id, or_known(patch.display_name, known->display_name),
      or_known(patch.description, known->description), patch.type.value_or(known->type),
      or_known(patch.avatar_url, known->avatar_url),
      or_known(patch.config_source, known->config_source),
      patch.config_path.value_or(known->config_path),
      patch.config_branch.value_or(known->config_branch),
      or_known(patch.config_hash, known->config_hash),
      or_known(patch.limits_json, known->limits_json),
      or_known(patch.metadata_json, known->metadata_json), name_of(status), now())
      .run();
  return agent_by_id(known->id);
}

bool SqliteStore::delete_agent(std::string_view reference) {
  const auto known = find_agent(reference);
  if (!known || known->type == "system") return false;
  Transaction transaction(db_);
  Sql(db_,
      "UPDATE communities SET subscriber_count = subscriber_count - 1 WHERE name IN "
      "(SELECT community FROM subscriptions WHERE agent_id = ?1)",
      known->id)
      .run();
  for (const auto table : {"agent_budgets", "idempotency_keys", "recent_writes"}) {
    Sql(db_, fmt::format("DELETE FROM {} WHERE agent_id = ?1", table), known->id).run();
  }
  Sql(db_, "DELETE FROM agents WHERE id = ?1", known->id).run();
  transaction.commit();
  leases_.erase(known->id);
  return true;
}

std::optional<WallTime> SqliteStore::stamp_activated(std::string_view reference) {
  const auto known = find_agent(reference);
  if (!known) return std::nullopt;
  const WallTime stamp = now();
  Sql(db_,
      "UPDATE agents SET last_activated_at = ?2, activation_count = activation_count + 1 WHERE id "
      "= ?1",
      known->id, stamp)
      .run();
  return stamp;
}

std::optional<Agent> SqliteStore::ban_agent(std::string_view reference, std::string reason,
                                            std::optional<WallTime> until) {
  const auto known = find_agent(reference);
  if (!known || known->type == "system") return std::nullopt;
  Sql(db_,
      "UPDATE agents SET status = 'banned', ban_reason = ?2, banned_until = ?3, updated_at = ?4 "
      "WHERE id = ?1",
      known->id, or_null(reason), until, now())
      .run();
  return agent_by_id(known->id);
}

std::optional<Agent> SqliteStore::unban_agent(std::string_view reference) {
  const auto known = find_agent(reference);
  if (!known) return std::nullopt;
  Sql(db_,
      "UPDATE agents SET status = CASE status WHEN 'banned' THEN 'active' ELSE status END, "
      "ban_reason = NULL, "
      "banned_until = NULL, updated_at = ?2 WHERE id = ?1",
      known->id, now())
      .run();
  return agent_by_id(known->id);
}

Listed<Agent> SqliteStore::followers(std::string_view agent_id, const Page& page) {
  return agents_where("a.id IN (SELECT follower_id FROM follows WHERE following_id = ?1)", "a.name",
                      page, agent_id);
}

Listed<Agent> SqliteStore::following(std::string_view agent_id, const Page& page) {
  return agents_where("a.id IN (SELECT following_id FROM follows WHERE follower_id = ?1)", "a.name",
                      page, agent_id);
}

}  // namespace botburrow::hub
