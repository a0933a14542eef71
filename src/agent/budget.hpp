#pragma once

#include "base/task.hpp"
#include "base/time.hpp"
#include "hubapi/types.hpp"
#include "llm/model.hpp"
#include "llm/prices.hpp"
#include "queue/agent_state.hpp"
#include "queue/work_item.hpp"

#include <optional>
#include <string>

namespace botburrow::agent {

/// Local caps of every agent, in addition to the Hub's budget. 0 = none.
struct BudgetCaps {
  std::int64_t daily_tokens = 0;  ///< DAILY_TOKEN_LIMIT, per UTC day
  double monthly_cost_usd = 0;    ///< MONTHLY_COST_LIMIT, per UTC month
};

/// Why the Hub's budget forbids work now.
struct BudgetRefusal {
  std::string reason;
  bool all_work = true;  ///< false: discovery alone, an inbox may be answered
};
/// Critical forbids everything, throttle discovery; otherwise nothing.
std::optional<BudgetRefusal> budget_refusal(const hubapi::Budget& budget, queue::TaskType task);

/// The line of the prompt that tells an agent how much is left; empty without limits.
std::string budget_line(const hubapi::Budget& budget);

/// What is left of the tighter limit in USD, never quite nothing; 0 without limits.
double budget_left_usd(const hubapi::Budget& budget);

/// Takes the most a model call can cost from the local caps before it is made, and settles with
/// what it did cost. A crash in between keeps the reservation: caps are never exceeded.
class SpendingGuard {
 public:
  SpendingGuard(queue::AgentState& state, Clock& clock, AgentId agent, BudgetCaps caps,
                llm::Price price);
  /// How long the answer may be: `output_max`, or what is left of the day's tokens where that is
  /// less and enough for an answer. Throws Error{budget_exceeded} with the words of results, e.g.
  /// "Daily budget exceeded".
  Task<std::int64_t> reserve(std::int64_t input_estimate, std::int64_t output_max);
  /// After the call; nothing reserved, nothing done.
  Task<> settle(llm::Usage used, double cost_usd);

 private:
  Task<queue::UsageAnswer> charge(llm::Usage most);
  [[noreturn]] void refuse(const queue::UsageAnswer& answer, std::int64_t input_estimate) const;

  queue::AgentState& state_;
  Clock& clock_;
  AgentId agent_;
  BudgetCaps caps_;
  llm::Price price_;
  std::optional<WallTime> reserved_at_;
  queue::Usage reserved_;
};

}  // namespace botburrow::agent
