#include "runner/agent_series.hpp"

#include "base/metric_table.hpp"

#include <vector>

namespace botburrow::runner {
namespace {

/// Somebody holds a reference to its series while an activation runs, however long that takes.
constexpr std::string_view kHeld = "botburrow_budget_reserved_usd";

bool tells_budget(const MetricSpec& spec) {
  return spec.name.starts_with("botburrow_budget_");
}

bool is_of_agents(const MetricSpec& spec) {
  return !spec.labels.empty() && spec.labels.front() == "agent_id" &&
         is_exposed_by(spec, "runner") && spec.name != kHeld;
}

template <class Family>
void erase(Family& family, const std::string& agent) {
  std::vector<typename Family::Labels> gone;
  for (auto at = family.series().lower_bound({agent});
       at != family.series().end() && at->first.front() == agent; ++at)
    gone.push_back(at->first);
  for (const auto& labels : gone)
    family.erase(labels);
}

void erase(Metrics& metrics, const std::string& agent, bool budget_only) {
  for (const auto& section : metric_sections()) {
    for (const auto& spec : section.metrics) {
      // Errors of a definition are the catalog's, which knows when there are none any more.
      if (!is_of_agents(spec) || spec.name == "botburrow_definition_errors") continue;
      if (budget_only && !tells_budget(spec)) continue;
      if (spec.kind == MetricKind::histogram)
        erase(histogram_of(metrics, spec.name), agent);
      else
        erase(series_of(metrics, spec.name), agent);
    }
  }
}

}  // namespace

void AgentSeries::forget_unseen(Instant now) {
  for (auto at = seen_.begin(); at != seen_.end();) {
    auto& [agent, seen] = *at;
    const bool gone = now - seen.at >= kLife;
    if (gone || (!seen.budget_gone && now - seen.at >= kBudgetLife)) {
      erase(metrics_, agent, !gone);
      seen.budget_gone = true;
    }
    at = gone ? seen_.erase(at) : std::next(at);
  }
}

}  // namespace botburrow::runner
