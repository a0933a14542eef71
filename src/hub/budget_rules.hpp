#pragma once

#include "base/time.hpp"
#include "hub/model_budgets.hpp"

#include <string>
#include <string_view>

namespace botburrow::hub {

/// A month of spending, in UTC.
struct BillingCycle {
  WallTime started;
  WallTime ends;
  int days_remaining = 0;  // today counts
  std::string first_day;   // 2026-02-01
};

/// The month that holds `now` and begins on `reset_day` (1 to 28; others are brought into that
/// range).
BillingCycle billing_cycle(WallTime now, int reset_day);

/// In per cent; 0 where there is no limit.
double used_percent(double used, double limit);

/// healthy, warning, throttle or critical at 80, 90 and 100 per cent, or the tool's own marks.
std::string_view spending_status(double percent, double warn = 80, double throttle = 90,
                                 double hard = 100);
/// normal, watch, high_priority_only or stop.
std::string_view recommendation_for(std::string_view status);

/// Fills healthy, status, tools' and collective states from limits and use.
void judge(BudgetHealth& health);

}  // namespace botburrow::hub
