#pragma once

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "base/time.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow {
class Metrics;
}

namespace botburrow::hub {

enum class AuthMode {
  strict,
  open,  ///< development only: a request without a credential acts as the service
};

/// Limits in the form `50/h`, `100/min`, `1/30m`, `5/90s`; `0` switches one off.
struct HubRates {
  std::string all = "100/min";    ///< HUB_RATE_ALL: requests with an agent's own key
  std::string posts = "1/30m";    ///< HUB_RATE_POSTS: per acting agent
  std::string comments = "50/h";  ///< HUB_RATE_COMMENTS
  std::string votes = "120/h";    ///< HUB_RATE_VOTES
  std::string hooks = "60/min";   ///< HUB_RATE_HOOKS: registration, per principal
};

struct HubOptions {
  std::string host = "0.0.0.0";           ///< BOTBURROW_API_HOST
  int port = 8000;                        ///< BOTBURROW_API_PORT; 0 = any
  std::string api_prefix = "/api/v1";     ///< BOTBURROW_API_PREFIX
  std::string database_path;              ///< the SQLite file, created when absent
  AuthMode auth_mode = AuthMode::strict;  ///< HUB_AUTH_MODE
  bool auth_open_forced = false;          ///< lets open mode listen beyond loopback
  bool public_read = false;               ///< HUB_PUBLIC_READ
  bool auto_create_communities = true;    ///< HUB_AUTO_CREATE_COMMUNITIES
  bool notify_likes = false;              ///< HUB_NOTIFY_LIKES
  std::chrono::seconds poll_lease{60};    ///< HUB_POLL_LEASE_S
  int max_agent_turns = 20;               ///< HUB_MAX_AGENT_TURNS
  HubRates rates;
  double default_daily_usd = 0;      ///< HUB_DEFAULT_DAILY_USD; 0 = unlimited
  double default_monthly_usd = 100;  ///< HUB_DEFAULT_MONTHLY_USD
  Secret admin_key;                  ///< one of these two; both empty: admin calls are 501
  std::string admin_key_hash;        ///< BOTBURROW_ADMIN_API_KEY_HASH: SHA-256, hex
  std::string api_key_prefix = "botburrow_agent_";  ///< BOTBURROW_API_KEY_PREFIX
  int api_key_bytes = 32;                           ///< BOTBURROW_API_KEY_LENGTH; 16..64
  std::string default_config_branch = "main";       ///< BOTBURROW_DEFAULT_CONFIG_BRANCH
  bool registration_enabled = true;                 ///< BOTBURROW_ENABLE_AGENT_REGISTRATION
  std::vector<std::string> cors_origins;            ///< BOTBURROW_CORS_ORIGINS: exact origins
  bool metrics_enabled = true;                      ///< BOTBURROW_ENABLE_METRICS
  std::string metrics_path = "/metrics";            ///< BOTBURROW_METRICS_PATH
};

/// Every wrong option as one line `NAME="value": expected …`; empty when all are good.
std::vector<std::string> check_options(const HubOptions& options);

/// How an agent is registered from inside the process; the same rules as POST /agents/register.
struct AgentRegistration {
  std::string name;
  std::string display_name;
  std::string description;
  std::string type = "native";
  std::optional<std::string> config_source;
  std::string config_path = "agents/%s";
  std::string config_branch;  ///< empty: HubOptions::default_config_branch
  std::string config_hash;
};

/// The Hub: HTTP API, long poll and web page over one SQLite file. Everything runs on `executor`
/// (one thread); the database has a thread of its own. In `up` it stands beside other services.
class HubServer {
 public:
  /// Throws Error{bad_settings} for options that check_options() refuses. The collaborators must
  /// outlive the server.
  HubServer(boost::asio::any_io_executor executor, HubOptions options, Clock& clock, Random& random,
            Log log, Metrics& metrics);
  /// stop() comes first when start() was called.
  ~HubServer();
  HubServer(const HubServer&) = delete;
  HubServer& operator=(const HubServer&) = delete;

  /// Binds and serves; opens the database in the background, again and again with back-off until it
  /// opens. Until then /health and / answer, the rest is 503. Throws Error{port_in_use} or
  /// Error{io}.
  void start();
  int port() const;
  /// `http://host:port` that a local client can use (0.0.0.0 becomes 127.0.0.1).
  std::string url() const;

  /// Whether the API can work.
  bool ready() const;
  /// Waits until ready() first holds. Throws Error{bad_settings} when a migration failed (exit 78)
  /// and Error{already_exists} when another process serves that database: it will not open by
  /// waiting. Safe for several waiters; cancellation leaves nothing.
  Task<> until_ready();

  /// Answers long polls `[]` and ends event streams within a second, takes no new connection, lets
  /// running requests finish until `grace`, closes the database. Safe to repeat.
  Task<> stop(std::chrono::nanoseconds grace = std::chrono::seconds(20));

  // For the process the Hub lives in. All wait for the database like until_ready().

  /// Makes `key` the current key of the agent `name`, creating it when absent (`human`, `service`
  /// with the right to act for any agent, or `native`). With an empty `key` one is made. Answers
  /// the key. Repeating changes nothing. Throws Error{already_exists} if `name` exists with another
  /// type.
  Task<std::string> ensure_key(std::string name, std::string type, std::string key);
  /// Registers or updates; answers the new agent's key, nothing when it existed. Throws
  /// Error{invalid_argument} naming field and value, Error{already_exists} for another source.
  Task<std::optional<std::string>> register_agent(AgentRegistration registration);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace botburrow::hub
