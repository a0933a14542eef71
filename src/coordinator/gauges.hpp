#pragma once

#include "base/log.hpp"
#include "base/loop_ticks.hpp"
#include "base/metrics.hpp"
#include "base/task.hpp"
#include "queue/heartbeats.hpp"
#include "queue/operator_view.hpp"

#include <string>

namespace botburrow::coordinator {

/// What only the leader exports: depths, ages, who works, who is held off. Refreshed every 15 s;
/// clear() when leadership ends, so that sums over replicas count once.
class Gauges {
 public:
  Gauges(Metrics& metrics, queue::OperatorView& view, queue::Heartbeats& heartbeats, Clock& clock,
         LoopTicks& ticks, std::string instance_id, Log log);
  /// Runs until cancelled. Logs `coordinator_stats` each minute.
  Task<> loop();
  void clear();

 private:
  Task<> refresh();
  void show(const queue::QueueSnapshot& snapshot, std::size_t runners);
  void log_stats(const queue::QueueSnapshot& snapshot, std::size_t runners);

  queue::OperatorView& view_;
  queue::Heartbeats& heartbeats_;
  Clock& clock_;
  LoopTicks& ticks_;
  std::string instance_id_;
  Log log_;
  LogThrottle stats_;
  LogThrottle trouble_;
  Metrics::Values& depth_;
  Metrics::Values& depth_alias_;
  Metrics::Values& oldest_;
  Metrics::Values& active_;
  Metrics::Values& active_alias_;
  Metrics::Values& backoff_;
  Metrics::Values& backoff_left_;
  Metrics::Values& in_backoff_;
  Metrics::Values& runners_;
  Metrics::Values& dead_;
  Metrics::Values& deferred_;
};

}  // namespace botburrow::coordinator
