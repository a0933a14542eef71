#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/random.hpp"
#include "hub/sqlite_rows.hpp"
#include "hub/sqlite_store.hpp"

#include <fmt/format.h>

namespace botburrow::hub {
namespace {

constexpr std::chrono::seconds kActiveStampEvery{60};

}  // namespace

std::string SqliteStore::new_agent_key(std::string_view type) const {
  const auto bytes = static_cast<std::size_t>(options_.agent_key_bytes);
  if (type == "human") return "botburrow_human_" + random_hex(bytes);
  if (type == "service") return "botburrow_service_" + random_hex(bytes);
  return options_.agent_key_prefix + random_hex(bytes);
}

void SqliteStore::insert_agent(const Registration& wanted, std::string_view key, bool act_as) {
  const auto or_default = [](const std::string& value, std::string_view fallback) {
    return value.empty() ? fallback : std::string_view(value);
  };
  Sql(db_,
      "INSERT INTO agents(id, uuid, name, display_name, description, type, avatar_url, "
      "config_source, "
      "config_path, config_branch, config_hash, limits, api_key_hash, api_key_expires_at, "
      "api_key_created_at, act_as, created_at, updated_at) "
      "VALUES (?1, ?2, ?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?14, ?14)",
      wanted.name, uuid(), or_null(wanted.display_name), or_null(wanted.description),
      or_default(wanted.type, "native"), or_null(wanted.avatar_url), or_null(wanted.config_source),
      or_default(wanted.config_path, "agents/%s"), or_default(wanted.config_branch, "main"),
      or_null(wanted.config_hash), or_null(wanted.limits_json), sha256_hex(key),
      wanted.api_key_expires_at, now(), act_as)
      .run();
}

std::string SqliteStore::key_hash_of(std::string_view agent_id) {
  Sql row(db_, "SELECT api_key_hash FROM agents WHERE id = ?1", agent_id);
  return row.row() ? row.text() : std::string();
}

KeyLookup SqliteStore::find_key(std::string_view key_hash) {
  std::string id;
  KeyLookup found;
  {
    Sql current(db_, "SELECT id, api_key_expires_at FROM agents WHERE api_key_hash = ?1", key_hash);
    if (current.row()) {
      id = current.text();
      const auto expires = current.maybe_time();
      found.state = expires && *expires <= now() ? KeyState::expired : KeyState::valid;
    }
  }
  if (id.empty()) {
    Sql old(db_, "SELECT agent_id FROM api_key_history WHERE old_key_hash = ?1 AND expires_at > ?2",
            key_hash, now());
    if (!old.row()) return found;
    id = old.text();
    found.state = KeyState::valid;
  }
  found.agent = agent_by_id(id);
  if (found.state != KeyState::valid) return found;
  const auto last = found.agent->last_active_at;
  if (last && *last <= now() && now() - *last < kActiveStampEvery) return found;
  try {
    Sql(db_, "UPDATE agents SET last_active_at = ?2 WHERE id = ?1", id, now()).run();
    found.agent->last_active_at = now();
  } catch (const Error&) {
    // A full disk must not lock everybody out: whoever is known may still read.
  }
  return found;
}

RotatedKey SqliteStore::replace_key(const Agent& agent, std::string_view key,
                                    std::chrono::seconds grace,
                                    std::optional<WallTime> expires_at) {
  RotatedKey rotated;
  rotated.api_key = std::string(key);
  rotated.rotation_id = uuid();
  rotated.api_key_expires_at = expires_at;
  rotated.old_key_expires_at = now() + grace;
  const std::string old_hash = key_hash_of(agent.id);
  // A key that had an end of its own does not outlive it by being rotated.
  if (agent.api_key_expires_at && *agent.api_key_expires_at < rotated.old_key_expires_at) {
    rotated.old_key_expires_at = *agent.api_key_expires_at;
  }
  if (!old_hash.empty() && rotated.old_key_expires_at > now()) {
    Sql(db_,
        "INSERT INTO api_key_history(id, agent_id, old_key_hash, rotated_at, expires_at, "
        "created_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?4)",
        rotated.rotation_id, agent.id, old_hash, now(), rotated.old_key_expires_at)
        .run();
  }
  Sql(db_,
      "UPDATE agents SET api_key_hash = ?2, api_key_expires_at = ?3, api_key_created_at = ?4, "
      "updated_at = ?4 "
      "WHERE id = ?1",
      agent.id, sha256_hex(key), expires_at, now())
      .run();
  return rotated;
}

IssuedKey SqliteStore::create_key(const NewKey& request) {
  Transaction transaction(db_);
  IssuedKey issued;
  auto known = agent_by_id(request.name);
  issued.agent_created = !known;
  issued.api_key = request.key.empty()
                       ? new_agent_key(known && request.type.empty() ? known->type : request.type)
                       : request.key;
  const std::string hash = sha256_hex(issued.api_key);
  if (Sql owner(db_, "SELECT id FROM agents WHERE api_key_hash = ?1 AND id <> ?2", hash,
                request.name);
      owner.row()) {
    throw Error(errc::already_exists,
                fmt::format("key for {}: it belongs to {} already; use another", request.name,
                            owner.text()));
  }
  if (!known) {
    Registration fresh;
    fresh.name = request.name;
    fresh.type = request.type;
    fresh.display_name = request.display_name;
    fresh.api_key_expires_at = request.expires_at;
    insert_agent(fresh, issued.api_key, request.act_as);
  } else if (key_hash_of(known->id) != hash) {
    replace_key(*known, issued.api_key, request.grace, request.expires_at);
  }
  if (known && request.act_as && !known->act_as) {
    Sql(db_, "UPDATE agents SET act_as = 1 WHERE id = ?1", known->id).run();
  }
  issued.agent = agent_by_id(request.name).value();
  transaction.commit();
  return issued;
}

std::optional<RotatedKey> SqliteStore::rotate_key(const RotateKey& request) {
  Transaction transaction(db_);
  const auto known = find_agent(request.agent_id);
  if (!known || known->type == "system") return std::nullopt;
  if (!request.expected_hash.empty() && key_hash_of(known->id) != request.expected_hash) {
    RotatedKey lost;
    lost.conflict = true;
    return lost;
  }
  RotatedKey rotated =
      replace_key(*known, new_agent_key(known->type), request.grace, request.new_expires_at);
  transaction.commit();
  return rotated;
}

bool SqliteStore::revoke_keys(std::string_view reference) {
  const auto known = find_agent(reference);
  if (!known) return false;
  Transaction transaction(db_);
  Sql(db_, "DELETE FROM api_key_history WHERE agent_id = ?1", known->id).run();
  Sql(db_,
      "UPDATE agents SET api_key_hash = NULL, api_key_expires_at = NULL, updated_at = ?2 WHERE id "
      "= ?1",
      known->id, now())
      .run();
  transaction.commit();
  return true;
}

std::vector<KeyInfo> SqliteStore::list_keys() {
  Sql rows(db_,
           "SELECT id, name, type, coalesce(api_key_created_at, created_at), api_key_expires_at, "
           "last_active_at "
           "FROM agents WHERE api_key_hash IS NOT NULL ORDER BY id");
  std::vector<KeyInfo> keys;
  while (rows.row()) {
    KeyInfo key;
    key.agent_id = rows.text();
    key.name = rows.text();
    key.type = rows.text();
    key.created_at = rows.time();
    key.expires_at = rows.maybe_time();
    key.last_used_at = rows.maybe_time();
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace botburrow::hub
