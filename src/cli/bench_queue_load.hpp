#pragma once

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "net/redis.hpp"
#include "queue/redis_work_queue.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::cli {

/// One thing that `bench queue` measures.
struct QueueRow {
  enum class Kind {
    enqueue,  ///< `width` producers at once, `batch` items a call
    drain,    ///< `width` workers claim, complete and claim the next, until nothing is left
    pick_up,  ///< from the call that enqueues until an idle runner holds the item
  };
  std::string_view name;  ///< a contract with harnesses
  Kind kind;
  int width = 1;
  int batch = 1;
  /// Share of --items: the slow rows need fewer for an answer.
  double share = 1;
};
const std::vector<QueueRow>& queue_rows();

/// What one round of a row took.
struct RowFigures {
  std::int64_t items = 0;
  double seconds = 0;
  double cpu_seconds = 0;        ///< of this process
  double redis_cpu_seconds = 0;  ///< of the server
  double bytes_an_item = 0;      ///< of the server's memory; 0 where the row does not fill a queue
  std::vector<double> waits_us;  ///< pick_up only, one an item
  double per_second() const { return seconds > 0 ? static_cast<double>(items) / seconds : 0; }
};

/// Loads one Redis through what a runner and a coordinator use: RedisWorkQueue over net::Redis,
/// with its log and metrics.
///
/// The data are its own: the database must hold no keys of ours (find_foreign_key), everything is
/// made under a generation that names this load, and remove_all() takes away what it made and
/// nothing else.
class QueueLoad {
 public:
  QueueLoad(boost::asio::any_io_executor executor, net::RedisAddress address, Log log,
            Random& random);
  Task<> start();
  Task<> stop();

  /// A key of Botburrow in the database, or nothing.
  Task<std::optional<std::string>> find_foreign_key();
  /// FLUSHDB.
  Task<> flush();
  /// Claims become possible. Throws Error{already_exists} if the database is in use after all.
  Task<> begin();
  /// Removes what the load made. Throws Error{already_exists}, removing nothing, if the generation
  /// is no longer the load's: somebody else works there.
  Task<> remove_all();

  /// One round of `row` with `items` items, from an empty queue and back to one.
  Task<RowFigures> round(QueueRow row, std::int64_t items);
  const std::string& server() const { return server_; }

 private:
  Task<> fill(std::int64_t items, int producers, int batch);
  Task<> produce(std::int64_t& next, std::int64_t items, int batch);
  Task<> drain(std::int64_t items, int workers);
  Task<> work(std::int64_t& done);
  Task<> pick_up(std::int64_t items, std::vector<double>& waits_us);
  Task<> enqueue_one(std::int64_t number);
  queue::ClaimRequest claim_request();
  struct ServerUse {
    double cpu_seconds = 0;
    double used_memory = 0;
  };
  Task<ServerUse> server_use();
  Task<> together(int count, std::function<Task<>(int)> body);

  boost::asio::any_io_executor executor_;
  Random& random_;
  std::string mark_;
  std::string server_;
  Metrics metrics_;
  net::Redis commands_;
  net::Redis waits_;
  queue::RedisWorkQueue queue_;
};

}  // namespace botburrow::cli
