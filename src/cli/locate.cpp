#include "cli/locate.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/data_folder.hpp"
#include "net/redis_faults.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace botburrow::cli {
namespace {

std::string run_file(const std::string& folder) {
  return folder + "/run.json";
}
std::string keys_file(const std::string& folder) {
  return folder + "/keys.json";
}

bool exists(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0;
}

json::value read_document(const std::string& path) {
  json::value document = parse_json(read_text_file(path, 64u << 10), path);
  if (!document.is_object()) throw Error(errc::bad_input, path + ": not a JSON object");
  return document;
}

[[noreturn]] void throw_io(const std::string& path, int code) {
  throw Error(errc::io, fmt::format("{}: cannot be written: {}", path, std::strerror(code)));
}

/// The new text is on the disk under a name of its own before it takes the old one's place.
void write_whole(const std::string& path, const std::string& text) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  ::unlink(temporary.c_str());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) throw_io(path, errno);
  std::size_t done = 0;
  int failure = 0;
  while (done < text.size() && failure == 0) {
    const ssize_t wrote = ::write(fd, text.data() + done, text.size() - done);
    if (wrote >= 0)
      done += static_cast<std::size_t>(wrote);
    else if (errno != EINTR)
      failure = errno;
  }
  if (failure == 0 && ::fsync(fd) != 0) failure = errno;
  ::close(fd);
  if (failure == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) failure = errno;
  if (failure == 0) return;
  ::unlink(temporary.c_str());
  throw_io(path, failure);
}

bool is_flag(const Settings& settings, std::string_view name) {
  return settings.source(name).starts_with("--");
}

/// Whether the process that left run.json still runs. Its lock tells; a process id may be
/// somebody else's by now, and only decides where there is no lock to look at.
bool lives(const std::string& folder, const RunningSystem& system) {
  if (const auto held = DataFolderLock::is_held(folder)) return *held;
  return system.pid <= 0 || ::kill(static_cast<pid_t>(system.pid), 0) == 0 || errno == EPERM;
}

/// The folder that --data names must have a running system; the default one may. `needed`: nothing
/// else tells where to go.
std::optional<RunningSystem> running_in(const Context& context, const LocateFlags& flags,
                                        bool needed) {
  const bool named = !flags.data.empty();
  const auto folder = named ? flags.data : context.environment.default_data_folder();
  auto system = find_running(folder);
  if (system && lives(folder, *system)) return system;
  if (!named && !(system && needed)) return std::nullopt;
  const auto what = system ? fmt::format("process {} is gone and did not end cleanly", system->pid)
                           : std::string("nothing runs there");
  throw Error(errc::http_unavailable, fmt::format("{}: {}; start it with: botburrow up --data {}",
                                                  run_file(folder), what, folder));
}

HubLocation from_settings(const Settings& settings, std::string_view as) {
  HubLocation out;
  out.url = settings.text("HUB_URL");
  out.key = settings.secret("HUB_API_KEY");
  for (const auto& [agent, key] : settings.secret_map("AGENT_KEYS"))
    out.agent_keys.emplace(agent, key);
  out.from = fmt::format("HUB_URL from {}", settings.source("HUB_URL"));
  if (as != "owner") out.acting = as;
  return out;
}

HubLocation from_system(const RunningSystem& system, const Settings& settings,
                        std::string_view as) {
  HubLocation out;
  out.url = system.hub_url;
  out.from = fmt::format("process {}", system.pid);
  const bool is_owner = as.empty() || as == "owner";
  if (!is_owner) out.acting = as;
  out.key = is_owner ? system.owner_key : system.service_key;
  // A key that somebody gave on purpose wins, but only by being the only one given.
  if (out.key.empty()) out.key = settings.secret("HUB_API_KEY");
  return out;
}

}  // namespace

std::optional<RunningSystem> find_running(const std::string& data_folder) {
  const std::string path = run_file(data_folder);
  if (!exists(path)) return {};
  const json::value run = read_document(path);
  RunningSystem out;
  out.hub_url = string_field(run, "hub").value_or("");
  out.coordinator_url = string_field(run, "coordinator").value_or("");
  out.runner_url = string_field(run, "runner").value_or("");
  out.redis_url = string_field(run, "redis").value_or("");
  out.pid = static_cast<long>(int_field(run, "pid").value_or(0));
  out.definitions = string_field(run, "definitions").value_or("");
  if (const auto seconds = int_field(run, "min_activation_interval"))
    out.min_activation_interval = std::chrono::seconds(*seconds);
  if (out.hub_url.empty())
    throw Error(errc::bad_input,
                fmt::format("{}: field hub is missing; restart botburrow up", path));
  if (const auto keys = find_keys(data_folder)) {
    out.owner_key = keys->owner_key;
    out.service_key = keys->service_key;
    out.admin_key = keys->admin_key;
  }
  return out;
}

