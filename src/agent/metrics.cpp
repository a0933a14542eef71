#include "agent/metrics.hpp"

#include "base/metric_table.hpp"
#include "tools/grant_table.hpp"
#include "tools/toolbox.hpp"

namespace botburrow::agent {

AgentMetrics::AgentMetrics(Metrics& m)
    : tool_calls(tools::tool_call_counter(m)),
      grant_denied(tools::denied_grants(m)),
      budget_used(series_of(m, "botburrow_budget_used_usd")),
      budget_limit(series_of(m, "botburrow_budget_limit_usd")),
      budget_health(series_of(m, "botburrow_budget_health_ratio")),
      budget_reserved(series_of(m, "botburrow_budget_reserved_usd")),
      answers_reused(series_of(m, "botburrow_journal_answers_reused_total")),
      effects_reused(series_of(m, "botburrow_journal_effects_reused_total")) {
  answers_reused.with({});
  effects_reused.with({});
}

}  // namespace botburrow::agent
