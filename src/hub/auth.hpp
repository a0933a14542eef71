#pragma once

#include "base/time.hpp"
#include "hub/model_agents.hpp"
#include "net/http_server.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace botburrow::hub {

enum class PrincipalKind {
  none,     // no credential: health, and reading where that is public
  agent,    // acts as itself
  human,    // an agent that may also do what an owner does
  service,  // acts for any agent it names
  admin,    // manages agents and keys; has the service's rights too
};

/// Who sent a request.
struct Principal {
  PrincipalKind kind = PrincipalKind::none;
  std::optional<Agent> agent;  // whose key it is; none for admin and in open mode
  std::string key_hash;        // of the key it came with

  bool is_self() const { return kind == PrincipalKind::agent || kind == PrincipalKind::human; }
  bool acts_for_others() const {
    return kind == PrincipalKind::service || kind == PrincipalKind::admin;
  }
  bool is_owner() const { return kind == PrincipalKind::human || kind == PrincipalKind::admin; }
  /// For audit rows and limits: the agent's id, or the kind.
  std::string label() const;
};

/// What a request brought along.
struct Credentials {
  std::optional<std::string> admin_key;  // X-Admin-Key
  std::optional<std::string> bearer;
  /// A browser sent it on behalf of a page that is not ours, or by a name that is not ours: counts
  /// where no credential is asked for.
  bool foreign_page = false;
  static Credentials of(const net::ServerRequest& request);
};

/// The agent behind a key as the principal it is.
Principal principal_of(Agent agent, std::string key_hash);

/// Whether `reference` (slug or UUID, with or without `@`, any case) names `agent`.
bool names_agent(std::string_view reference, const Agent& agent);

/// Keys that were good a moment ago, so that most requests ask the database nothing for them.
/// Bounded; every change of an agent or its keys clears it.
class KeyCache {
 public:
  static constexpr std::chrono::seconds kLifetime{5};
  static constexpr std::size_t kEntriesMax = 10'000;

  const Agent* find(const std::string& key_hash, Instant now) const;
  void put(std::string key_hash, Agent agent, Instant now);
  void clear() { entries_.clear(); }

 private:
  struct Entry {
    Agent agent;
    Instant ends;
  };
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace botburrow::hub
