// Agents: all of them with their state, one of them with why, and what they have used.
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "console/core.hpp"
#include "console/documents.hpp"
#include "console/why.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::console {
namespace {

using namespace std::chrono_literals;
using net::ServerRequest;

constexpr auto kHubTime = 3s;
constexpr std::size_t kHubAsksMax = 4;
constexpr std::size_t kEndedLooked = 1000;
constexpr std::size_t kEndedShown = 20;

/// `page` of the agents that the query asks for, and how many of them there are.
struct AgentsPage {
  queue::PageAsk ask;
  RosterList rows;
  std::size_t total = 0;
  json::object counts;
};

json::object counts_of(const RosterList& all) {
  json::object counts{{"all", all.size()}, {"running", 0}, {"waiting", 0}, {"held_off", 0},
                      {"failing", 0},      {"paused", 0},  {"idle", 0}};
  for (const auto& entry : all) {
    ++counts[entry.state].as_int64();
    if (entry.failures > 0) ++counts["failing"].as_int64();
  }
  return counts;
}

Task<AgentsPage> agents_page(Core& core, const ServerRequest& request) {
  const auto ask = page_of(request);
  const auto all = co_await core.roster.list();
  auto fitting = chosen(*all, request.query_value("state").value_or(""),
                        request.query_value("q").value_or(""));
  AgentsPage page{.ask = ask, .total = fitting.size(), .counts = counts_of(*all)};
  const auto first = std::min(ask.offset, fitting.size());
  const auto last = std::min(first + ask.limit, fitting.size());
  page.rows.assign(fitting.begin() + static_cast<std::ptrdiff_t>(first),
                   fitting.begin() + static_cast<std::ptrdiff_t>(last));
  co_return page;
}

json::object page_document(AgentsPage page, json::array rows) {
  return {{"offset", page.ask.offset},
          {"limit", page.ask.limit},
          {"total", page.total},
          {"counts", std::move(page.counts)},
          {"agents", std::move(rows)}};
}

json::object to_document(const RosterEntry& entry, const queue::LastWord& last) {
  return {{"agent_id", entry.agent_id},   {"state", entry.state},
          {"runner_id", entry.runner},    {"queue", entry.queue},
          {"failures", entry.failures},   {"backoff_seconds", entry.backoff_seconds},
          {"paused", entry.paused},       {"last_at", last.at},
          {"last_outcome", last.outcome}, {"last_reason", last.reason}};
}

Task<json::object> agents(Core& core, const ServerRequest& request) {
  auto page = co_await agents_page(core, request);
  std::vector<std::string> names;
  for (const auto& entry : page.rows)
    names.push_back(entry.agent_id);
  const auto last = co_await core.pages.last_words(std::move(names));
  json::array rows;
  for (std::size_t i = 0; i < page.rows.size(); ++i)
    rows.push_back(to_document(page.rows[i], last.at(i)));
  co_return page_document(std::move(page), std::move(rows));
}

Task<std::optional<definitions::AgentDefinition>> find_definition(Core& core, std::string name) {
  if (!definitions::is_safe_name(name)) co_return std::nullopt;
  co_return co_await core.definitions.find(std::move(name));
}

json::object limits_document(const definitions::AgentDefinition& definition) {
  const auto& limits = definition.behavior.limits;
  return {{"max_daily_posts", limits.max_daily_posts},
          {"max_daily_comments", limits.max_daily_comments}};
}

Task<json::object> usage_of(Core& core, std::string agent, std::string name) {
  const auto usage = co_await core.state.usage(AgentId(agent), core.parts.clock.wall());
  const auto definition = co_await find_definition(core, std::move(name));
  co_return json::object{
      {"day", console::to_document(usage.day)},
      {"month", console::to_document(usage.month)},
      {"limits", definition ? json::value(limits_document(*definition)) : json::value(nullptr)}};
}

Task<json::object> budgets(Core& core, const ServerRequest& request) {
  auto page = co_await agents_page(core, request);
  json::array rows;
  for (const auto& entry : page.rows) {
    auto row = co_await usage_of(core, entry.agent_id, entry.agent_id);
    row["agent_id"] = entry.agent_id;
    rows.push_back(std::move(row));
  }
  co_return page_document(std::move(page), std::move(rows));
}

// The Hub's own budget; null where it has none, or cannot be asked.
Task<json::value> hub_budget(Core& core, std::string agent) {
  try {
    const auto budget = co_await core.parts.hub.budget(AgentId(agent), Deadline::in(kHubTime));
    if (budget) {
      co_return json::value{{"daily_used", budget->daily_used},
                            {"daily_limit", budget->daily_limit},
                            {"monthly_used", budget->monthly_used},
                            {"monthly_limit", budget->monthly_limit},
                            {"reason", budget->reason()}};
    }
  } catch (const Error&) {
    // `why` says that the Hub is away; twice would be once too often.
  }
  co_return json::value(nullptr);
}

Task<json::array> ended_of(Core& core, std::string agent) {
  json::array rows;
  const auto page = co_await core.pages.ended({.offset = 0, .limit = kEndedLooked});
  for (const auto& result : page.results) {
    if (rows.size() == kEndedShown) break;
    if (result.agent_id.str() == agent) rows.push_back(console::to_document(result));
  }
  co_return rows;
}

Task<json::object> one_agent(Core& core, const ServerRequest& request) {
  const auto agent = request.params.at("agent");
  if (!queue::valid_agent_id(agent) || agent == "*") {
    throw Error(errc::invalid_argument,
                "expected the id of an agent: 1 to 256 bytes without control characters");
  }
  const Turn turn(core.hub_asks, kHubAsksMax);
  const auto facts = co_await core.view.why(AgentId(agent));
  WhyParts parts{.hub = core.parts.hub.url().empty() ? nullptr : &core.parts.hub,
                 .heartbeats = core.heartbeats,
                 .find_definition =
                     [&core](std::string name) { return find_definition(core, std::move(name)); },
                 .min_activation_interval = core.options.min_activation_interval,
                 .clock = core.parts.clock};
  const auto outside = co_await ask_outside(std::move(parts), facts);
  auto document = why_document(facts, outside);
  document["usage"] = co_await usage_of(core, agent, definition_name(facts));
  document["budget"] = outside.hub_asked ? co_await hub_budget(core, agent) : json::value(nullptr);
  document["ended"] = co_await ended_of(core, agent);
  co_return document;
}

}  // namespace

void add_agent_routes(Routes& routes) {
  routes.look("/agents", agents);
  routes.look("/agents/:agent", one_agent);
  routes.look("/budgets", budgets);
}

}  // namespace botburrow::console
