#pragma once

#include "base/metrics.hpp"

namespace botburrow::queue {

/// Every counter of the room.
struct QueueMetrics {
  explicit QueueMetrics(Metrics& metrics);

  Metrics::Values& enqueued;  ///< botburrow_work_enqueued_total{priority,result}
  Metrics::Values&
      requeued;              ///< botburrow_work_requeued_total{reason}: crash and hand-back reasons
  Metrics::Values& retries;  ///< botburrow_activation_retries_total{agent_id}: again after a crash
  Metrics::Values& dead;     ///< botburrow_work_dead_total: entered the dead letters
  Metrics::Values& invalid;  ///< botburrow_work_invalid_total: unreadable elements
  Metrics::Histograms& wait;  ///< botburrow_queue_wait_seconds{agent_id,priority}
};

}  // namespace botburrow::queue
