#pragma once

#include "base/metrics.hpp"
#include "base/time.hpp"

#include <chrono>
#include <map>
#include <string>

namespace botburrow::runner {

/// Lets series of agents end that did not run here for long: what a runner heard of an agent's
/// budget after an hour, or an alert would go on about an agent that another runner has heard
/// better of since; all else after a day, so that agents that are gone do not stay for ever.
class AgentSeries {
 public:
  static constexpr std::chrono::hours kBudgetLife{1};
  static constexpr std::chrono::hours kLife{24};

  /// `metrics` outlives it.
  explicit AgentSeries(Metrics& metrics) : metrics_(metrics) {}
  void saw(const std::string& agent, Instant now) { seen_[agent] = {.at = now}; }
  void forget_unseen(Instant now);

 private:
  struct Seen {
    Instant at;
    bool budget_gone = false;
  };
  Metrics& metrics_;
  std::map<std::string, Seen> seen_;
};

}  // namespace botburrow::runner
