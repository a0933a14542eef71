#include "runner/metrics.hpp"

#include "base/metric_table.hpp"
#include "queue/work_queue.hpp"

namespace botburrow::runner {

RunnerMetrics::RunnerMetrics(Metrics& m)
    : activations(series_of(m, "botburrow_activations_total")),
      activations_alias(series_of(m, "botburrow_activation_total")),
      failures(series_of(m, "botburrow_activation_failures_total")),
      duration(histogram_of(m, "botburrow_activation_duration_seconds")),
      in_progress(series_of(m, "botburrow_activations_in_progress")),
      info(series_of(m, "botburrow_runner_info")),
      heartbeat(series_of(m, "botburrow_runner_heartbeat_timestamp_seconds")),
      heartbeat_alias(series_of(m, "botburrow_runner_heartbeat")),
      slots(series_of(m, "botburrow_runner_slots")),
      tokens(series_of(m, "botburrow_tokens_consumed_total")),
      tokens_used(series_of(m, "botburrow_tokens_used")),
      tokens_by_tool(series_of(m, "botburrow_tokens_total")),
      cost(series_of(m, "botburrow_activation_cost_usd_total")),
      redis_up(series_of(m, "botburrow_redis_up")),
      hand_backs(series_of(m, "botburrow_activations_handed_back_total")) {
  // From the start at 0: rate() does not see a series' first step.
  using enum queue::HandBackReason;
  for (const auto reason : {drain, fenced, no_executor, hub_away})
    hand_backs.with({std::string(queue::name_of(reason))});
  hand_backs.with({"lost"});
}

}  // namespace botburrow::runner
