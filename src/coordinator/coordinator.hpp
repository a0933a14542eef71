#pragma once

#include "base/log.hpp"
#include "base/loop_ticks.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "coordinator/hub_poll.hpp"
#include "definitions/catalog.hpp"
#include "definitions/redis_cache.hpp"
#include "queue/election.hpp"
#include "queue/heartbeats.hpp"
#include "queue/operator_view.hpp"
#include "queue/work_queue.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace botburrow::coordinator {

struct CoordinatorOptions {
  std::string instance_id;
  std::chrono::milliseconds leader_lease{6000};
  int crash_attempts_max = 3;
  HubPollOptions poll;
};

/// What a coordinator works with. All outlive it.
struct CoordinatorParts {
  net::Redis& redis;
  queue::Election& election;
  queue::WorkQueue& queue;
  queue::OperatorView& view;
  queue::Heartbeats& heartbeats;
  hubapi::HubClient& hub;
  Clock& clock;
  Random& random;
  definitions::DefinitionCatalog* catalog = nullptr;  ///< who looks around, and the pre-warmed
                                                      ///< cache; may be null
  definitions::RedisDefinitionCache* cache = nullptr;
};

/// One of several replicas, of which one leads and acts: polls the Hub, fills the queue, reaps,
/// sweeps, exports. A follower leaves the queue alone and asks the Hub only whether it takes its
/// key: a leader whose key is refused, or who cannot reach the Hub, gives way to one who can. Trust
/// in leadership ends on this process's own clock before another replica can take over.
class Coordinator {
 public:
  Coordinator(boost::asio::any_io_executor executor, CoordinatorOptions options,
              CoordinatorParts parts, Log log, Metrics& metrics);
  ~Coordinator();
  Coordinator(const Coordinator&) = delete;

  void start();
  /// Ends a term at once and releases it, so that another replica takes over without waiting. Safe
  /// to repeat, and without start().
  Task<> stop();
  /// Waits until this replica leads.
  Task<> until_leader();
  /// In place of start(): waits for leadership, `patience` at most, and looks once at everything.
  /// stop() gives leadership back. Throws Error{timeout} naming who leads instead, and what Redis
  /// and the Hub throw when they are away, or when leadership ended meanwhile.
  Task<PollCounts> once(std::chrono::nanoseconds patience);

  bool is_leader() const;
  /// How this replica last asked the Hub; nothing while it does not lead.
  std::optional<PollOutcome> last_poll() const;
  std::optional<std::string> unhealthy() const;
  std::optional<std::string> not_ready() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace botburrow::coordinator