std::optional<RunningSystem> find_keys(const std::string& data_folder) {
  if (!exists(keys_file(data_folder))) return {};
  const json::value keys = read_document(keys_file(data_folder));
  RunningSystem out;
  out.owner_key = Secret(string_field(keys, "owner").value_or(""));
  out.service_key = Secret(string_field(keys, "service").value_or(""));
  out.admin_key = Secret(string_field(keys, "admin").value_or(""));
  return out;
}

void write_running(const std::string& data_folder, const RunningSystem& system) {
  const json::object keys = {{"owner", system.owner_key.reveal()},
                             {"service", system.service_key.reveal()},
                             {"admin", system.admin_key.reveal()}};
  const json::object run = {{"hub", system.hub_url},
                            {"coordinator", system.coordinator_url},
                            {"runner", system.runner_url},
                            {"redis", system.redis_url},
                            {"pid", system.pid},
                            {"definitions", system.definitions},
                            {"min_activation_interval", system.min_activation_interval.count()}};
  // Who finds run.json must find the keys that belong to it.
  write_whole(keys_file(data_folder), to_pretty_json(keys) + "\n");
  write_whole(run_file(data_folder), to_pretty_json(run) + "\n");
}

void remove_running(const std::string& data_folder) {
  ::unlink(run_file(data_folder).c_str());
}

std::shared_ptr<LocateFlags> add_locate_flags(CLI::App& command) {
  auto flags = std::make_shared<LocateFlags>();
  add_setting_flag(command, flags->settings, "--hub-url", "HUB_URL");
  command
      .add_option("--data", flags->data,
                  "Data folder of a running `botburrow up` (default $XDG_STATE_HOME/botburrow or "
                  "~/.local/state/botburrow)")
      ->type_name("DIR");
  return flags;
}

HubLocation locate_hub(const Context& context, const LocateFlags& flags, std::string_view as) {
  const Settings settings = load_settings(context.environment, "client", *flags.settings);
  print_warnings(settings);
  const bool url_by_flag = is_flag(settings, "HUB_URL");
  if (!url_by_flag && !flags.data.empty())
    return from_system(*running_in(context, flags, true), settings, as);
  if (settings.is_set("HUB_URL")) return from_settings(settings, as);
  if (const auto system = running_in(context, flags, true))
    return from_system(*system, settings, as);
  throw Error(errc::usage,
              "no Hub is known: start one with `botburrow up`, or set HUB_URL and HUB_API_KEY "
              "(or give --hub-url, or --data DIR of a running `up`)");
}

RunningSystem locate_system(const Context& context, const LocateFlags& flags) {
  const Settings settings = load_settings(context.environment, "client", *flags.settings);
  // What is typed wins over what is found, and a data folder that is typed over what is set.
  const bool typed = is_flag(settings, "HUB_URL") || is_flag(settings, "REDIS_URL");
  const bool explicit_place = typed || (flags.data.empty() && settings.is_set("HUB_URL"));
  const bool needed = !settings.is_set("REDIS_URL");
  if (!explicit_place)
    if (auto system = running_in(context, flags, needed)) return *system;
  RunningSystem out;
  out.hub_url = settings.text("HUB_URL");
  out.redis_url = settings.text("REDIS_URL");
  out.service_key = settings.secret("HUB_API_KEY");
  out.admin_key = settings.secret("ADMIN_KEY");
  out.definitions = settings.text("AGENT_DEFINITIONS_PATH");
  out.min_activation_interval = settings.seconds("MIN_ACTIVATION_INTERVAL");
  return out;
}

std::string with_start_hint(std::string message) {
  if (message.find(net::fix_for(net::RedisFault::refused)) == std::string::npos) return message;
  return message +
         "; is the system up? Start it with `botburrow up`, or name it with --data DIR or "
         "--redis-url URL";
}

}  // namespace botburrow::cli
