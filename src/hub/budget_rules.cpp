#include "hub/budget_rules.hpp"

#include <algorithm>

namespace botburrow::hub {

BillingCycle billing_cycle(WallTime now, int reset_day) {
  using namespace std::chrono;
  const auto today = floor<days>(now);
  const year_month_day date(today);
  const day start(static_cast<unsigned>(std::clamp(reset_day, 1, 28)));
  year_month month = date.year() / date.month();
  if (date.day() < start) month -= months(1);
  const sys_days from = month / start;
  const sys_days to = (month + months(1)) / start;
  BillingCycle cycle;
  cycle.started = from;
  cycle.ends = to;
  cycle.days_remaining = static_cast<int>((to - today).count());
  cycle.first_day = utc_day(cycle.started);
  return cycle;
}

double used_percent(double used, double limit) {
  return limit > 0 ? 100 * used / limit : 0;
}

std::string_view spending_status(double percent, double warn, double throttle, double hard) {
  if (percent >= hard) return "critical";
  if (percent >= throttle) return "throttle";
  return percent >= warn ? "warning" : "healthy";
}

std::string_view recommendation_for(std::string_view status) {
  if (status == "critical") return "stop";
  if (status == "throttle") return "high_priority_only";
  return status == "warning" ? "watch" : "normal";
}

void judge(BudgetHealth& health) {
  const auto below = [](double used, double limit) { return limit <= 0 || used < limit; };
  const auto tokens = static_cast<double>(health.daily_tokens_used);
  const auto token_limit = static_cast<double>(health.daily_token_limit);
  health.healthy = below(health.daily_used, health.daily_limit) &&
                   below(health.monthly_used, health.monthly_limit) && below(tokens, token_limit);
  const double worst = std::max({used_percent(health.daily_used, health.daily_limit),
                                 used_percent(health.monthly_used, health.monthly_limit),
                                 used_percent(tokens, token_limit)});
  health.status = spending_status(worst);
  health.total_budget_usd = 0;
  health.total_used_usd = 0;
  for (const auto& tool : health.tools) {
    health.total_budget_usd += tool.limit;
    health.total_used_usd += tool.used;
  }
  health.overall_health =
      spending_status(used_percent(health.total_used_usd, health.total_budget_usd));
}

}  // namespace botburrow::hub
