#include "agent/budget.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace botburrow::agent {
namespace {

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

Task<> SpendingGuard::reserve(std::int64_t input_estimate, std::int64_t output_max) {
  const llm::Usage most{.input = input_estimate, .output = output_max};
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
    co_return;
  }
  if (answer.refused_by == queue::UsageLimit::daily_tokens) {
    throw Error(errc::budget_exceeded,
                fmt::format("Daily budget exceeded: {} of {} tokens used today (DAILY_TOKEN_LIMIT)",
                            answer.day.tokens, caps_.daily_tokens));
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
