#pragma once

#include "base/metrics.hpp"

namespace botburrow::runner {

/// Every series of a runner. Label `agent_id` is `_other` where METRICS_PER_AGENT is off.
struct RunnerMetrics {
  explicit RunnerMetrics(Metrics& metrics);

  Metrics::Values& activations;        ///< botburrow_activations_total{agent_id,task_type,status}
  Metrics::Values& activations_alias;  ///< botburrow_activation_total{agent_id,tool_type,status}
  Metrics::Values& failures;  ///< botburrow_activation_failures_total{agent_id,task_type,reason}
  Metrics::Histograms& duration;     ///< botburrow_activation_duration_seconds{agent_id,task_type}
  Metrics::Values& in_progress;      ///< botburrow_activations_in_progress{runner_id}
  Metrics::Values& info;             ///< botburrow_runner_info{runner_id,mode,version}
  Metrics::Values& heartbeat;        ///< botburrow_runner_heartbeat_timestamp_seconds{runner_id}
  Metrics::Values& heartbeat_alias;  ///< botburrow_runner_heartbeat{runner_id}
  Metrics::Values& slots;            ///< botburrow_runner_slots{runner_id,state}
  Metrics::Values& tokens;           ///< botburrow_tokens_consumed_total{agent_id,model,direction}
  Metrics::Values& tokens_used;      ///< botburrow_tokens_used{agent_id,model}
  Metrics::Values& tokens_by_tool;   ///< botburrow_tokens_total{agent_id,tool_type,direction}
  Metrics::Values& cost;             ///< botburrow_activation_cost_usd_total{agent_id,model}
  Metrics::Values& redis_up;         ///< botburrow_redis_up
  Metrics::Values& hand_backs;       ///< botburrow_activations_handed_back_total{reason}
};

}  // namespace botburrow::runner
