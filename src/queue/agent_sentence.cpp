// Rules only: what an agent waits for, and how that is said.
#include "queue/agent_sentence.hpp"

#include "base/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace botburrow::queue {

namespace {

std::string span(double seconds) {
  seconds = std::max(0.0, seconds);
  if (seconds < 120) return fmt::format("{:.0f} s", std::ceil(seconds));
  if (seconds < 2 * 3600) return fmt::format("{:.0f} min", std::ceil(seconds / 60));
  return fmt::format("{:.0f} h", std::ceil(seconds / 3600));
}

/// "2026-02-07T10:00:42Z (42 s)".
std::string until(const AgentFacts& facts, double at) {
  auto text = to_rfc3339(from_unix(std::ceil(at)));
  if (const auto point = text.find('.'); point != std::string::npos)
    text = text.substr(0, point) + "Z";
  return fmt::format("{} ({})", text, span(at - facts.server_time));
}

std::string in_a_row(std::int64_t failures) {
  return fmt::format("{} failure{}", failures, failures == 1 ? "" : "s in a row");
}

std::string last_words(const AgentFacts& facts) {
  if (!facts.last_outcome) return "";
  const auto& reason = facts.last_reason.value_or("");
  return fmt::format("last: {}{}", *facts.last_outcome, reason.empty() ? "" : ", " + reason);
}

/// What went wrong before, behind a sentence about something else.
std::string history(const AgentFacts& facts) {
  if (facts.failures == 0) return "";
  const auto words = last_words(facts);
  return fmt::format(" ({}{})", in_a_row(facts.failures), words.empty() ? "" : "; " + words);
}

std::string_view kind_of(const Waiting& waiting) {
  return waiting.item ? name_of(waiting.item->task_type) : "unreadable";
}

std::string place(const AgentFacts& facts) {
  const auto& waiting = *facts.waiting;
  if (waiting.due)
    return fmt::format("waits until {} with its {} item", until(facts, *waiting.due),
                       kind_of(waiting));
  return fmt::format("is queued behind {} in {}", facts.ahead, queue_key(waiting.queue));
}

std::string backing_off(const AgentFacts& facts) {
  const auto end = until(facts, facts.server_time + facts.backoff_seconds);
  const auto words = last_words(facts);
  const auto last = words.empty() ? "" : fmt::format(" ({})", words);
  // A hold-off without a failure: a forced stop, a limit.
  if (facts.failures == 0) return fmt::format("is held off until {}{}", end, last);
  return fmt::format("is backing off until {} after {}{}", end, in_a_row(facts.failures), last);
}

std::string over_budget(const AgentFacts& facts, const OutsideFacts& outside) {
  const auto& reason =
      outside.over_budget.empty() ? facts.last_reason.value_or("") : outside.over_budget;
  auto text = std::string("is over budget") + (reason.empty() ? "" : ": " + reason);
  if (facts.backoff_seconds > 0)
    text += "; it is looked at again at " + until(facts, facts.server_time + facts.backoff_seconds);
  return text;
}

std::string unread(const OutsideFacts& outside) {
  const auto count = outside.unread.value_or(0);
  return fmt::format("has {}{} unread notification{}", outside.unread_is_more ? "at least " : "",
                     count, count == 1 ? "" : "s");
}

/// Of an agent with which Redis has nothing to do.
WaitReason idle_reason(const AgentFacts& facts, const OutsideFacts& outside) {
  if (!outside.hub_asked)
    return outside.hub_fault.empty() ? WaitReason::nothing : WaitReason::hub_away;
  if (!outside.known_to_hub) return WaitReason::unknown_to_hub;
  if (!outside.hub_status.empty()) return WaitReason::resting;
  if (!outside.over_budget.empty()) return WaitReason::over_budget;
  if (outside.unread.value_or(0) > 0) return facts.led ? WaitReason::unread : WaitReason::no_leader;
  if (outside.explores == false) return WaitReason::never_explores;
  if (!outside.stale_in_seconds) return WaitReason::nothing;
  if (*outside.stale_in_seconds > 0) return WaitReason::not_stale;
  return facts.led ? WaitReason::stale : WaitReason::no_leader;
}

std::string clause(WaitReason reason, const AgentFacts& facts, const OutsideFacts& outside) {
  switch (reason) {
    case WaitReason::running:
      return fmt::format("is running on {} since {}: activation {}{}",
                         facts.active->runner_id.str(), facts.active->started_at,
                         facts.active->activation_id.str(),
                         facts.follow_up ? ", and a follow-up is noted" : "");
    case WaitReason::generation:
      return "waits because work:generation is missing: the leader sets it at its election";
    case WaitReason::fleet_paused:
      return "waits because the whole fleet is paused";
    case WaitReason::paused:
      return "is paused";
    case WaitReason::no_executor:
      return fmt::format("{}, and no runner can take it: its executor '{}' is not available",
                         place(facts), outside.missing_executor);
    case WaitReason::no_runner:
      return fmt::format("{}, and no live runner takes {} work; start one with botburrow runner",
                         place(facts), kind_of(*facts.waiting));
    case WaitReason::queued:
      return fmt::format("{} for a runner that takes {} work", place(facts),
                         kind_of(*facts.waiting));
    case WaitReason::deferred:
      return place(facts) + ", which comes back by itself";
    case WaitReason::over_budget:
      return over_budget(facts, outside);
    case WaitReason::backing_off:
      return backing_off(facts);
    case WaitReason::hub_away:
      return "has nothing to do as far as Redis knows; the Hub could not be asked: " +
             outside.hub_fault;
    case WaitReason::unknown_to_hub:
      return "has nothing to do: the Hub knows no such agent";
    case WaitReason::resting:
      return fmt::format("is {} on the Hub", outside.hub_status);
    case WaitReason::no_leader: {
      const auto what = outside.unread.value_or(0) > 0
                            ? unread(outside)
                            : std::string("has been idle long enough to look around");
      return what + ", but no coordinator leads; start one with botburrow coordinator";
    }
    case WaitReason::unread:
      return unread(outside) + ", which the leader takes up at its next look at the Hub";
    case WaitReason::never_explores:
      return "has nothing unread, and never looks around by itself (behavior.discovery.enabled is "
             "false)";
    case WaitReason::not_stale:
      return fmt::format("has nothing unread and is not stale yet: it may look around in {}",
                         span(*outside.stale_in_seconds));
    case WaitReason::stale:
      return "has nothing unread, and looks around once the leader sends it";
    case WaitReason::nothing:
      return "has nothing to do";
  }
  return "";
}

}  // namespace

