#include "cli/redis_process.hpp"

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "net/redis.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace botburrow::cli {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr std::size_t kSocketPathMax = 107;  // sun_path, less its closing zero
constexpr auto kStartTime = 60s;
constexpr auto kStopTime = 10s;
constexpr auto kHearingTime = 500ms;
constexpr std::string_view kSystemPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin";
constexpr int kExitsAtStart = 3;
/// Less room than this is a full disk: the server's own files grow by steps of this size.
constexpr std::uintmax_t kRoomMin = 1u << 20;

void make_private_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  if (error)
    throw Error(errc::io, fmt::format("{}: cannot be used: {}; choose another place with --data",
                                      folder.string(), error.message()));
}

// A name in /tmp may have been taken by somebody else, who would then hold the door to our Redis.
void require_own_folder(const fs::path& folder) {
  struct stat info{};
  if (::lstat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid())
    return;
  throw Error(
      errc::io,
      fmt::format("{}: belongs to somebody else; choose a data folder with a shorter path (--data)",
                  folder.string()));
}

}  // namespace

std::string redis_socket_path(const std::string& data_folder, const std::string& runtime_folder) {
  const auto plain = (fs::absolute(data_folder).lexically_normal() / "redis.sock").string();
  if (plain.size() <= kSocketPathMax) return plain;
  const auto name = sha256_hex(fs::absolute(data_folder).lexically_normal().string()).substr(0, 16);
  return fmt::format("{}/botburrow-{}-{}/redis.sock", runtime_folder, ::getuid(), name);
}

