#pragma once

#include "base/secret.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow {

class Log;

/// What a value must look like.
enum class SettingType {
  text,          // anything; `choices` empty
  url,           // http or https, a host, no query; a trailing / is dropped
  redis_url,     // redis, rediss, unix, redis+sentinel or rediss+sentinel
  integer,       // whole number in [min, max]
  duration,      // whole seconds in [min, max], or 30s, 5m, 4h, 7d
  number,        // decimal number in [min, max]
  boolean,       // true/false/1/0/yes/no/on/off
  enumeration,   // one of `choices`
  size,          // bytes: 512m, 2g, 2Gi
  cpu,           // processors: 1.0 or 500m
  list,          // comma-separated, or a JSON list of strings
  json_map,      // JSON object of strings
  path,          // a file or folder name
  identifier,    // [A-Za-z0-9._-]{1,128}
  rate,          // 50/h, 1/30m; 0 = no limit
  host,          // an address or host name to listen on
  database_url,  // sqlite:///PATH or postgresql://…
};

/// Programs that read settings, as bits.
namespace service {
inline constexpr unsigned kCoordinator = 1;
inline constexpr unsigned kRunner = 2;
inline constexpr unsigned kHub = 4;
inline constexpr unsigned kSkillSync = 8;
inline constexpr unsigned kAssistant = 16;
inline constexpr unsigned kMcpHub = 32;
inline constexpr unsigned kRegister = 64;
inline constexpr unsigned kClient = 128;  // commands that talk to a running system
inline constexpr unsigned kAll = 255;
}  // namespace service

/// A default that holds in one program only, e.g. METRICS_HOST in `up`.
struct ProgramDefault {
  std::string_view program;
  std::string_view value;
};

/// One row of the table of settings.
struct SettingSpec {
  std::string_view name;  ///< without BOTBURROW_; `EXECUTOR_*_COMMAND` names a family
  SettingType type = SettingType::text;
  unsigned services = service::kAll;
  std::string_view default_value = "";  ///< empty: none
  std::string_view help = "";
  std::vector<std::string_view> aliases = {};
  std::string_view flag = "";  ///< the command-line flag that sets it, "" if none
  std::vector<std::string_view> choices = {};
  double min = 0;
  double max = 9e15;
  bool zero_is_off = false;  ///< 0 is allowed although below `min`
  bool secret = false;
  bool takes_effect = true;  ///< false: accepted, checked, and without effect in this version
  bool bare_host = false;    ///< a url whose http:// may be left out
  unsigned required_by = 0;
  std::string_view example = "";  ///< shown where it is required and missing
  std::vector<ProgramDefault> defaults = {};
  /// Where a value from the environment is said to come from in problems; "" leaves it out.
  std::string_view origin = "environment";
};

/// A heading of the documentation and its rows.
struct SettingSection {
  std::string_view title;
  std::string_view intro;
  std::vector<SettingSpec> rows;
};
const std::vector<SettingSection>& settings_sections();

/// Every setting, in the order of the documentation.
const std::vector<SettingSpec>& settings_table();

/// Everything outside that settings come from. Gathered once by the command; nothing here is read
/// again later.
struct SettingsSources {
  struct Flag {
    std::string name;  ///< of the setting, e.g. POLL_INTERVAL
    std::string flag;  ///< as typed, e.g. --poll-interval
    std::string value;
  };
  std::vector<Flag> flags;  ///< only those given on the command line
  std::map<std::string, std::string, std::less<>> environment;
  std::optional<std::string> dotenv;  ///< text of .env in the working directory
  std::optional<std::string> credentials_directory;
  /// Text of a file, or why it cannot be read. Empty: no file is read.
  std::function<std::expected<std::string, std::string>(const std::string& path)> read_file;
  /// Whether a folder exists, and whether it can be written. Empty: WORKSPACE_ROOT goes unchecked.
  std::function<bool(const std::string& path)> folder_exists;
  std::function<bool(const std::string& path)> folder_writable;
  std::string data_folder;  ///< where `workspaces` goes while /workspaces is absent
  std::string hostname;
  std::string random_text;  ///< eight characters for an INSTANCE_ID
  long pid = 0;
  unsigned uid = 0;
};

struct SettingWarning {
  std::string event;  ///< setting_conflict, setting_unknown or setting_adjusted
  std::string name;
  std::string message;
};

/// One line of `botburrow config`.
struct SettingReport {
  std::string name;
  std::string value;   ///< secrets as "set (len 40)"; empty: unset
  std::string source;  ///< default, environment, .env, file, credentials, flag, or the name used
  const SettingSpec* spec;
};

/// The settings of one program: read once, checked, then immutable. Getters assert on a name that
/// the table does not have or whose type is another; a leading BOTBURROW_ is optional everywhere.
/// While problems() is not empty the values in question are the defaults, and the program must not
/// start.
class Settings {
 public:
  /// `program` is coordinator, runner, hub, skill-sync, assistant, mcp, register, client, up or
  /// demo; "" checks every row and requires none.
  static Settings read(const SettingsSources& sources, std::string_view program);

  /// Lines that begin with `config error: `, in the order of the table. No secret is in them.
  const std::vector<std::string>& problems() const { return problems_; }
  const std::vector<SettingWarning>& warnings() const { return warnings_; }

  /// Any type but secrets, in normal form; "" where unset.
  std::string text(std::string_view name) const;
  std::optional<std::string> find_text(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  std::optional<std::int64_t> find_integer(std::string_view name) const;
  std::chrono::seconds seconds(std::string_view name) const;
  double number(std::string_view name) const;  ///< numbers and cpu
  bool boolean(std::string_view name) const;
  std::uint64_t size_bytes(std::string_view name) const;
  Secret secret(std::string_view name) const;  ///< empty where unset
  std::vector<std::string> list(std::string_view name) const;
  std::map<std::string, Secret, std::less<>> secret_map(std::string_view name) const;
  /// Values of a family such as EXECUTOR_*_COMMAND, by what stands for the star.
  std::map<std::string, std::string, std::less<>> family(std::string_view name) const;

  /// True if somebody set it: it is not the default.
  bool is_set(std::string_view name) const;
  /// "default", or where the value came from.
  std::string source(std::string_view name) const;

  /// Every row this program uses, masked.
  std::vector<SettingReport> report() const;
  const std::string& program() const { return program_; }

 private:
  friend class SettingsReader;
  struct Value {
    std::string text;  // normal form
    std::string source = "default";
    bool set = false;  // not the default
  };
  const Value& value_of(std::string_view name, std::initializer_list<SettingType> types) const;

  std::string program_;
  std::map<std::string, Value, std::less<>> values_;
  std::map<std::string, std::map<std::string, Value, std::less<>>, std::less<>> families_;
  std::vector<std::string> problems_;
  std::vector<SettingWarning> warnings_;
};

/// Which services run in a program of that name, as bits; all for "".
unsigned services_of_program(std::string_view program);

/// The setting of that name (BOTBURROW_ optional), or null.
const SettingSpec* find_setting(std::string_view name);

/// What a good value looks like: "whole seconds 1..3600", "a size such as 512m, 2g or 2Gi".
std::string expected_form(const SettingSpec& spec);

/// Warnings, each under its event, then `settings_loaded` with every value masked.
/// A console log names only those that somebody set.
void log_settings(const Settings& settings, const Log& log);

/// docs/settings.md: the whole table as Markdown.
std::string settings_markdown();

}  // namespace botburrow
