#include "agent/budget.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace botburrow::agent {
namespace {

/// The least that `brain.max_tokens` may be.
constexpr std::int64_t kShortestAnswer = 100;

std::int64_t micros(double usd) {
  return std::llround(usd * 1e6);
}

}  // namespace

std::optional<BudgetRefusal> budget_refusal(const hubapi::Budget& budget, queue::TaskType task) {
  if (budget.status == hubapi::BudgetStatus::critical) {
    return BudgetRefusal{.reason = budget.reason()};
  }
  if (budget.status == hubapi::BudgetStatus::throttle && task == queue::TaskType::discovery) {
    return BudgetRefusal{.reason = "Budget throttled: no discovery until it recovers",
                         .all_work = false};
  }
  return std::nullopt;
}

double budget_left_usd(const hubapi::Budget& budget) {
  double left = 0;
  const auto look_at = [&left](double used, double limit) {
    if (limit <= 0) return;
    const double rest = std::max(limit - used, 1e-6);
    left = left > 0 ? std::min(left, rest) : rest;
  };
  look_at(budget.daily_used, budget.daily_limit);
  look_at(budget.monthly_used, budget.monthly_limit);
  return left;
}

std::string budget_line(const hubapi::Budget& budget) {
  std::string text;
  const auto add = [&](const char* name, double used, double limit) {
    if (limit > 0)
      text += fmt::format("{}{}: ${:.2f} of ${:.2f} used", text.empty() ? "Budget: " : "; ", name,
                          used, limit);
  };
  add("today", budget.daily_used, budget.daily_limit);
  add("this month", budget.monthly_used, budget.monthly_limit);
  return text;
}

SpendingGuard::SpendingGuard(queue::AgentState& state, Clock& clock, AgentId agent, BudgetCaps caps,
                             llm::Price price)
    : state_(state), clock_(clock), agent_(std::move(agent)), caps_(caps), price_(price) {}

Task<queue::UsageAnswer> SpendingGuard::charge(llm::Usage most) {
  const queue::Usage amount{.tokens = most.input + most.output,
                            .cost_micros = micros(llm::raw_cost_usd(price_, most))};
  queue::UsageLimits limits;
  if (caps_.daily_tokens > 0) limits.daily_tokens = caps_.daily_tokens;
  if (caps_.monthly_cost_usd > 0) limits.monthly_cost_micros = micros(caps_.monthly_cost_usd);
  const auto at = clock_.wall();
  const auto answer = co_await state_.charge(agent_, amount, limits, at);
  if (answer.granted()) {
    reserved_at_ = at;
    reserved_ = amount;
  }
  co_return answer;
}

// What is reserved is the most that a call can cost, which is far above what it does: an answer
// that may not be as long as the definition allows is better than none until midnight.
Task<std::int64_t> SpendingGuard::reserve(std::int64_t input_estimate, std::int64_t output_max) {
  auto output = output_max;
  auto answer = co_await charge({.input = input_estimate, .output = output});
  if (answer.refused_by == queue::UsageLimit::daily_tokens) {
    const auto left = caps_.daily_tokens - answer.day.tokens - input_estimate;
    if (left >= kShortestAnswer && left < output) {
      output = left;
      answer = co_await charge({.input = input_estimate, .output = output});
    }
  }
  if (!answer.granted()) refuse(answer, input_estimate);
  co_return output;
}

void SpendingGuard::refuse(const queue::UsageAnswer& answer, std::int64_t input_estimate) const {
  if (answer.refused_by == queue::UsageLimit::daily_tokens) {
    throw Error(
        errc::budget_exceeded,
        fmt::format("Daily budget exceeded: {} of {} tokens used today "
                    "(DAILY_TOKEN_LIMIT), and the next call takes {} or more",
                    answer.day.tokens, caps_.daily_tokens, input_estimate + kShortestAnswer));
  }
  throw Error(
      errc::budget_exceeded,
      fmt::format(
          "Monthly budget exceeded: ${:.2f} of ${:.2f} used this month (MONTHLY_COST_LIMIT)",
          static_cast<double>(answer.month.cost_micros) / 1e6, caps_.monthly_cost_usd));
}

Task<> SpendingGuard::settle(llm::Usage used, double cost_usd) {
  if (!reserved_at_) co_return;
  const auto at = *reserved_at_;
  // Cleared first: a settlement whose outcome is unknown is not made twice.
  const queue::Usage difference{.tokens = used.input + used.output - reserved_.tokens,
                                .cost_micros = micros(cost_usd) - reserved_.cost_micros};
  reserved_at_.reset();
  co_await state_.charge(agent_, difference, {}, at);
}

}  // namespace botburrow::agent
