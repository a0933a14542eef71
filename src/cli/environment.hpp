#pragma once

#include "base/log.hpp"
#include "base/scrubber.hpp"
#include "base/settings.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::cli {

/// The process as its surroundings made it, taken once at start. The only place that reads the
/// environment, the working directory and the terminal.
struct Environment {
  std::map<std::string, std::string, std::less<>> variables;
  std::string hostname;
  long pid = 0;
  unsigned uid = 0;
  bool stdin_is_terminal = false;
  bool stdout_is_terminal = false;
  bool stderr_is_terminal = false;
  /// Takes secrets out of what this process writes. load_settings() teaches it the ones there are;
  /// those that are made or read later are added where that happens.
  std::shared_ptr<Scrubber> scrubber = std::make_shared<Scrubber>();

  static Environment of_process();
  /// Nothing for unset and for empty.
  std::optional<std::string> variable(std::string_view name) const;
  /// $XDG_STATE_HOME/botburrow, else ~/.local/state/botburrow, else ./botburrow-data.
  std::string default_data_folder() const;
};

/// Sources for Settings::read: the environment, `.env` of the working directory, files.
SettingsSources sources_of(const Environment& environment, std::vector<SettingsSources::Flag> flags,
                           std::string data_folder);

/// Reads the settings of `program`. Prints every problem to stderr and throws Exit{78} if there is
/// one. Warnings are left in the settings: log_settings() tells them, print_warnings() for
/// commands.
Settings load_settings(const Environment& environment, std::string_view program,
                       std::vector<SettingsSources::Flag> flags = {}, std::string data_folder = {});

/// Each warning of `settings` as `warning: …` on stderr.
void print_warnings(const Settings& settings);

/// Where services write their log: stdout. JSON lines, or readable ones on a terminal, unless
/// LOG_FORMAT says; LOG_LEVEL. Field `service` rides along.
Log service_log(const Environment& environment, const Settings& settings, std::string_view service);

/// The same without `service`, for a process of several services: each adds its own.
Log shared_log(const Environment& environment, const Settings& settings);

/// The same on stderr, for commands whose stdout is their answer.
Log command_log(const Environment& environment, const Settings& settings);

/// What services write, written where nobody reads it: for loads that are to pay for it, too.
Log unread_log(const Environment& environment, const Settings& settings);

/// A whole small file. Throws Error{io} naming path and reason, Error{limit} above `bytes_max`.
std::string read_text_file(const std::string& path, std::size_t bytes_max = 1u << 20);

}  // namespace botburrow::cli
