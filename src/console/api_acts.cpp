// What people do here: the acts of the operator's commands, with the key, each logged.
#include "base/error.hpp"
#include "base/json.hpp"
#include "console/core.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <functional>

namespace botburrow::console {
namespace {

using namespace std::chrono_literals;
using net::ServerRequest;

constexpr auto kHubTime = 3s;

/// How an act ended: `changed` or not, and one sentence for people.
struct Done {
  bool changed = false;
  std::string result;
  std::string sentence;
};

json::object body_of(const ServerRequest& request) {
  auto parsed = parse_json(request.body.empty() ? "{}" : request.body, "the body");
  if (!parsed.is_object()) throw Error(errc::invalid_argument, "the body: expected a JSON object");
  return std::move(parsed.get_object());
}

std::string needed(const json::object& body, std::string_view field) {
  auto text = string_field(body, field).value_or("");
  if (text.empty() || text.size() > queue::kAgentIdBytesMax) {
    throw Error(errc::invalid_argument, fmt::format("{}: expected a text of 1 to {} bytes", field,
                                                    queue::kAgentIdBytesMax));
  }
  return text;
}

AgentId agent_of(const json::object& body) {
  auto agent = needed(body, "agent");
  if (!queue::valid_agent_id(agent) || agent == "*") {
    throw Error(errc::invalid_argument,
                "agent: expected the id of an agent, without control characters");
  }
  return AgentId(std::move(agent));
}

// One, or all of them: never both, and never all by an empty field.
bool means_all(const json::object& body, std::string_view one) {
  const bool all = bool_field(body, "all").value_or(false);
  if (all == body.contains(one)) {
    throw Error(errc::invalid_argument,
                fmt::format("expected either \"{}\" or \"all\": true", one));
  }
  return all;
}

Task<Done> stop(Core& core, json::object body) {
  const auto id = needed(body, "activation_id");
  const bool stopped = co_await core.view.stop_activation(ActivationId(id));
  if (!stopped) co_return Done{.result = "not_running", .sentence = "It does not run any more."};
  co_return Done{.changed = true,
                 .result = "stopping",
                 .sentence =
                     "It is told to stop; its runner ends it within 5 s and holds the agent "
                     "off for a minute."};
}

Task<Done> retry(Core& core, json::object body) {
  switch (co_await core.view.retry_dead(needed(body, "id"))) {
    case queue::RetryResult::queued:
      co_return Done{.changed = true,
                     .result = "queued",
                     .sentence = "It waits at the head of its queue, with no attempts counted."};
    case queue::RetryResult::dup_queued:
      co_return Done{.result = "dup_queued",
                     .sentence =
                         "Its agent waits already; the dead letter stays, try again when "
                         "that is done."};
    case queue::RetryResult::dup_active:
      co_return Done{.result = "dup_active",
                     .sentence =
                         "Its agent is running; the dead letter stays, try again when that "
                         "is done."};
    case queue::RetryResult::unreadable:
      co_return Done{.result = "unreadable",
                     .sentence = "Its bytes are no work item; it can only be cleared."};
    case queue::RetryResult::not_found:
      break;
  }
  co_return Done{.result = "not_found", .sentence = "It is not there any more."};
}

Task<Done> clear_dead(Core& core, json::object body) {
  if (means_all(body, "id")) {
    const auto count = co_await core.view.clear_all_dead();
    co_return Done{
        .changed = count > 0, .result = "cleared", .sentence = fmt::format("Cleared {}.", count)};
  }
  if (co_await core.view.clear_dead(needed(body, "id")))
    co_return Done{.changed = true, .result = "cleared", .sentence = "It is gone for good."};
  co_return Done{.result = "not_found", .sentence = "It is not there any more."};
}

Task<Done> clear_backoff(Core& core, json::object body) {
  if (means_all(body, "agent")) {
    const auto count = co_await core.view.clear_all_backoffs();
    co_return Done{
        .changed = count > 0,
        .result = "cleared",
        .sentence = fmt::format("Back-off and failures of {} agents are cleared.", count)};
  }
  const auto agent = agent_of(body);
  if (co_await core.view.clear_backoff(agent) > 0)
    co_return Done{.changed = true,
                   .result = "cleared",
                   .sentence = agent.str() + ": back-off and failures are cleared."};
  co_return Done{.result = "not_held_off",
                 .sentence = agent.str() + " was not held off and has no failures."};
}

Task<Done> set_pause(Core& core, json::object body, bool on) {
  const bool all = means_all(body, "agent");
  const AgentId whom = all ? AgentId("*") : agent_of(body);
  const bool changed = on ? co_await core.view.pause(whom) : co_await core.view.resume(whom);
  co_return Done{
      .changed = changed,
      .result = on ? "paused" : "resumed",
      .sentence = fmt::format("{} {}{}.", all ? "The whole fleet" : whom.str(),
                              changed ? "is " : "was already ", on ? "paused" : "resumed")};
}

Task<Done> drop(Core& core, json::object body) {
  const auto agent = agent_of(body);
  if (co_await core.view.drop_waiting(agent)) {
    co_return Done{.changed = true,
                   .result = "dropped",
                   .sentence = "Its waiting item is gone; unread notifications bring it back."};
  }
  co_return Done{.result = "not_waiting", .sentence = agent.str() + " does not wait."};
}

Done done_of(const std::string& agent, queue::EnqueueResult result) {
  using queue::EnqueueResult;
  const auto done = [&](bool changed, std::string rest) {
    return Done{.changed = changed,
                .result = std::string(queue::name_of(result)),
                .sentence = agent + rest};
  };
  switch (result) {
    case EnqueueResult::enqueued:
      return done(true, " is queued.");
    case EnqueueResult::upgraded:
      return done(true, " waited in a lower queue and was moved up.");
    case EnqueueResult::dup_active:
      return done(false, " is running now; nothing was queued.");
    case EnqueueResult::dup_queued:
      return done(false, " waits already; nothing was queued.");
    case EnqueueResult::backoff:
      return done(false, " is held off; nothing was queued. Clear its back-off, or force it.");
    case EnqueueResult::paused:
      return done(false, " is paused; nothing was queued. Resume it, or force it.");
    case EnqueueResult::stale_leader:
      break;
  }
  return done(false, " was not queued.");
}

// A mistyped name would only fail later, on a runner, and count against nobody's agent.
Task<bool> unknown_to_hub(Core& core, std::string agent) {
  if (core.parts.hub.url().empty()) co_return false;
  try {
    co_return !(co_await core.parts.hub.agent(std::move(agent), Deadline::in(kHubTime)));
  } catch (const Error&) {
    // A Hub that is away knows nobody better than we do.
  }
  co_return false;
}

queue::WorkItem item_of(const json::object& body, const AgentId& agent) {
  const auto task = string_field(body, "task").value_or("inbox");
  const auto type = queue::parse_task_type(task);
  if (!type) throw Error(errc::invalid_argument, "task: expected inbox or discovery");
  const auto priority = string_field(body, "priority").value_or("high");
  if (priority != "high" && priority != "normal" && priority != "low")
    throw Error(errc::invalid_argument, "priority: expected high, normal or low");
  return {.agent_id = agent,
          .agent_name = agent.str(),
          .task_type = *type,
          .priority = queue::parse_priority(priority)};
}

Task<Done> enqueue(Core& core, json::object body) {
  const auto agent = agent_of(body);
  std::vector<queue::WorkItem> items{item_of(body, agent)};
  if (co_await unknown_to_hub(core, agent.str())) {
    throw Error(errc::not_found,
                fmt::format("the Hub knows no agent \"{}\"; `botburrow queue add --unchecked` "
                            "queues it all the same",
                            agent.str()));
  }
  const bool force = bool_field(body, "force").value_or(false);
  const auto results = co_await core.queue.enqueue(std::move(items), {.force = force});
  co_return done_of(agent.str(), results.at(0));
}

using Act = std::function<Task<Done>(Core&, json::object)>;

Task<json::object> carry_out(Core& core, std::string name, Act act, ServerRequest request) {
  auto body = body_of(request);
  const auto asked = to_json(body);
  const auto done = co_await act(core, std::move(body));
  core.roster.forget();
  core.metrics.acts.with({name, done.changed ? "changed" : "unchanged"}).add();
  core.log.info("console_act", {{"act", name},
                                LogField::raw("asked", asked),
                                {"result", done.result},
                                {"changed", done.changed},
                                {"peer", request.peer_address}});
  co_return json::object{
      {"changed", done.changed}, {"result", done.result}, {"sentence", done.sentence}};
}

}  // namespace

void add_act_routes(Routes& routes) {
  const auto add = [&routes](const std::string& name, Act act) {
    routes.act("/" + name, [name, act](Core& core, const ServerRequest& request) {
      return carry_out(core, name, act, request);
    });
  };
  add("stop", stop);
  add("retry", retry);
  add("clear-dead", clear_dead);
  add("clear-backoff", clear_backoff);
  add("pause",
      [](Core& core, json::object body) { return set_pause(core, std::move(body), true); });
  add("resume",
      [](Core& core, json::object body) { return set_pause(core, std::move(body), false); });
  add("drop", drop);
  add("enqueue", enqueue);
}

}  // namespace botburrow::console
