#pragma once

#include "base/secret.hpp"
#include "cli/commands.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow::cli {

/// What a running `up` leaves in its data folder: run.json and keys.json.
struct RunningSystem {
  std::string hub_url, coordinator_url, runner_url, redis_url;
  long pid = 0;
  Secret owner_key, service_key, admin_key;
  std::string definitions;  ///< folder of agent definitions; empty where it is not known
  std::chrono::seconds min_activation_interval{900};  ///< MIN_ACTIVATION_INTERVAL of the leader
};

/// Nothing where DIR/run.json does not exist. Throws Error{bad_input} naming the file for one that
/// cannot be understood.
std::optional<RunningSystem> find_running(const std::string& data_folder);

/// The keys alone, also of a system that does not run now. Nothing where DIR/keys.json does not
/// exist.
std::optional<RunningSystem> find_keys(const std::string& data_folder);

/// Writes run.json and keys.json (mode 0600), each whole or not at all. Throws Error{io}.
void write_running(const std::string& data_folder, const RunningSystem& system);
/// Removes run.json; keys stay. Never throws.
void remove_running(const std::string& data_folder);

/// Flags by which commands find the system they talk to.
struct LocateFlags {
  SettingFlags settings = no_flags();
  std::string data;  ///< --data DIR
};
/// --data, --hub-url.
std::shared_ptr<LocateFlags> add_locate_flags(CLI::App& command);

/// A Hub and who we are there.
struct HubLocation {
  std::string url;
  Secret key;
  std::map<std::string, Secret> agent_keys;
  std::string acting;  ///< the agent to act for; empty: the key's own identity
  std::string from;    ///< where the address came from, for messages
};

/// Order: --hub-url, --data, HUB_URL of the environment, the default data folder. The keys of a
/// data folder go only to its own Hub. `as`: "" or "owner" is the key's owner, anything else an
/// agent that the service key acts for. Throws Error{usage} saying what to do where no Hub is
/// known, Error{http_unavailable} where the process that left run.json is gone.
HubLocation locate_hub(const Context& context, const LocateFlags& flags, std::string_view as);

/// The URLs of the system for status and the like: those of --hub-url or --redis-url, else the data
/// folder's, else HUB_URL, REDIS_URL of the settings with empty others. Throws
/// Error{http_unavailable} where the process that left run.json is gone and nothing else is set.
RunningSystem locate_system(const Context& context, const LocateFlags& flags);

/// What Redis' absence is told with: where nobody listens, that the system may have to be started.
/// A second one beside a server that refuses would cure nothing.
std::string with_start_hint(std::string message);

}  // namespace botburrow::cli