std::string_view name_of(WaitReason reason) {
  switch (reason) {
    case WaitReason::running:
      return "running";
    case WaitReason::generation:
      return "generation";
    case WaitReason::fleet_paused:
      return "fleet_paused";
    case WaitReason::paused:
      return "paused";
    case WaitReason::no_executor:
      return "no_executor";
    case WaitReason::no_runner:
      return "no_runner";
    case WaitReason::queued:
      return "queued";
    case WaitReason::deferred:
      return "deferred";
    case WaitReason::over_budget:
      return "over_budget";
    case WaitReason::backing_off:
      return "backing_off";
    case WaitReason::hub_away:
      return "hub_away";
    case WaitReason::unknown_to_hub:
      return "unknown_to_hub";
    case WaitReason::resting:
      return "resting";
    case WaitReason::no_leader:
      return "no_leader";
    case WaitReason::unread:
      return "unread";
    case WaitReason::never_explores:
      return "never_explores";
    case WaitReason::not_stale:
      return "not_stale";
    case WaitReason::stale:
      return "stale";
    case WaitReason::nothing:
      return "nothing";
  }
  return "nothing";
}

WaitReason wait_reason(const AgentFacts& facts, const OutsideFacts& outside) {
  if (facts.active) return WaitReason::running;
  if (facts.generation_missing) return WaitReason::generation;
  if (facts.fleet_paused) return WaitReason::fleet_paused;
  if (facts.paused) return WaitReason::paused;
  if (facts.waiting) {
    if (!outside.missing_executor.empty()) return WaitReason::no_executor;
    if (facts.waiting->due) return WaitReason::deferred;
    return outside.runner_lives == false ? WaitReason::no_runner : WaitReason::queued;
  }
  if (facts.backoff_seconds > 0) {
    return facts.last_outcome == "over_budget" ? WaitReason::over_budget : WaitReason::backing_off;
  }
  return idle_reason(facts, outside);
}

std::string to_sentence(const AgentFacts& facts, const OutsideFacts& outside) {
  const auto reason = wait_reason(facts, outside);
  const bool tells_failures = reason == WaitReason::backing_off || reason == WaitReason::running;
  return fmt::format("{} {}{}.", facts.agent_id.str(), clause(reason, facts, outside),
                     tells_failures ? "" : history(facts));
}

}  // namespace botburrow::queue
