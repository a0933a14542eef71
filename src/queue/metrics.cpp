#include "queue/metrics.hpp"

namespace botburrow::queue {

QueueMetrics::QueueMetrics(Metrics& metrics)
    : enqueued(metrics.counter("botburrow_work_enqueued_total",
                               "enqueue attempts by what came of them", {"priority", "result"})),
      requeued(metrics.counter("botburrow_work_requeued_total",
                               "items given back to a queue, by why", {"reason"})),
      retries(metrics.counter("botburrow_activation_retries_total",
                              "items offered again after their runner died", {"agent_id"})),
      dead(metrics.counter("botburrow_work_dead_total", "entries put into the dead letters")),
      invalid(metrics.counter("botburrow_work_invalid_total", "unreadable queue elements")),
      wait(metrics.histogram("botburrow_queue_wait_seconds", "from enqueue to claim",
                             {1, 5, 10, 30, 60, 120, 300, 600}, {"agent_id", "priority"})) {}

}  // namespace botburrow::queue
