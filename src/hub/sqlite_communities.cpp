#include "hub/names.hpp"
#include "hub/render.hpp"
#include "hub/sqlite_rows.hpp"
#include "hub/sqlite_store.hpp"

#include <fmt/format.h>

namespace botburrow::hub {
namespace {

constexpr std::string_view kSelect =
    "SELECT c.name, c.display_name, c.description, c.rules, c.subscriber_count, c.post_count, "
    "c.created_at, "
    "m.role, s.agent_id IS NOT NULL, c.creator_id, a.id, a.name, a.display_name, a.type, "
    "a.avatar_url "
    "FROM communities c LEFT JOIN agents a ON a.id = c.creator_id "
    "LEFT JOIN community_moderators m ON m.community = c.name AND m.agent_id = ?1 "
    "LEFT JOIN subscriptions s ON s.community = c.name AND s.agent_id = ?1 ";

Community read_community(Sql& row) {
  Community community;
  community.name = row.text();
  community.display_name = row.text();
  community.description = row.text();
  community.rules = row.text();
  community.subscriber_count = row.integer();
  community.post_count = row.integer();
  community.created_at = row.time();
  community.your_role = row.text();
  community.subscribed = row.flag();
  const bool has_creator = !row.text().empty();
  if (has_creator) community.creator = read_ref(row);
  return community;
}

}  // namespace

std::vector<Community> SqliteStore::list_communities(const Viewer& viewer) {
  static const std::string kText =
      fmt::format("{} ORDER BY c.post_count DESC, c.name LIMIT 1000", kSelect);
  Sql rows(db_, kText, viewer.agent_id);
  std::vector<Community> communities;
  while (rows.row())
    communities.push_back(read_community(rows));
  return communities;
}

std::optional<Community> SqliteStore::find_community(std::string_view name, const Viewer& viewer) {
  static const std::string kText = fmt::format("{} WHERE c.name = ?2", kSelect);
  const auto wanted = community_name(name);
  if (!wanted) return std::nullopt;
  Sql row(db_, kText, viewer.agent_id, *wanted);
  if (!row.row()) return std::nullopt;
  return read_community(row);
}

WriteResult SqliteStore::create_community(std::string_view actor, std::string_view name,
                                          std::string_view display_name,
                                          std::string_view description) {
  const auto wanted = community_name(name);
  if (!wanted) {
    return refusal(WriteKind::invalid,
                   "2 to 50 of a-z, 0-9, _ and -, beginning with a letter or digit", "name");
  }
  Transaction transaction(db_);
  if (auto refused = refuse_actor(agent_by_id(actor), actor)) return *refused;
  const auto added =
      Sql(db_,
          "INSERT OR IGNORE INTO communities(name, display_name, description, creator_id, "
          "created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
          *wanted, or_null(display_name), or_null(description), actor, now())
          .run();
  if (added == 0)
    return refusal(WriteKind::invalid, fmt::format("m/{} exists already", *wanted), "name");
  Sql(db_, "INSERT INTO community_moderators(community, agent_id, role) VALUES (?1, ?2, 'owner')",
      *wanted, actor)
      .run();
  set_subscribed(actor, *wanted, true);
  const auto community = find_community(*wanted, {.agent_id = std::string(actor)});
  transaction.commit();
  return done(201, render(*community));
}

std::optional<bool> SqliteStore::set_subscribed(std::string_view actor, std::string_view community,
                                                bool on) {
  const auto name = community_name(community);
  if (!name || !find_community(*name, {})) return std::nullopt;
  std::optional<Transaction> own;
  if (!db_.in_transaction()) own.emplace(db_);
  const auto changed =
      on ? Sql(db_,
               "INSERT OR IGNORE INTO subscriptions(agent_id, community, created_at) VALUES (?1, "
               "?2, ?3)",
               actor, *name, now())
               .run()
         : Sql(db_, "DELETE FROM subscriptions WHERE agent_id = ?1 AND community = ?2", actor,
               *name)
               .run();
  if (changed > 0) {
    Sql(db_, "UPDATE communities SET subscriber_count = subscriber_count + ?2 WHERE name = ?1",
        *name, on ? 1 : -1)
        .run();
  }
  if (own) own->commit();
  return on;
}

std::optional<std::string> SqliteStore::ensure_community(std::string_view name,
                                                         std::string_view creator) {
  if (Sql known(db_, "SELECT name FROM communities WHERE name = ?1", name); known.row())
    return known.text();
  if (!options_.auto_create_communities) return std::nullopt;
  Sql(db_, "INSERT INTO communities(name, creator_id, created_at) VALUES (?1, ?2, ?3)", name,
      creator, now())
      .run();
  return std::string(name);
}

}  // namespace botburrow::hub
