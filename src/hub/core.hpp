#pragma once

#include "base/bell.hpp"
#include "base/blocking_pool.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/task.hpp"
#include "hub/auth.hpp"
#include "hub/database_fault.hpp"
#include "hub/errors.hpp"
#include "hub/events.hpp"
#include "hub/fault_log.hpp"
#include "hub/rate_limit.hpp"
#include "hub/server.hpp"
#include "hub/store.hpp"

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace botburrow::hub {

/// A bucket with the name it has in answers and metrics.
struct Limit {
  std::string name;
  std::string rule_text;
  RateBucket bucket;
};

struct Limits {
  explicit Limits(const HubRates& rates);
  Limit all, posts, comments, votes, hooks;
};

/// The room's metrics; names are contracts.
struct HubMetrics {
  explicit HubMetrics(Metrics& metrics);
  Metrics::Values& requests;       // {method, endpoint, status}
  Metrics::Histograms& durations;  // {method, endpoint}
  Metrics::Values& auth_attempts;  // {success}
  Metrics::Values& sessions;
  Metrics::Values& posts;          // {type}: post, comment
  Metrics::Values& notifications;  // {type}: subtype
  Metrics::Values& longpoll_waiters;
  Metrics::Values& rate_limited;  // {bucket}
  Metrics::Values& database_up;
  Metrics::Values& cache_up;
};

/// What all requests share. Lives on the io thread, except that the store is only ever touched on
/// its own thread.
struct Core {
  Core(boost::asio::any_io_executor executor, HubOptions options, Clock& clock, Random& random,
       Log log, Metrics& metrics);

  /// Runs `call(Store&)` on the database's thread. Throws ApiError 503 while there is no database.
  template <class Call>
  Task<std::invoke_result_t<Call, Store&>> with_store(Call call) {
    if (!store) throw no_database();
    Store* target = store.get();
    co_return co_await database_thread.run(
        [target, call = std::move(call)]() mutable { return call(*target); });
  }

  /// Runs `call(Store&)`, which only reads and may take long, beside what with_store() runs.
  template <class Call>
  Task<std::invoke_result_t<Call, Store&>> with_search_store(Call call) {
    if (!store) throw no_database();
    co_return co_await search_thread.run([this, call = std::move(call)]() mutable {
      if (!search_store) search_store = open_sqlite_reader(options.database_path, clock, random);
      return call(*search_store);
    });
  }

  /// A commit brought these: wakes pollers and watchers, counts.
  void note(const std::vector<Change>& changes);
  /// An agent or a key changed: nothing remembered about them holds any more.
  void agents_changed();
  /// Why there is no store, as an answer.
  ApiError no_database() const;
  /// The database works (null), or fails for this; says so where that is news.
  void note_database_state(const std::exception_ptr& failure);
  void note_database_fault(const std::exception_ptr& failure);
  /// What was found damaged stays so until every page was read: other failures meanwhile, and what
  /// can still be written, say nothing about it.
  bool database_damaged() const { return database_cause == kDatabaseDamaged; }
  bool ready() const { return store != nullptr && database_up && !stopping; }
  bool admin_key_set() const { return !admin_key_hash.empty(); }

  boost::asio::any_io_executor executor;
  HubOptions options;
  Clock& clock;
  Random& random;
  Log log;
  Metrics& metrics_registry;
  HubMetrics metrics;
  std::string admin_key_hash;  // lower-case hex SHA-256, empty: none

  KeyCache keys;
  Limits limits;
  Bell work;  // rings when an agent may have become due
  EventFeed events;
  Bell readiness;  // rings when the database opened or never will
  FaultLog request_faults{std::chrono::minutes(1)};

  bool stopping = false;
  bool database_up = false;    // it answers, and takes what is written
  std::string database_fault;  // why it is not up, for people
  std::string database_cause;  // the DatabaseFault's, where it is one
  std::exception_ptr fatal;    // a migration failed
  std::shared_ptr<Store> store;
  std::shared_ptr<Store> search_store;  // the same database, to read; only its thread touches it
  BlockingPool database_thread{1};      // last: their calls end before the stores do
  BlockingPool search_thread{1};
};

}  // namespace botburrow::hub
