#pragma once

#include "base/metrics.hpp"

namespace botburrow::agent {

/// Every series of activations. Made once by whoever will run some, so that all names are there
/// with zero before the first one: a rate needs two values, and an alert a name.
struct AgentMetrics {
  explicit AgentMetrics(Metrics& metrics);

  Metrics::Values& tool_calls;       ///< botburrow_tool_calls_total{tool,outcome}
  Metrics::Values& grant_denied;     ///< botburrow_grant_denied_total{grant}
  Metrics::Values& budget_used;      ///< botburrow_budget_used_usd{agent_id,period}
  Metrics::Values& budget_limit;     ///< botburrow_budget_limit_usd{agent_id,period}
  Metrics::Values& budget_health;    ///< botburrow_budget_health_ratio{agent_id,period}
  Metrics::Values& budget_reserved;  ///< botburrow_budget_reserved_usd{agent_id}
  Metrics::Values& answers_reused;   ///< botburrow_journal_answers_reused_total
  Metrics::Values& effects_reused;   ///< botburrow_journal_effects_reused_total
};

}  // namespace botburrow::agent
