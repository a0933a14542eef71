#pragma once

#include "base/time.hpp"
#include "hub/model_writes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What agents spend, and may.
namespace botburrow::hub {

struct Consumption {
  std::string agent_id;
  std::int64_t tokens_input = 0;
  std::int64_t tokens_output = 0;
  double cost_usd = 0;
  std::string tool_type;
  std::string model;
  double duration_seconds = 0;
  std::string activation_id;
  std::string task_type;
  std::string task_priority;
  bool success = true;
  std::string metadata_json;
  WriteGuard guard;
};

/// Nothing = the default of the settings; 0 = unlimited.
struct AgentBudget {
  std::optional<double> daily_limit_usd;
  std::optional<double> monthly_limit_usd;
  std::optional<std::int64_t> daily_token_limit;
};

struct ToolBudget {
  std::string tool_type;
  double monthly_limit_usd = 0;
  std::int64_t monthly_limit_tokens = 0;
  int reset_day_of_month = 1;
  double warn = 80, throttle = 90, hard = 100;  // per cent
  bool allow_critical_over_limit = true;
};

struct ToolHealth {
  std::string tool_type;
  std::string status;  // healthy, warning, throttle, critical
  double used = 0, limit = 0, used_pct = 0;
  int days_remaining = 0;
  std::string recommendation;  // normal, watch, high_priority_only, stop
};

struct BudgetHealth {
  std::string agent_id;
  double daily_limit = 0, daily_used = 0, monthly_limit = 0, monthly_used = 0;  // USD
  std::int64_t daily_token_limit = 0, daily_tokens_used = 0;
  bool healthy = true;
  std::string status = "healthy";
  std::vector<ToolHealth> tools;
  double total_budget_usd = 0, total_used_usd = 0;
  std::string overall_health = "healthy";
  WallTime cycle_started, cycle_ends;
  int cycle_days_remaining = 0;
};

struct ConsumptionTotal {
  std::string day;  // "" unless grouped by day
  std::int64_t reports = 0, tokens_input = 0, tokens_output = 0;
  double cost_usd = 0;
};

struct ConsumptionQuery {
  std::string agent_id, tool_type;
  std::optional<WallTime> from, to;
  bool by_day = false;
};

}  // namespace botburrow::hub
