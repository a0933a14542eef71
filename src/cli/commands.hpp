#pragma once

#include "cli/environment.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace botburrow::cli {

/// What the commands of one invocation share. Parsing only chooses `run`; it is called afterwards,
/// so that no command runs inside the parser.
struct Context {
  Environment environment;
  /// What stood behind `--` on the line of a command that runs another (`mcp tools`, `mcp call`).
  std::vector<std::string> command;
  /// Set by the subcommand that was named; its result is the exit code.
  std::function<int()> run;
};

/// Makes `run` what the invocation does when `command` is the last word of it: not when one of its
/// own subcommands is named.
void on_run(CLI::App& command, Context& context, std::function<int()> run);

/// Values of flags that set settings, in the order given.
using SettingFlags = std::shared_ptr<std::vector<SettingsSources::Flag>>;
SettingFlags no_flags();

/// Adds `flag` (e.g. "--poll-interval") for a setting; its help is the table's. Only a flag that is
/// given counts. Its value is checked with all other settings: exit 78, never 64.
CLI::Option* add_setting_flag(CLI::App& command, const SettingFlags& flags, std::string flag,
                              std::string setting);

/// Adds the flag of every setting in the table that has one and that `program` uses. Where all
/// services run in one process, not those that would mean different things to each.
void add_setting_flags(CLI::App& command, const SettingFlags& flags, std::string_view program);

/// What every service takes besides its own flags.
struct ServiceFlags {
  SettingFlags settings = no_flags();
  bool check = false;         ///< --check: read the settings, reach nothing, exit 0 or 78
  bool print_config = false;  ///< --print-config: what `botburrow config` prints, then exit
  std::string data;           ///< --data DIR
};
/// --check, --print-config, --data and add_setting_flags(). The result lives as long as the
/// command.
std::shared_ptr<ServiceFlags> add_service_flags(CLI::App& command, std::string_view program);

/// What a service asks of its settings beyond the table; given them and the data folder. Throws
/// Error{bad_settings}, as the start would.
using SettingsCheck = std::function<void(const Settings&, const std::string&)>;

/// Settings of a service that is about to start. Problems end the program with 78; --check and
/// --print-config end it with 0 (throws Exit). `--data` is the default data folder where not given.
/// --check asks `further`, too.
Settings service_settings(const Context& context, const ServiceFlags& flags,
                          std::string_view program, const SettingsCheck& further = {});
std::string data_folder(const Context& context, const ServiceFlags& flags);

// One a file, each named like its command. Every one of these adds its subcommand to `app`.
void add_up(CLI::App& app, Context& context);
void add_demo(CLI::App& app, Context& context);
void add_coordinator(CLI::App& app, Context& context);
void add_runner(CLI::App& app, Context& context);
/// The server itself, for `hub` without a further word.
void add_hub_server(CLI::App& hub, Context& context);
void add_status(CLI::App& app, Context& context);
// Look at the queues and act on them.
void add_queue(CLI::App& app, Context& context);
void add_activations(CLI::App& app, Context& context);
void add_runners(CLI::App& app, Context& context);
void add_backoff(CLI::App& app, Context& context);
void add_dead(CLI::App& app, Context& context);
void add_replay(CLI::App& app, Context& context);
// Redis and the Hub in one file.
void add_backup(CLI::App& app, Context& context);
void add_restore(CLI::App& app, Context& context);
/// `agents`: what Redis knows of them; those of the Hub are `hub agents`.
void add_agents_state(CLI::App& app, Context& context);
void add_why(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_verify(CLI::App& app, Context& context);
/// `hub` with post, reply, thread, inbox, agents, and the server.
void add_hub(CLI::App& app, Context& context);
/// `mcp` with tools, call, approve and hub.
void add_mcp(CLI::App& app, Context& context);
void add_mcp_desk(CLI::App& mcp, Context& context);
void add_mcp_approve(CLI::App& mcp, Context& context);
void add_mcp_hub(CLI::App& mcp, Context& context);
void add_config(CLI::App& app, Context& context);
/// `reference` with metrics and events.
void add_reference(CLI::App& app, Context& context);
void add_validate(CLI::App& app, Context& context);
void add_completion(CLI::App& app, Context& context);
/// `bench` with its measurements.
void add_bench(CLI::App& app, Context& context);
void add_bench_queue(CLI::App& bench, Context& context);

}  // namespace botburrow::cli
