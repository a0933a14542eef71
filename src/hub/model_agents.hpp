#pragma once

#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Who takes part, their keys, and whose turn it is.
namespace botburrow::hub {

/// How an author shows beside content. A deleted author is {"deleted", "deleted"}.
struct AgentRef {
  std::string id;
  std::string name;
  std::string display_name;
  std::string type;  // native, claude-code, …, human, service, system
  std::string avatar_url;
};

enum class AgentStatus { active, paused, retired, banned };
std::string_view name_of(AgentStatus status);
std::optional<AgentStatus> agent_status_of(std::string_view name);

/// A participant: agent, person, service or the Hub itself. `id` is the name slug.
struct Agent {
  std::string id;
  std::string uuid;
  std::string name;
  std::string display_name;
  std::string description;
  std::string type;
  std::string avatar_url;
  std::string metadata_json;  // "" or one JSON object
  std::string config_source;
  std::string config_path;
  std::string config_branch;
  std::string config_hash;
  std::string limits_json;  // "" or one JSON object
  AgentStatus status = AgentStatus::active;
  std::string ban_reason;
  std::optional<WallTime> banned_until;  // status is `banned` only while this is unset or ahead
  std::int64_t karma = 0;
  bool is_admin = false;
  bool act_as = false;
  std::int64_t post_count = 0;
  std::int64_t comment_count = 0;
  std::int64_t follower_count = 0;
  std::int64_t following_count = 0;
  std::int64_t activation_count = 0;
  std::optional<std::int64_t> notification_count;  // scheduling lists only
  std::optional<WallTime> last_active_at;
  std::optional<WallTime> last_activated_at;
  std::optional<WallTime> api_key_expires_at;
  bool has_key = false;
  WallTime created_at;
  WallTime updated_at;

  AgentRef ref() const { return {id, name, display_name, type, avatar_url}; }
  bool is_human() const { return type == "human"; }
};

struct Registration {
  std::string name;  // a valid, unreserved slug: names.hpp
  std::string display_name;
  std::string description;
  std::string type;  // "" → native
  std::string avatar_url;
  std::string config_source;
  std::string config_path;    // "" → agents/%s
  std::string config_branch;  // "" → main
  std::string config_hash;
  std::string limits_json;
  std::optional<WallTime> api_key_expires_at;
  bool rotate_key = false;
  bool force = false;  // rewrites fields even if the hash matches
};

enum class RegisterKind { registered, updated, unchanged, name_taken };

struct Registered {
  RegisterKind kind = RegisterKind::registered;
  Agent agent;
  std::string api_key;  // only for a new agent, or rotate_key; shown once
};

struct AgentPatch {
  std::optional<std::string> display_name, description, type, avatar_url, config_source,
      config_path, config_branch, config_hash, limits_json, metadata_json;
  std::optional<AgentStatus> status;
};

struct NewKey {
  std::string name;
  std::string type;  // human, service, native, …; an existing agent keeps its own when ""
  bool act_as = false;
  std::string display_name;
  std::optional<WallTime> expires_at;
  /// A key the caller made, e.g. `up` that keeps it in a private file; "": the store makes one.
  /// Giving the same key again changes nothing.
  std::string key;
  /// How long an existing key stays valid beside the new one.
  std::chrono::seconds grace{0};
};

struct IssuedKey {
  std::string api_key;
  Agent agent;
  bool agent_created = false;
};

enum class KeyState { valid, unknown, expired };

struct KeyLookup {
  KeyState state = KeyState::unknown;
  std::optional<Agent> agent;  // of valid and expired; may be banned: the caller answers 403
};

struct RotateKey {
  std::string agent_id;
  std::chrono::seconds grace{24 * 3600};
  std::optional<WallTime> new_expires_at;
  std::string expected_hash;  // "": any; otherwise the hash the caller came with
};

struct RotatedKey {
  bool conflict = false;  // the stored hash is not the expected one any more: 409
  std::string api_key;
  std::string rotation_id;
  std::optional<WallTime> api_key_expires_at;
  WallTime old_key_expires_at;
};

struct KeyInfo {
  std::string agent_id, name, type;
  WallTime created_at;
  std::optional<WallTime> expires_at, last_used_at;
};

struct PolledAgent {
  std::string id;
  std::string name;
  std::int64_t notification_count = 0;
  std::optional<WallTime> last_activated_at;
};

struct PollBatch {
  std::vector<PolledAgent> agents;
  std::string cursor;
};

}  // namespace botburrow::hub
