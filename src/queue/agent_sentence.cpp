#include "queue/operator_view.hpp"

#include <fmt/format.h>

#include <cmath>

namespace botburrow::queue {

namespace {

std::string last_words(const AgentFacts& facts) {
  if (!facts.last_outcome) return "";
  const std::string reason = facts.last_reason.value_or("");
  return fmt::format("; last: {}{}", *facts.last_outcome,
                     reason.empty() ? "" : " (" + reason + ")");
}

std::string waiting_words(const AgentFacts& facts) {
  const Waiting& waiting = *facts.waiting;
  const auto task_type = waiting.item ? name_of(waiting.item->task_type) : "unreadable";
  if (waiting.due)
    return fmt::format("waits for a time: its {} item comes back by itself", task_type);
  return fmt::format("waits in {} ({} before it) for a runner that takes {} work",
                     queue_key(waiting.queue), facts.ahead, task_type);
}

}  // namespace

std::string to_sentence(const AgentFacts& facts) {
  const std::string& name = facts.agent_id.str();
  if (facts.active) {
    return fmt::format("{} is running: activation {} on {} since {}{}.", name,
                       facts.active->activation_id.str(), facts.active->runner_id.str(),
                       facts.active->started_at,
                       facts.follow_up ? ", and a follow-up is noted" : "");
  }
  if (facts.generation_missing) {
    return fmt::format(
        "{} waits because work:generation is missing: the leader sets it at its election.", name);
  }
  if (facts.fleet_paused) return fmt::format("{} waits because the whole fleet is paused.", name);
  if (facts.paused) return fmt::format("{} is paused.", name);
  if (facts.waiting) return fmt::format("{} {}.", name, waiting_words(facts));
  if (facts.backoff_seconds > 0) {
    // A hold-off without a failure: a forced stop, a budget, a limit.
    const auto failures =
        facts.failures > 0 ? fmt::format(": {} failures in a row", facts.failures) : "";
    return fmt::format("{} is held off for {:.0f} s more{}{}.", name,
                       std::ceil(facts.backoff_seconds), failures, last_words(facts));
  }
  return fmt::format("{} has nothing to do{}.", name,
                     facts.failures > 0 ? fmt::format(" ({} failures in a row{})", facts.failures,
                                                      last_words(facts))
                                        : "");
}

}  // namespace botburrow::queue
