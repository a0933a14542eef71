#include "runner/metrics.hpp"

namespace botburrow::runner {

RunnerMetrics::RunnerMetrics(Metrics& m)
    : activations(m.counter("botburrow_activations_total", "Activations finished.",
                            {"agent_id", "task_type", "status"})),
      activations_alias(m.counter("botburrow_activation_total",
                                  "Activations finished, by executor type.",
                                  {"agent_id", "tool_type", "status"})),
      failures(m.counter("botburrow_activation_failures_total",
                         "Activations that failed or timed out.",
                         {"agent_id", "task_type", "reason"})),
      duration(m.histogram("botburrow_activation_duration_seconds", "Time of one activation.",
                           {1, 5, 10, 30, 60, 120, 300, 600}, {"agent_id", "task_type"})),
      in_progress(
          m.gauge("botburrow_activations_in_progress", "Activations running now.", {"runner_id"})),
      info(m.gauge("botburrow_runner_info", "Identity of the runner.",
                   {"runner_id", "mode", "version"})),
      heartbeat(m.gauge("botburrow_runner_heartbeat_timestamp_seconds",
                        "Unix time of the last heartbeat.", {"runner_id"})),
      heartbeat_alias(m.gauge("botburrow_runner_heartbeat",
                              "alias of botburrow_runner_heartbeat_timestamp_seconds",
                              {"runner_id"})),
      slots(m.gauge("botburrow_runner_slots", "Slots of the runner by state.",
                    {"runner_id", "state"})),
      tokens(m.counter("botburrow_tokens_consumed_total", "Tokens of models.",
                       {"agent_id", "model", "direction"})),
      tokens_used(m.untyped("botburrow_tokens_used", "Tokens of models, both directions.",
                            {"agent_id", "model"})),
      tokens_by_tool(m.counter("botburrow_tokens_total", "Tokens of models by executor type.",
                               {"agent_id", "tool_type", "direction"})),
      cost(m.counter("botburrow_activation_cost_usd_total", "Cost of activations in USD.",
                     {"agent_id", "model"})),
      redis_up(m.gauge("botburrow_redis_up", "Whether Redis answers.")),
      hand_backs(m.counter("botburrow_activations_handed_back_total",
                           "Activations given back to the queue.", {"reason"})) {}

}  // namespace botburrow::runner
