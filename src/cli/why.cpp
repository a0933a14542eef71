// `why AGENT`: Redis, the Hub, the definition and the runners asked, and one sentence made of it.
#include "console/why.hpp"

#include "base/error.hpp"
#include "cli/exit_code.hpp"
#include "cli/operator_command.hpp"
#include "cli/redis_refusal.hpp"
#include "definitions/redis_cache.hpp"
#include "definitions/source.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::cli {
namespace {

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

Task<queue::OutsideFacts> ask_others(OperatorTools& tools, queue::AgentFacts facts) {
  Metrics metrics;
  net::HttpClient http(co_await boost::asio::this_coro::executor,
                       {.user_agent = "botburrow-operator"});
  const auto& system = tools.system;
  hubapi::HubClient hub(
      http, {.url = system.hub_url, .service_key = system.service_key, .agent_keys = {}},
      system_random(), Log::none(), metrics);
  console::WhyParts parts{
      .hub = system.hub_url.empty() ? nullptr : &hub,
      .heartbeats = tools.heartbeats,
      .find_definition = [&tools](std::string name) { return find_definition(tools, name); },
      .min_activation_interval = system.min_activation_interval,
      .clock = system_clock()};
  auto outside = co_await console::ask_outside(std::move(parts), std::move(facts));
  if (!outside.hub_fault.empty()) outside.hub_fault += fmt::format(" ({})", system.hub_url);
  co_return outside;
}

// An agent whose files were never good is not told to the Hub: then they are the reason.
void blame_definition(const OperatorTools& tools, const std::string& name) {
  if (tools.system.definitions.empty() || !definitions::is_safe_name(name)) return;
  std::vector<definitions::Problem> problems;
  try {
    problems = definitions::FolderSource(tools.system.definitions).load(name).problems;
  } catch (const Error&) {
    return;  // not there either
  }
  if (definitions::has_errors(problems)) throw definitions::invalid_definition(problems);
}

Task<int> why(OperatorTools& tools, const std::string& agent, bool unchecked) {
  std::optional<Error> unknown;
  try {
    if (!unchecked) co_await require_known_agent(tools, agent_argument(agent));
  } catch (const Error& error) {
    unknown = error;
  }
  if (unknown && unknown->code() == errc::not_found) blame_definition(tools, agent);
  if (unknown) throw *unknown;
  const auto facts = co_await tools.view.why(agent_argument(agent));
  const auto outside = co_await ask_others(tools, facts);
  const auto refusal = co_await redis_refusal(tools.redis);
  if (tools.json) {
    auto document = console::why_document(facts, outside);
    if (!refusal.empty()) document["redis"] = refusal;
    tools.out.json(document);
    co_return exit_code::kDone;
  }
  tools.out.line(printable(queue::to_sentence(facts, outside)));
  if (!refusal.empty()) tools.out.line("But Redis takes no work now: " + printable(refusal));
  co_return exit_code::kDone;
}

}  // namespace

void add_why(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "why", "In one sentence, what an agent waits for, by Redis, the Hub and its definition");
  auto agent = std::make_shared<std::string>();
  command->add_option("agent", *agent, "The agent's id")->required()->type_name("AGENT");
  auto unchecked = std::make_shared<bool>(false);
  add_unchecked(*command, *unchecked);
  add_operator_command(*command, context, [agent, unchecked](OperatorTools& tools) {
    return why(tools, *agent, *unchecked);
  });
}

}  // namespace botburrow::cli
