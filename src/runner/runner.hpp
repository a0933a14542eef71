#pragma once

#include "agent/activation.hpp"
#include "base/log.hpp"
#include "base/loop_ticks.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "definitions/redis_cache.hpp"
#include "queue/heartbeats.hpp"
#include "queue/work_queue.hpp"
#include "runner/lease_keeper.hpp"
#include "runner/metrics.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace botburrow::net {
class Redis;
}

namespace botburrow::runner {

struct RunnerOptions {
  RunnerId runner_id;
  std::string incarnation;  ///< random for each process start
  queue::RunnerMode mode = queue::RunnerMode::hybrid;
  int slots = 1;  ///< MAX_CONCURRENT_ACTIVATIONS
  std::chrono::milliseconds lease{10'000};
  std::chrono::seconds activation_timeout{600};
  bool metrics_per_agent = true;
  /// How long a Hub that cannot be asked keeps a new runner from claiming.
  std::chrono::milliseconds hub_patience{10'000};
  /// How long a slot waits for an agent's definition before its item goes to another runner.
  std::chrono::milliseconds definition_time{10'000};
  std::chrono::milliseconds outbox_period{
      10'000};  ///< how often reports that were left over are sent
  /// How long to wait for a new generation of a Redis that was rolled back, at a Hub that keeps
  /// none.
  std::chrono::milliseconds rollback_patience{10'000};
};

/// What a runner works with. All outlive it.
struct RunnerParts {
  queue::WorkQueue& queue;
  queue::Heartbeats& heartbeats;
  net::Redis& redis;  ///< asked only whether it is connected
  agent::ActivationServices activation;
  const agent::ActivationSettings& settings;
  definitions::RedisDefinitionCache& cache;
  Random& random;
};

/// Claims work and runs activations, up to `slots` at a time on one thread. Every claim ends in
/// exactly one of complete, hand back, or somebody else's reaping.
class Runner {
 public:
  Runner(boost::asio::any_io_executor executor, RunnerOptions options, RunnerParts parts, Log log,
         Metrics& metrics);
  ~Runner();
  Runner(const Runner&) = delete;

  void start();
  /// Stops claiming at once and lets running activations finish until `grace`; then cancels them
  /// and gives their items back. Returns when nothing is left. Safe to repeat, and without start().
  Task<> drain(std::chrono::nanoseconds grace);
  /// Ends a drain's patience now, or that of one to come.
  void hurry();

  std::optional<std::string> unhealthy() const;
  /// "draining", "redis", "hub_key" (the Hub refuses our key), "hub" (it has not been heard yet, in
  /// the first seconds), or nothing.
  std::optional<std::string> not_ready() const;
  int active() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace botburrow::runner
