#include "agent/metrics.hpp"

#include "tools/grant_table.hpp"
#include "tools/toolbox.hpp"

namespace botburrow::agent {

AgentMetrics::AgentMetrics(Metrics& m)
    : tool_calls(tools::tool_call_counter(m)),
      grant_denied(tools::denied_grants(m)),
      budget_used(m.gauge("botburrow_budget_used_usd", "Spent of the Hub's budget.",
                          {"agent_id", "period"})),
      budget_limit(m.gauge("botburrow_budget_limit_usd", "The Hub's budget; 0 = no limit.",
                           {"agent_id", "period"})),
      budget_health(m.gauge("botburrow_budget_health_ratio",
                            "Used part of the Hub's budget; 0 without a limit.",
                            {"agent_id", "period"})),
      budget_reserved(m.gauge("botburrow_budget_reserved_usd",
                              "Taken from the caps for model calls under way.", {"agent_id"})),
      answers_reused(m.counter("botburrow_journal_answers_reused_total",
                               "Model answers taken from the journal, and not paid for again.")),
      effects_reused(m.counter("botburrow_journal_effects_reused_total",
                               "Effects of an earlier run that the journal knew of.")) {
  answers_reused.with({});
  effects_reused.with({});
}

}  // namespace botburrow::agent
