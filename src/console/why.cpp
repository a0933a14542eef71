#include "console/why.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "queue/agent_document.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace botburrow::console {
namespace {

using namespace std::chrono_literals;

constexpr auto kHubTime = 3s;
constexpr int kUnreadMax = 100;

/// Seconds until an agent that was last activated then has been idle for `interval`.
double stale_in(std::optional<WallTime> last, std::chrono::seconds interval, WallTime now) {
  if (!last) return 0;
  return std::max(0.0, std::chrono::duration<double>(*last + interval - now).count());
}

Task<> ask_hub(const WhyParts& parts, const queue::AgentFacts& facts,
               queue::OutsideFacts& outside) {
  auto& hub = *parts.hub;
  const auto deadline = Deadline::in(kHubTime);
  const auto info = co_await hub.agent(facts.agent_id.str(), deadline);
  outside.known_to_hub = info.has_value();
  if (info) {
    for (const std::string_view resting : {"paused", "retired", "banned"}) {
      if (info->status == resting) outside.hub_status = resting;
    }
    outside.stale_in_seconds =
        stale_in(info->last_activated_at, parts.min_activation_interval, parts.clock.wall());
    const auto unread = co_await hub.unread(info->id, kUnreadMax, deadline);
    outside.unread = static_cast<std::int64_t>(unread.size());
    outside.unread_is_more = unread.size() == static_cast<std::size_t>(kUnreadMax);
    const auto budget = co_await hub.budget(info->id, deadline);
    if (budget && budget->status == hubapi::BudgetStatus::critical)
      outside.over_budget = budget->reason();
  }
  outside.hub_asked = true;
}

Task<> ask_hub_if_known(const WhyParts& parts, const queue::AgentFacts& facts,
                        queue::OutsideFacts& outside) {
  if (!parts.hub) co_return;
  try {
    co_await with_deadline("the Hub", Deadline::in(kHubTime), ask_hub(parts, facts, outside));
  } catch (const Error& error) {
    outside = {.hub_fault = error.message()};
  }
}

Task<> ask_runners(const WhyParts& parts, const queue::AgentFacts& facts,
                   queue::OutsideFacts& outside) {
  if (!facts.waiting || !facts.waiting->item) co_return;
  const auto type = facts.waiting->item->task_type;
  const auto live = co_await parts.heartbeats.live();
  outside.runner_lives = std::ranges::any_of(live, [&](const auto& beat) {
    return beat.status != queue::RunnerStatus::draining &&
           queue::accepts(beat.mode.value_or(queue::RunnerMode::hybrid), type);
  });
}

}  // namespace

std::string definition_name(const queue::AgentFacts& facts) {
  if (facts.waiting && facts.waiting->item) return facts.waiting->item->agent_name;
  if (facts.active) return facts.active->agent_name;
  return facts.agent_id.str();
}

// A live runner says so in its heartbeat.
static Task<bool> some_runner_has(queue::Heartbeats& heartbeats, std::string executor) {
  const auto live = co_await heartbeats.live();
  co_return std::ranges::any_of(live, [&](const auto& beat) {
    return std::ranges::find(beat.executors, executor) != beat.executors.end();
  });
}

Task<queue::OutsideFacts> ask_outside(WhyParts parts, queue::AgentFacts facts) {
  queue::OutsideFacts outside;
  co_await ask_hub_if_known(parts, facts, outside);
  if (const auto definition = co_await parts.find_definition(definition_name(facts))) {
    const bool there = definition->runs_in_loop() ||
                       co_await some_runner_has(parts.heartbeats, definition->type_name);
    if (!there) outside.missing_executor = definition->type_name;
    outside.explores = definition->behavior.discovery.enabled;
  }
  co_await ask_runners(parts, facts, outside);
  co_return outside;
}

json::object why_document(const queue::AgentFacts& facts, const queue::OutsideFacts& outside) {
  auto document = queue::facts_document(facts);
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

}  // namespace botburrow::console
