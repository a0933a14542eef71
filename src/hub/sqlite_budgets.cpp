#include "hub/budget_rules.hpp"
#include "hub/sqlite_store.hpp"
#include "hub/text.hpp"

#include <fmt/format.h>

#include <cmath>

namespace botburrow::hub {
namespace {

constexpr std::chrono::seconds kActivatedAlready{60};
constexpr double kMicros = 1e6;

struct Use {
  double cost_usd = 0;
  std::int64_t tokens = 0;
};

Use read_use(Sql& row) {
  Use use;
  if (!row.row()) return use;
  use.cost_usd = static_cast<double>(row.integer()) / kMicros;
  use.tokens = row.integer();
  return use;
}

Use agent_use(Database& db, std::string_view agent, std::string_view from_day,
              std::string_view to_day) {
  Sql row(db,
          "SELECT total(cost_micros), total(tokens_input + tokens_output) "
          "FROM consumption_daily WHERE agent_id = ?1 AND day BETWEEN ?2 AND ?3",
          agent, from_day, to_day);
  return read_use(row);
}

Use tool_use(Database& db, std::string_view tool, std::string_view from_day,
             std::string_view to_day) {
  Sql row(db,
          "SELECT total(cost_micros), total(tokens_input + tokens_output) "
          "FROM consumption_daily WHERE tool_type = ?1 AND day BETWEEN ?2 AND ?3",
          tool, from_day, to_day);
  return read_use(row);
}

ToolBudget read_tool(Sql& row) {
  ToolBudget tool;
  tool.tool_type = row.text();
  tool.monthly_limit_usd = row.real();
  tool.monthly_limit_tokens = row.integer();
  tool.reset_day_of_month = static_cast<int>(row.integer());
  tool.warn = row.real();
  tool.throttle = row.real();
  tool.hard = row.real();
  tool.allow_critical_over_limit = row.flag();
  return tool;
}

constexpr std::string_view kToolColumns =
    "SELECT tool_type, monthly_limit_usd, monthly_limit_tokens, reset_day_of_month, warn, "
    "throttle, hard, "
    "allow_critical_over_limit FROM tool_budgets ";

ToolHealth health_of(const ToolBudget& tool, const Use& use, int days_remaining) {
  ToolHealth health;
  health.tool_type = tool.tool_type;
  health.used = use.cost_usd;
  health.limit = tool.monthly_limit_usd;
  health.used_pct = std::max(used_percent(use.cost_usd, tool.monthly_limit_usd),
                             used_percent(static_cast<double>(use.tokens),
                                          static_cast<double>(tool.monthly_limit_tokens)));
  health.days_remaining = days_remaining;
  health.status = spending_status(health.used_pct, tool.warn, tool.throttle, tool.hard);
  health.recommendation = recommendation_for(health.status);
  return health;
}

}  // namespace

BudgetHealth SqliteStore::budget_health(std::string_view agent_id) {
  BudgetHealth health;
  const std::string today = utc_day(now());
  const BillingCycle month = billing_cycle(now(), 1);
  health.cycle_started = month.started;
  health.cycle_ends = month.ends;
  health.cycle_days_remaining = month.days_remaining;
  if (!agent_id.empty()) {
    health.agent_id = std::string(agent_id);
    const AgentBudget budget = agent_budget(agent_id);
    health.daily_limit = budget.daily_limit_usd.value_or(options_.default_daily_usd);
    health.monthly_limit = budget.monthly_limit_usd.value_or(options_.default_monthly_usd);
    health.daily_token_limit = budget.daily_token_limit.value_or(options_.default_daily_tokens);
    const Use day = agent_use(db_, agent_id, today, today);
    health.daily_used = day.cost_usd;
    health.daily_tokens_used = day.tokens;
    health.monthly_used = agent_use(db_, agent_id, month.first_day, today).cost_usd;
  }
  Sql tools(db_, fmt::format("{} ORDER BY tool_type", kToolColumns));
  while (tools.row()) {
    const ToolBudget tool = read_tool(tools);
    const BillingCycle cycle = billing_cycle(now(), tool.reset_day_of_month);
    health.tools.push_back(health_of(tool, tool_use(db_, tool.tool_type, cycle.first_day, today),
                                     cycle.days_remaining));
  }
  judge(health);
  return health;
}

WriteResult SqliteStore::record_consumption(const Consumption& spent) {
  WriteGuard guard = spent.guard;
  guard.fence.reset();  // a stale run's tokens were spent too
  const Guarded call{
      .actor = spent.agent_id,
      .guard = guard,
      .content_hash =
          !spent.activation_id.empty()
              ? std::string()
              : hash_of({"consumption", fmt::format("{}", spent.tokens_input),
                         fmt::format("{}", spent.tokens_output), fmt::format("{}", spent.cost_usd),
                         spent.tool_type, spent.model, fmt::format("{}", spent.duration_seconds),
                         spent.task_type}),
      .content_window = std::chrono::seconds(30)};
  return guarded(call, [&] {
    json::object body;
    body["success"] = true;
    body["status"] = "ok";
    const auto agent = agent_by_id(spent.agent_id);
    if (!agent)
      return refusal(WriteKind::not_found, fmt::format("agent {} does not exist", spent.agent_id),
                     "agent_id");
    const auto micros = static_cast<std::int64_t>(std::llround(spent.cost_usd * kMicros));
    const auto added =
        Sql(db_,
            "INSERT OR IGNORE INTO consumption_events(timestamp, agent_id, tool_type, model, "
            "tokens_input, tokens_output, cost_micros, duration_seconds, activation_id, task_type, "
            "task_priority, success, metadata) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            now(), spent.agent_id, spent.tool_type, or_null(spent.model), spent.tokens_input,
            spent.tokens_output, micros, spent.duration_seconds, or_null(spent.activation_id),
            or_null(spent.task_type), or_null(spent.task_priority), spent.success,
            or_null(spent.metadata_json))
            .run();
    if (added == 0) {
      WriteResult known = done(200, body);
      known.kind = WriteKind::replayed;
      return known;
    }
    Sql(db_,
        "INSERT INTO consumption_daily(agent_id, tool_type, day, reports, tokens_input, "
        "tokens_output, cost_micros) "
        "VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6) ON CONFLICT (agent_id, day, tool_type) DO UPDATE SET "
        "reports = reports + 1, tokens_input = tokens_input + excluded.tokens_input, "
        "tokens_output = tokens_output + excluded.tokens_output, cost_micros = cost_micros + "
        "excluded.cost_micros",
        spent.agent_id, spent.tool_type, utc_day(now()), spent.tokens_input, spent.tokens_output,
        micros)
        .run();
    const auto last = agent->last_activated_at;
    const bool stamped = last && *last <= now() && now() - *last <= kActivatedAlready;
    if (!stamped) stamp_activated(agent->id);
    return done(200, body);
  });
}

AgentBudget SqliteStore::agent_budget(std::string_view agent_id) {
  Sql row(db_,
          "SELECT daily_limit_usd, monthly_limit_usd, daily_token_limit FROM agent_budgets WHERE "
          "agent_id = ?1",
          agent_id);
  AgentBudget budget;
  if (!row.row()) return budget;
  budget.daily_limit_usd = row.maybe_real();
  budget.monthly_limit_usd = row.maybe_real();
  budget.daily_token_limit = row.maybe_integer();
  return budget;
}

void SqliteStore::set_agent_budget(std::string_view agent_id, const AgentBudget& budget) {
  Sql(db_,
      "INSERT OR REPLACE INTO agent_budgets(agent_id, daily_limit_usd, monthly_limit_usd, "
      "daily_token_limit) "
      "VALUES (?1, ?2, ?3, ?4)",
      agent_id, budget.daily_limit_usd, budget.monthly_limit_usd, budget.daily_token_limit)
      .run();
}

std::optional<ToolBudget> SqliteStore::tool_budget(std::string_view tool_type) {
  Sql row(db_, fmt::format("{} WHERE tool_type = ?1", kToolColumns), tool_type);
  if (!row.row()) return std::nullopt;
  return read_tool(row);
}

void SqliteStore::set_tool_budget(const ToolBudget& budget) {
  Sql(db_,
      "INSERT OR REPLACE INTO tool_budgets(tool_type, monthly_limit_usd, monthly_limit_tokens, "
      "reset_day_of_month, "
      "warn, throttle, hard, allow_critical_over_limit) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
      budget.tool_type, budget.monthly_limit_usd, budget.monthly_limit_tokens,
      budget.reset_day_of_month, budget.warn, budget.throttle, budget.hard,
      budget.allow_critical_over_limit)
      .run();
}

std::vector<ConsumptionTotal> SqliteStore::consumption(const ConsumptionQuery& query) {
  // Whole days: totals come from the daily sums.
  const std::string from = query.from ? utc_day(*query.from) : std::string();
  const std::string to = query.to ? utc_day(*query.to) : "9999-12-31";
  Sql rows(
      db_,
      fmt::format(
          "SELECT {}, total(reports), total(tokens_input), "
          "total(tokens_output), total(cost_micros) FROM consumption_daily "
          "WHERE (?1 = '' OR agent_id = ?1) AND (?2 = '' OR tool_type = ?2) AND day BETWEEN ?3 AND "
          "?4 {}",
          query.by_day ? "day" : "''", query.by_day ? "GROUP BY day ORDER BY day LIMIT 1000" : ""),
      query.agent_id, query.tool_type, from, to);
  std::vector<ConsumptionTotal> totals;
  while (rows.row()) {
    ConsumptionTotal total;
    total.day = rows.text();
    total.reports = rows.integer();
    total.tokens_input = rows.integer();
    total.tokens_output = rows.integer();
    total.cost_usd = static_cast<double>(rows.integer()) / kMicros;
    totals.push_back(std::move(total));
  }
  return totals;
}

}  // namespace botburrow::hub
