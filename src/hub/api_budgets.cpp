#include "base/json.hpp"
#include "hub/api.hpp"
#include "hub/render.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hub {
namespace {

// Of one activation. More is a mistake or a lie, and would use up a month's sums.
constexpr std::int64_t kTokensMax = 10'000'000'000;
constexpr double kUsdMax = 100'000;

/// The id where the reference is known, else the text: an unknown agent has default limits.
std::string id_or_text(Store& store, const std::string& reference) {
  if (reference.empty()) return {};
  const auto found = store.find_agent(reference);
  return found ? found->id : reference;
}

Task<Reply> health_of(Api& api, std::string reference) {
  const auto health = co_await api.core.with_store(
      [reference](Store& store) { return store.budget_health(id_or_text(store, reference)); });
  co_return reply(200, render(health));
}

Task<Reply> budget_health(Api& api, Call& call) {
  std::string reference = call.query().text("agent_id").value_or("");
  if (reference.empty() && call.principal.is_self()) reference = call.principal.agent->id;
  co_return co_await health_of(api, std::move(reference));
}

Task<Reply> record_consumption(Api& api, Call& call) {
  const Agent actor = co_await api.actor(call);
  BodyFields fields(call.body());
  Consumption report;
  report.agent_id = actor.id;
  report.tokens_input = fields.integer("tokens_input", 0, kTokensMax).value_or(0);
  report.tokens_output = fields.integer("tokens_output", 0, kTokensMax).value_or(0);
  report.cost_usd = fields.number("cost_usd", 0, kUsdMax).value_or(0);
  report.tool_type = fields.text("tool_type", {0, 50}).value_or("");
  report.model = fields.text("model", {0, 200}).value_or("");
  report.duration_seconds = fields.number("duration_seconds", 0, 1e9).value_or(0);
  report.activation_id = fields.text("activation_id", {0, 100}).value_or("");
  report.task_type = fields.text("task_type", {0, 50}).value_or("");
  report.task_priority = fields.text("task_priority", {0, 50}).value_or("");
  report.success = fields.boolean("success").value_or(true);
  report.metadata_json = fields.object_text("metadata", 16'384).value_or("");
  fields.check();
  co_return co_await api.write(
      call, nullptr, actor.id, [report](Store& store, const WriteGuard& guard) {
        Consumption guarded = report;
        guarded.guard = guard;
        guarded.guard.fence.reset();  // A stale run's tokens were spent too.
        return store.record_consumption(guarded);
      });
}

Task<Reply> consumption_totals(Api& api, Call& call) {
  const QueryFields query = call.query();
  const bool own_only = call.principal.kind == PrincipalKind::agent;
  const auto actor = own_only ? co_await api.actor_if_named(call) : std::optional<Agent>();
  ConsumptionQuery wanted;
  wanted.agent_id = actor ? actor->id : query.text("agent_id").value_or("");
  wanted.tool_type = query.text("tool").value_or("");
  wanted.from = query.time("from");
  wanted.to = query.time("to");
  wanted.by_day = query.text("group").value_or("") == "day";
  const auto totals = co_await api.core.with_store([wanted](Store& store) {
    ConsumptionQuery resolved = wanted;
    resolved.agent_id = id_or_text(store, wanted.agent_id);
    return store.consumption(resolved);
  });
  json::array list;
  for (const ConsumptionTotal& total : totals) {
    json::object line{{"reports", total.reports},
                      {"tokens_input", total.tokens_input},
                      {"tokens_output", total.tokens_output},
                      {"tokens_total", total.tokens_input + total.tokens_output},
                      {"cost_usd", total.cost_usd}};
    if (wanted.by_day) line["day"] = total.day;
    list.push_back(std::move(line));
  }
  co_return reply(200, {{"consumption", std::move(list)}});
}

Task<Reply> show_agent_budget(Api& api, Call& call) {
  const Agent agent = co_await api.agent(call.param("name"));
  const auto budget = co_await api.core.with_store(
      [id = agent.id](Store& store) { return store.agent_budget(id); });
  json::object body = render(budget);
  body["agent_id"] = agent.id;
  co_return reply(200, body);
}

Task<Reply> put_agent_budget(Api& api, Call& call) {
  const Agent agent = co_await api.agent(call.param("name"));
  BodyFields fields(call.body());
  AgentBudget budget;
  budget.daily_limit_usd = fields.number("daily_limit_usd", 0, kUsdMax);
  budget.monthly_limit_usd = fields.number("monthly_limit_usd", 0, kUsdMax);
  budget.daily_token_limit = fields.integer("daily_token_limit", 0, kTokensMax);
  fields.check();
  const std::string who = call.principal.label();
  const auto stored = co_await api.core.with_store([id = agent.id, budget, who](Store& store) {
    store.set_agent_budget(id, budget);
    store.append_audit({who, "budget.agent", id, "", {}});
    return store.agent_budget(id);
  });
  json::object body = render(stored);
  body["agent_id"] = agent.id;
  co_return reply(200, body);
}

Task<Reply> show_tool_budget(Api& api, Call& call) {
  const std::string tool = call.param("tool");
  const auto budget =
      co_await api.core.with_store([tool](Store& store) { return store.tool_budget(tool); });
  if (!budget) throw not_found("tool budget", tool);
  co_return reply(200, render(*budget));
}

Task<Reply> put_tool_budget(Api& api, Call& call) {
  const std::string tool = call.param("tool");
  if (tool.empty() || utf8_length(tool) > 50)
    throw invalid_field("path", "tool", "1 to 50 characters expected");
  BodyFields fields(call.body());
  const auto usd = fields.number("monthly_limit_usd", 0, kUsdMax);
  const auto tokens = fields.integer("monthly_limit_tokens", 0, kTokensMax);
  const auto reset_day = fields.integer("reset_day_of_month", 1, 28);
  const auto warn = fields.number("warn", 0, 1000);
  const auto throttle = fields.number("throttle", 0, 1000);
  const auto hard = fields.number("hard", 0, 1000);
  const auto allow = fields.boolean("allow_critical_over_limit");
  fields.check();
  const std::string who = call.principal.label();
  const auto stored = co_await api.core.with_store([=](Store& store) {
    ToolBudget budget = store.tool_budget(tool).value_or(ToolBudget{.tool_type = tool});
    budget.monthly_limit_usd = usd.value_or(budget.monthly_limit_usd);
    budget.monthly_limit_tokens = tokens.value_or(budget.monthly_limit_tokens);
    budget.reset_day_of_month = static_cast<int>(reset_day.value_or(budget.reset_day_of_month));
    budget.warn = warn.value_or(budget.warn);
    budget.throttle = throttle.value_or(budget.throttle);
    budget.hard = hard.value_or(budget.hard);
    budget.allow_critical_over_limit = allow.value_or(budget.allow_critical_over_limit);
    store.set_tool_budget(budget);
    store.append_audit({who, "budget.tool", tool, "", {}});
    return budget;
  });
  co_return reply(200, render(stored));
}

}  // namespace

void add_budget_routes(Api& api) {
  api.route("GET", "/system/budget-health", Access::any_key,
            [&api](Call& call) { return budget_health(api, call); });
  api.route("GET", "/system/budget-health/:agent", Access::any_key,
            [&api](Call& call) { return health_of(api, call.param("agent")); });
  api.route("GET", "/system/consumption", Access::any_key,
            [&api](Call& call) { return consumption_totals(api, call); });
  api.route("POST", "/system/consumption", Access::any_key,
            [&api](Call& call) { return record_consumption(api, call); });
  api.route("GET", "/system/budgets/agents/:name", Access::owner,
            [&api](Call& call) { return show_agent_budget(api, call); });
  api.route("PUT", "/system/budgets/agents/:name", Access::owner,
            [&api](Call& call) { return put_agent_budget(api, call); });
  api.route("GET", "/system/budgets/tools/:tool", Access::owner,
            [&api](Call& call) { return show_tool_budget(api, call); });
  api.route("PUT", "/system/budgets/tools/:tool", Access::owner,
            [&api](Call& call) { return put_tool_budget(api, call); });
}

}  // namespace botburrow::hub
