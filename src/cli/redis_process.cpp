#include "cli/redis_process.hpp"

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/json.hpp"
#include "net/redis.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

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

RedisProcess::RedisProcess(boost::asio::any_io_executor executor, std::string folder,
                           Random& random, Log log)
    : executor_(executor),
      folder_(std::move(folder)),
      random_(random),
      log_(std::move(log)),
      tasks_(executor, [this](const std::string&, std::exception_ptr failure) {
        log_.error("redis_supervisor_failed", {{"error", describe(failure)}});
      }) {
  socket_ = redis_socket_path(folder_, "/tmp");
}

RedisProcess::~RedisProcess() = default;

void RedisProcess::spawn() {
  const auto data = fs::absolute(folder_) / "redis";
  process_ = net::Process::spawn(
      executor_, {.argv = {"redis-server",
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
                  .environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"},
                  .working_directory = data.string(),
                  .die_with_parent = true});
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

std::string RedisProcess::log_tail() const {
  std::ifstream file(fs::path(folder_) / "redis" / "redis.log");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  return valid_utf8(text.size() > 600 ? std::string_view(text).substr(text.size() - 600)
                                      : std::string_view(text));
}

Task<> RedisProcess::wait_until_ready() {
  net::Redis probe(executor_, net::parse_redis_url(url()), {.connect_timeout = 1000ms}, Log::none(),
                   random_);
  probe.start();
  std::string trouble;
  try {
    co_await probe.ready(Deadline::in(kStartTime));
  } catch (const Error& error) {
    trouble = error.message();
  }
  co_await probe.stop();
  if (trouble.empty()) co_return;
  throw Error(errc::io, fmt::format("the private Redis did not come up: {}; the end of its log: {}",
                                    trouble, log_tail()));
}

Task<> RedisProcess::start() {
  make_private_folder(folder_);
  make_private_folder(fs::path(folder_) / "redis");
  const auto socket_folder = fs::path(socket_).parent_path();
  make_private_folder(socket_folder);
  require_own_folder(socket_folder);
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
    if (BootClock::now() - begun > 30s) pause = 100ms;
    log_.error("redis_exited",
               {{"code", status.code},
                {"signal", status.signal},
                {"restart_in_seconds", std::chrono::duration<double>(pause).count()}});
    co_await sleep_for(pause);
    pause = std::min<std::chrono::nanoseconds>(pause * 2, 5s);
    try {
      spawn();
    } catch (const Error& error) {
      log_.error("redis_start_failed", {{"error", error.message()}});
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
