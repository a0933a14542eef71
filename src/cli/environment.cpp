#include "cli/environment.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "cli/exit_code.hpp"
#include "cli/known_secrets.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

extern char** environ;  // NOLINT: POSIX says how it is named

namespace botburrow::cli {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

struct FileError {
  std::string reason;
  bool too_long = false;
};

std::expected<std::string, FileError> read_file(const std::string& path, std::size_t bytes_max) {
  const auto failed = [] { return std::unexpected(FileError{std::strerror(errno)}); };
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return failed();
  std::string text;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed();
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > bytes_max)
      return std::unexpected(FileError{fmt::format("longer than {} bytes", bytes_max), true});
  }
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

/// Whether files can be put there: it is a writable folder, or its nearest ancestor is one.
bool can_hold_files(const std::string& path) {
  std::error_code error;
  fs::path at = fs::absolute(path, error);
  while (!error && !fs::exists(at, error) && at.has_parent_path() && at != at.parent_path())
    at = at.parent_path();
  return is_folder(at.string()) && ::access(at.c_str(), W_OK | X_OK) == 0;
}

LogLevel level_of(const std::string& name) {
  if (name == "DEBUG") return LogLevel::debug;
  if (name == "INFO") return LogLevel::info;
  if (name == "WARNING") return LogLevel::warning;
  return LogLevel::error;
}

Log make_log(const Environment& environment, const Settings& settings, int fd, bool terminal) {
  const std::string format = settings.text("LOG_FORMAT");
  const bool console = format.empty() ? terminal : format == "console";
  return Log(scrubbing_log_sink(fd_log_sink(fd), environment.scrubber),
             {.level = level_of(settings.text("LOG_LEVEL")),
              .format = console ? LogFormat::console : LogFormat::json,
              .colour = terminal && !environment.variable("NO_COLOR")});
}

}  // namespace

Environment Environment::of_process() {
  Environment out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      out.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0) out.hostname = name.data();
  out.pid = ::getpid();
  out.uid = ::getuid();
  out.stdin_is_terminal = ::isatty(STDIN_FILENO) == 1;
  out.stdout_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  out.stderr_is_terminal = ::isatty(STDERR_FILENO) == 1;
  return out;
}

std::optional<std::string> Environment::variable(std::string_view name) const {
  const auto at = variables.find(name);
  if (at == variables.end() || at->second.empty()) return {};
  return at->second;
}

std::string Environment::default_data_folder() const {
  // Relative values are to be ignored, says the XDG base directory specification.
  if (const auto state = variable("XDG_STATE_HOME"); state && state->starts_with('/'))
    return *state + "/botburrow";
  if (const auto home = variable("HOME")) return *home + "/.local/state/botburrow";
  return "botburrow-data";
}

SettingsSources sources_of(const Environment& environment, std::vector<SettingsSources::Flag> flags,
                           std::string data_folder) {
  SettingsSources out;
  out.flags = std::move(flags);
  out.environment = environment.variables;
  if (auto text = read_file(".env", 256u << 10)) out.dotenv = std::move(*text);
  out.credentials_directory = environment.variable("CREDENTIALS_DIRECTORY");
  out.read_file = [](const std::string& path) -> std::expected<std::string, std::string> {
    auto text = read_file(path, 64u << 10);
    if (!text) return std::unexpected(text.error().reason);
    return std::move(*text);
  };
  out.folder_exists = is_folder;
  out.folder_writable = can_hold_files;
  out.data_folder =
      data_folder.empty() ? environment.default_data_folder() : std::move(data_folder);
  out.hostname = environment.hostname;
  out.random_text = random_hex(4);
  out.pid = environment.pid;
  out.uid = environment.uid;
  return out;
}

Settings load_settings(const Environment& environment, std::string_view program,
                       std::vector<SettingsSources::Flag> flags, std::string data_folder) {
  Settings settings =
      Settings::read(sources_of(environment, std::move(flags), std::move(data_folder)), program);
  learn_secrets(*environment.scrubber, environment, settings);
  scrub_errors_with(environment.scrubber);
  if (settings.problems().empty()) return settings;
  print_warnings(settings);
  for (const std::string& line : settings.problems())
    std::fprintf(stderr, "%s\n", line.c_str());
  throw Exit(exit_code::kSettings);
}

void print_warnings(const Settings& settings) {
  for (const SettingWarning& warning : settings.warnings())
    std::fprintf(stderr, "warning: %s\n", warning.message.c_str());
}

Log service_log(const Environment& environment, const Settings& settings,
                std::string_view service) {
  return shared_log(environment, settings).with({{"service", service}});
}

Log shared_log(const Environment& environment, const Settings& settings) {
  return make_log(environment, settings, STDOUT_FILENO, environment.stdout_is_terminal);
}

Log command_log(const Environment& environment, const Settings& settings) {
  return make_log(environment, settings, STDERR_FILENO, environment.stderr_is_terminal);
}

Log unread_log(const Environment& environment, const Settings& settings) {
  static const Descriptor nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  return make_log(environment, settings, nowhere.get(), false);
}

std::string read_text_file(const std::string& path, std::size_t bytes_max) {
  auto text = read_file(path, bytes_max);
  if (text) return std::move(*text);
  throw Error(text.error().too_long ? errc::limit : errc::io,
              fmt::format("{}: cannot be read: {}", path, text.error().reason));
}

}  // namespace botburrow::cli
