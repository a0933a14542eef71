#include "queue/metrics.hpp"

#include "base/metric_table.hpp"

namespace botburrow::queue {

QueueMetrics::QueueMetrics(Metrics& metrics)
    : enqueued(series_of(metrics, "botburrow_work_enqueued_total")),
      requeued(series_of(metrics, "botburrow_work_requeued_total")),
      retries(series_of(metrics, "botburrow_activation_retries_total")),
      dead(series_of(metrics, "botburrow_work_dead_total")),
      invalid(series_of(metrics, "botburrow_work_invalid_total")),
      wait(histogram_of(metrics, "botburrow_queue_wait_seconds")) {}

}  // namespace botburrow::queue
