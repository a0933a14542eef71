// `why AGENT`: Redis, the Hub, the definition and the runners asked, and one sentence made of it.
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/agent_document.hpp"
#include "cli/exit_code.hpp"
#include "cli/operator_command.hpp"
#include "definitions/redis_cache.hpp"
#include "definitions/source.hpp"
#include "hubapi/client.hpp"
#include "queue/agent_sentence.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kHubTime = 3s;
constexpr int kUnreadMax = 100;

std::string name_of_agent(const queue::AgentFacts& facts) {
  if (facts.waiting && facts.waiting->item) return facts.waiting->item->agent_name;
  if (facts.active) return facts.active->agent_name;
  return facts.agent_id.str();
}

/// Seconds until an agent that was last activated then has been idle for `interval`.
double stale_in(std::optional<WallTime> last, std::chrono::seconds interval, WallTime now) {
  if (!last) return 0;
  return std::max(0.0, std::chrono::duration<double>(*last + interval - now).count());
}

Task<> ask_hub(const RunningSystem& system, const queue::AgentFacts& facts,
               queue::OutsideFacts& outside) {
  Metrics metrics;
  net::HttpClient http(co_await boost::asio::this_coro::executor,
                       {.user_agent = "botburrow-operator"});
  hubapi::HubClient hub(
      http, {.url = system.hub_url, .service_key = system.service_key, .agent_keys = {}},
      system_random(), Log::none(), metrics);
  const auto deadline = Deadline::in(kHubTime);
  const auto info = co_await hub.agent(facts.agent_id.str(), deadline);
  outside.known_to_hub = info.has_value();
  if (info) {
    for (const std::string_view resting : {"paused", "retired", "banned"}) {
      if (info->status == resting) outside.hub_status = resting;
    }
    outside.stale_in_seconds =
        stale_in(info->last_activated_at, system.min_activation_interval, system_clock().wall());
    const auto unread = co_await hub.unread(info->id, kUnreadMax, deadline);
    outside.unread = static_cast<std::int64_t>(unread.size());
    outside.unread_is_more = unread.size() == static_cast<std::size_t>(kUnreadMax);
    const auto budget = co_await hub.budget(info->id, deadline);
    if (budget && budget->status == hubapi::BudgetStatus::critical)
      outside.over_budget = budget->reason();
  }
  outside.hub_asked = true;
}

/// The Hub's part. A Hub that is away costs a few seconds and is said.
Task<> ask_hub_if_known(const RunningSystem& system, const queue::AgentFacts& facts,
                        queue::OutsideFacts& outside) {
  if (system.hub_url.empty()) co_return;
  try {
    co_await with_deadline("the Hub", Deadline::in(kHubTime), ask_hub(system, facts, outside));
  } catch (const Error& error) {
    outside = {.hub_fault = fmt::format("{} ({})", error.message(), system.hub_url)};
  }
}

/// As the runners saw it last, else as its files are now.
Task<std::optional<definitions::AgentDefinition>> find_definition(OperatorTools& tools,
                                                                  std::string name) {
  if (!definitions::is_safe_name(name)) co_return std::nullopt;
  definitions::RedisDefinitionCache cache(tools.redis, Log::none());
  if (auto cached = co_await cache.find(name)) co_return cached;
  if (tools.system.definitions.empty()) co_return std::nullopt;
  try {
    auto loaded = definitions::FolderSource(tools.system.definitions).load(name);
    co_return std::move(loaded.definition);
  } catch (const Error&) {
    // Not there, or not readable from here.
  }
  co_return std::nullopt;
}

Task<> ask_the_rest(OperatorTools& tools, const queue::AgentFacts& facts,
                    queue::OutsideFacts& outside) {
  if (const auto definition = co_await find_definition(tools, name_of_agent(facts))) {
    if (!definition->runs_in_loop()) outside.missing_executor = definition->type_name;
    outside.explores = definition->behavior.discovery.enabled;
  }
  if (!facts.waiting || !facts.waiting->item) co_return;
  const auto type = facts.waiting->item->task_type;
  const auto live = co_await tools.heartbeats.live();
  outside.runner_lives = std::ranges::any_of(live, [&](const auto& beat) {
    return beat.status != queue::RunnerStatus::draining &&
           queue::accepts(beat.mode.value_or(queue::RunnerMode::hybrid), type);
  });
}

json::object to_document(const queue::AgentFacts& facts, const queue::OutsideFacts& outside) {
  auto document = facts_document(facts);
  document["waits_for"] = queue::name_of(queue::wait_reason(facts, outside));
  document["hub"] = json::object{
      {"asked", outside.hub_asked},
      {"fault", outside.hub_fault},
      {"known", outside.known_to_hub},
      {"status", outside.hub_status},
      {"over_budget", outside.over_budget},
      {"unread", outside.unread ? json::value(*outside.unread) : json::value(nullptr)},
      {"stale_in_seconds",
       outside.stale_in_seconds ? json::value(*outside.stale_in_seconds) : json::value(nullptr)}};
  document["missing_executor"] = outside.missing_executor;
  document["sentence"] = queue::to_sentence(facts, outside);
  return document;
}

Task<int> why(OperatorTools& tools, const std::string& agent) {
  const auto facts = co_await tools.view.why(agent_argument(agent));
  queue::OutsideFacts outside;
  co_await ask_hub_if_known(tools.system, facts, outside);
  co_await ask_the_rest(tools, facts, outside);
  if (tools.json)
    tools.out.json(to_document(facts, outside));
  else
    tools.out.line(printable(queue::to_sentence(facts, outside)));
  co_return exit_code::kDone;
}

}  // namespace

void add_why(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "why", "In one sentence, what an agent waits for, by Redis, the Hub and its definition");
  auto agent = std::make_shared<std::string>();
  command->add_option("agent", *agent, "The agent's id")->required()->type_name("AGENT");
  add_operator_command(*command, context,
                       [agent](OperatorTools& tools) { return why(tools, *agent); });
}

}  // namespace botburrow::cli
