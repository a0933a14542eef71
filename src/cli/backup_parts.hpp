#pragma once
// What `backup` and `restore` have in common.
#include "base/cleanup.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "cli/backup_file.hpp"
#include "cli/locate.hpp"
#include "net/redis.hpp"
#include "queue/census.hpp"

#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace botburrow::cli {

struct Context;
class Output;

inline constexpr std::chrono::seconds kBackupConnectTime{5};
inline constexpr std::chrono::seconds kBackupScriptTime{120};

struct BackupFlags {
  std::string file, hub_database, only;
  bool force = false;
  bool json = false;
};

/// The flags of both commands, --force apart: it means another thing in each.
std::shared_ptr<BackupFlags> add_backup_flags(CLI::App& command);

/// `part`: "redis" or "hub".
bool wants(const BackupFlags& flags, std::string_view part);

/// DATABASE_URL as it is set; empty where it is not.
std::string database_url(const Context& context);

/// DATABASE_URL where it names a file, as the Hub reads it; else empty.
std::string database_of_settings(const Context& context);

std::string data_folder_of(const Context& context, const LocateFlags& flags);

/// Throws usage: what to name or to leave out.
[[noreturn]] void no_database(const char* command);

std::string census_text(const queue::Census& census);

/// What was done, but not quite as it should be.
using Warnings = std::vector<std::string>;

void tell(const Output& out, const BackupFlags& flags, const BackupHeader& header,
          const std::optional<queue::Census>& census, const Warnings& warnings,
          const std::string& closing);

/// Redis for the time of `work`.
template <class Work>
auto with_redis(const std::string& url, Work work) -> decltype(work(std::declval<net::Redis&>())) {
  net::Redis redis(co_await boost::asio::this_coro::executor, net::parse_redis_url(url),
                   {.name = "botburrow-backup",
                    .command_timeout = kBackupScriptTime,
                    .reply_bytes_max = (2ull << 30)},
                   Log::none(), system_random());
  redis.start();
  const auto ready_then_work = [&]() -> decltype(work(redis)) {
    co_await redis.ready(Deadline::in(kBackupConnectTime));
    co_return co_await work(redis);
  };
  co_return co_await with_cleanup(ready_then_work(), [&redis] { return redis.stop(); });
}

}  // namespace botburrow::cli