namespace {

// "12345:M 23 Nov 2026 02:43:45.123 # text": warnings and worse have the #.
std::string_view text_of_log_line(std::string_view line, std::string_view mark) {
  const auto at = line.find(mark);
  return at == std::string_view::npos ? std::string_view() : line.substr(at + mark.size());
}

bool says_full_disk(std::string_view text) {
  constexpr std::string_view kSigns[] = {"No space left on device", "Disk quota exceeded",
                                         "Short write while writing to the AOF file"};
  return std::any_of(std::begin(kSigns), std::end(kSigns),
                     [&](auto sign) { return text.find(sign) != std::string_view::npos; });
}

// It marks what every start and end says like a complaint.
bool says_nothing(std::string_view text) {
  constexpr std::string_view kBegins[] = {
      "oO0Oo",    "Redis version=", "Configuration ", "Server initialized",        "WARNING ",
      "Warning:", "User requested", "Received SIG",   "Redis is now ready to exit"};
  return std::any_of(std::begin(kBegins), std::end(kBegins),
                     [&](auto begin) { return text.starts_with(begin); });
}

std::string_view last_line(std::string_view text) {
  const auto end = text.find_last_not_of(" \t\r\n");
  if (end == std::string_view::npos) return {};
  text = text.substr(0, end + 1);
  return text.substr(text.rfind('\n') + 1);  // of no line break: from 0
}

std::string one_line(std::string_view text) {
  constexpr std::size_t kLineMax = 300;
  std::string out = valid_utf8(text.substr(0, kLineMax));
  std::ranges::replace_if(
      out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return out;
}

}  // namespace

std::string find_redis_server(const std::string& path) {
  for (const char* name : {"redis-server", "valkey-server"}) {
    for (const auto& folders : {path, std::string(kSystemPath)})
      if (auto found = net::find_program(name, folders)) return *std::move(found);
  }
  throw Error(errc::not_found,
              fmt::format("neither redis-server nor valkey-server is in PATH ({}); install one: "
                          "apt-get install redis-server, dnf install valkey, apk add valkey, or "
                          "brew install redis",
                          path.empty() ? std::string(kSystemPath) : path));
}

RedisEnd read_redis_end(std::string_view log_text, std::uintmax_t bytes_free,
                        std::string_view stderr_text) {
  RedisEnd end;
  bool full = bytes_free < kRoomMin;
  for (std::string_view rest = log_text; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    auto text = text_of_log_line(line, " # ");
    // What is wrong with its command line it says without a mark.
    if (text.empty() && (line.starts_with("***") || line.starts_with("Can't"))) text = line;
    if (text.empty() || says_nothing(text)) continue;
    full = full || says_full_disk(text);
    end.error = one_line(text);
  }
  full = full || says_full_disk(stderr_text);
  if (end.error.empty()) end.error = one_line(last_line(stderr_text));
  end.cause = "unknown";
  if (full) {
    end.cause = "disk_full";
    end.fix = "free space on the volume of the data folder; Redis then comes back by itself";
  } else if (end.error.find("file format") != std::string::npos ||
             end.error.find("redis-check-aof") != std::string::npos) {
    end.cause = "damaged_data";
    end.fix =
        "its append-only file is damaged: keep a copy of the folder redis/appendonlydir, then run "
        "`redis-check-aof --fix` on the manifest in it; the Hub has every notification still";
  }
  return end;
}

RedisProcess::RedisProcess(boost::asio::any_io_executor executor, std::string folder,
                           Random& random, Log log, Options options)
    : executor_(executor),
      folder_(std::move(folder)),
      random_(random),
      log_(std::move(log)),
      options_(std::move(options)),
      tasks_(executor, [this](const std::string&, std::exception_ptr failure) {
        log_.error("redis_supervisor_failed", {{"error", describe(failure)}});
      }) {
  socket_ = redis_socket_path(folder_, "/tmp");
}

RedisProcess::~RedisProcess() = default;

void RedisProcess::spawn() {
  const auto data = fs::absolute(folder_) / "redis";
  std::error_code no_log_yet;
  const auto written = fs::file_size(log_file(), no_log_yet);
  log_begin_ = no_log_yet ? 0 : written;
  process_ = net::Process::spawn(
      executor_, {.argv = {program_,
                           "--port",
                           "0",
                           "--unixsocket",
                           socket_,
                           "--unixsocketperm",
                           "700",
                           "--dir",
                           data.string(),
                           "--appendonly",
                           "yes",
                           "--appendfsync",
                           "always",
                           "--save",
                           "",
                           "--maxmemory-policy",
                           "noeviction",
                           "--daemonize",
                           "no",
                           "--loglevel",
                           "notice",
                           "--logfile",
                           (data / "redis.log").string()},
                  .environment = {fmt::format("PATH={}", kSystemPath), "LANG=C.UTF-8"},
                  .working_directory = data.string(),
                  .die_with_parent = true});
  said_.clear();
  heard_ = false;
  tasks_.spawn("redis stderr", [this, process = process_] { return hear(process); });
}

// What it says before it has opened its log, or a wrapper in its place, is said here.
Task<> RedisProcess::hear(std::shared_ptr<net::Process> process) {
  constexpr std::size_t kKept = 4096;
  for (;;) {
    const auto bytes = co_await process->read_stderr(kKept);
    if (process != process_) co_return;  // of one that was replaced
    if (bytes.empty()) break;
    said_ += bytes;
    if (said_.size() > kKept) said_.erase(0, said_.size() - kKept);
  }
  heard_ = true;
}

// Behind the server's end: what it said last may still be on its way, and a child of its own may
// hold the pipe for good.
Task<> RedisProcess::hear_out() {
  const auto patience = Deadline::in(kHearingTime);
  while (!heard_ && !patience.passed())
    co_await sleep_for(5ms);
}

Task<> RedisProcess::shut_down_left_over() {
  if (!fs::exists(socket_)) co_return;
  net::Redis left_over(executor_, net::parse_redis_url(url()), {.connect_timeout = 1000ms},
                       Log::none(), random_);
  left_over.start();
  bool answered = false;
  try {
    co_await left_over.ready(Deadline::in(1s));
    answered = true;
    log_.warning(
        "redis_left_over",
        {{"msg", "a Redis of an earlier run still serves the data folder; shutting it down"}});
    co_await left_over.command({"SHUTDOWN", "NOSAVE"}, Deadline::in(kStopTime));
  } catch (const Error&) {
    // Nobody there, or gone without an answer, which is what SHUTDOWN does.
  }
  co_await left_over.stop();
  const auto patience =
      Deadline::in(answered ? std::chrono::nanoseconds(kStopTime) : std::chrono::nanoseconds(0));
  while (answered && fs::exists(socket_) && !patience.passed())
    co_await sleep_for(20ms);
  std::error_code ignored;
  fs::remove(socket_, ignored);
}

std::string RedisProcess::log_file() const {
  return (fs::absolute(folder_).lexically_normal() / "redis" / "redis.log").string();
}

RedisEnd RedisProcess::last_end() const {
  // What was written since the server was started, and not more than can be worth reading.
  constexpr std::uintmax_t kTail = 16 * 1024;
  std::error_code error;
  const auto size = fs::file_size(log_file(), error);
  std::string text;
  if (!error && size > log_begin_) {
    std::ifstream file(log_file());
    file.seekg(static_cast<std::streamoff>(std::max(log_begin_, size > kTail ? size - kTail : 0)));
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  const auto space = fs::space(folder_, error);
  return read_redis_end(text, error ? std::uintmax_t{1} << 40 : space.available, said_);
}

Task<> RedisProcess::wait_until_ready() {
  net::Redis probe(executor_, net::parse_redis_url(url()), {.connect_timeout = 1000ms}, Log::none(),
                   random_);
  probe.start();
  const auto patience = Deadline::in(kStartTime);
  std::string trouble = "not started";
  // One that ends again and again, with the same data, will not come up by waiting.
  while (!trouble.empty() && exits_ < kExitsAtStart && !patience.passed()) {
    trouble.clear();
    try {
      co_await probe.ready(patience.sooner_of(100ms));
    } catch (const Error& error) {
      trouble = error.message();
    }
  }
  co_await probe.stop();
  if (trouble.empty()) co_return;
  throw Error(errc::io, why_not_up(trouble));
}

std::string RedisProcess::why_not_up(const std::string& trouble) const {
  const auto end = last_end();
  std::string why = end.error;
  if (why.empty() && exits_ > 0)
    why = last_status_.signal != 0 ? fmt::format("it was ended by signal {}", last_status_.signal)
                                   : fmt::format("it ended with exit code {}", last_status_.code);
  // How to reach a Redis elsewhere plays no part in it.
  if (why.empty()) why = trouble.substr(0, trouble.find("; "));
  std::error_code no_log;
  const bool has_log = options_.folder_stays && fs::exists(log_file(), no_log);
  return fmt::format("the private Redis ({}) did not come up: {}{}{}", program_, why,
                     end.fix.empty() ? "" : "; " + end.fix,
                     has_log ? "; its log is " + log_file() : "");
}

Task<> RedisProcess::start() {
  make_private_folder(folder_);
  make_private_folder(fs::path(folder_) / "redis");
  const auto socket_folder = fs::path(socket_).parent_path();
  make_private_folder(socket_folder);
  require_own_folder(socket_folder);
  program_ = find_redis_server(options_.path);
  co_await shut_down_left_over();
  spawn();
  tasks_.spawn("redis", [this] { return supervise(); });
  std::exception_ptr failure;
  try {
    co_await wait_until_ready();
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  co_await shielded(stop());
  co_await boost::asio::this_coro::throw_if_cancelled(true);
  std::rethrow_exception(failure);
}

Task<> RedisProcess::supervise() {
  std::chrono::nanoseconds pause = 100ms;
  while (!stopping_) {
    const auto begun = BootClock::now();
    const auto status = co_await process_->wait();
    if (stopping_) co_return;
    co_await hear_out();
    if (stopping_) co_return;
    process_->signal_group(SIGKILL);  // what it left behind must not hold socket or pipes
    last_status_ = status;
    if (BootClock::now() - begun > 30s) pause = 100ms;
    ++exits_;
    const auto end = last_end();
    log_.error("redis_exited",
               {{"code", status.code},
                {"signal", status.signal},
                {"cause", end.cause},
                {"error", end.error},
                {"fix", end.fix},
                {"log", log_file()},
                {"restart_in_seconds", std::chrono::duration<double>(pause).count()}});
    for (bool running = false; !running && !stopping_;) {
      co_await sleep_for(pause);
      pause = std::min<std::chrono::nanoseconds>(pause * 2, 5s);
      try {
        spawn();
        running = true;
      } catch (const Error& error) {
        log_.error("redis_start_failed",
                   {{"error", error.message()},
                    {"retry_in_seconds", std::chrono::duration<double>(pause).count()}});
      }
    }
  }
}

Task<> RedisProcess::stop() {
  if (stopping_) co_return;
  stopping_ = true;
  // With appendfsync always there is nothing left to save: SIGTERM ends it cleanly.
  if (process_) co_await process_->terminate(kStopTime);
  co_await tasks_.stop();
  process_.reset();
  // Not the data folder: that is never empty, nor ours to remove.
  std::error_code ignored;
  const auto socket_folder = fs::path(socket_).parent_path();
  if (socket_folder != fs::absolute(folder_).lexically_normal()) fs::remove(socket_folder, ignored);
}

}  // namespace botburrow::cli
