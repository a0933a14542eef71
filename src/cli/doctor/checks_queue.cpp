#include "cli/doctor/check.hpp"
#include "cli/doctor/facts.hpp"
#include "cli/doctor/words.hpp"
#include "queue/breaker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace botburrow::cli::doctor {
namespace {

constexpr double kOld = 900;
constexpr std::int64_t kBacklog = 100;
constexpr std::int64_t kOutbox = 50;

Verdict paused(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  if (q.snapshot.paused.empty()) return good("nobody is paused");
  if (std::ranges::find(q.snapshot.paused, "*") != q.snapshot.paused.end())
    return fault("the whole fleet is paused", "somebody paused it",
                 "`botburrow agents resume --all`");
  return fault(few(q.snapshot.paused));
}

Verdict breaker(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  std::vector<std::string> tripped;
  for (const auto& [agent, seconds] : q.snapshot.backoff) {
    const auto at = q.snapshot.failures.find(agent);
    if (at != q.snapshot.failures.end() && at->second >= queue::kFailuresMax)
      tripped.push_back(fmt::format("{} ({} failures, {:.0f} s left)", agent, at->second, seconds));
  }
  if (!tripped.empty()) return fault(few(tripped));
  return good(q.snapshot.backoff.empty() ? std::string("nobody is held off")
                                         : fmt::format("{} held off for a while, none by failures",
                                                       q.snapshot.backoff.size()));
}

/// Kinds of work that wait and that no live runner takes.
std::set<std::string> unserved(const QueueFacts& q) {
  std::set<std::string> kinds;
  for (const auto& element : q.waiting) {
    if (!element.item) continue;
    const auto type = element.item->task_type;
    const bool served = std::ranges::any_of(q.runners, [&](const auto& beat) {
      return beat.status != queue::RunnerStatus::draining &&
             queue::accepts(beat.mode.value_or(queue::RunnerMode::hybrid), type);
    });
    if (!served) kinds.insert(type == queue::TaskType::inbox ? "inbox" : "discovery");
  }
  return kinds;
}

Verdict mode(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  if (q.runners.empty()) return unknown("no runner lives");
  const auto kinds = unserved(q);
  if (kinds.empty()) return good("every kind of work that waits has a runner");
  return fault(fmt::format("work of kind {} waits, and no live runner takes it", *kinds.begin()),
               "",
               *kinds.begin() == "inbox" ? "start a runner with RUNNER_MODE=notification or hybrid"
                                         : "start a runner with RUNNER_MODE=exploration or hybrid");
}

/// What has a check of its own explains old work well enough.
bool explained(const Facts& facts) {
  const auto& q = facts.queue;
  return !q.snapshot.paused.empty() || q.runners.empty() || !unserved(q).empty() ||
         q.snapshot.generation.empty() || is_saturated(facts);
}

Verdict age(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  const double seconds = oldest_wait(facts);
  const auto evidence = seconds > 0 ? fmt::format("the oldest item has waited {:.0f} s", seconds)
                                    : std::string("nothing waits");
  if (seconds <= kOld) return good(evidence);
  return explained(facts) ? unknown(evidence + ", for a reason named above") : fault(evidence);
}

Verdict backlog(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  const auto& s = q.snapshot;
  const auto evidence = fmt::format("high {}, normal {}, low {}, deferred {}", s.high.length,
                                    s.normal.length, s.low.length, s.deferred);
  if (s.high.length <= kBacklog) return good(evidence);
  return explained(facts) ? unknown(evidence + ", for a reason named above") : fault(evidence);
}

Verdict dead(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  if (q.snapshot.dead == 0) return good("no dead letters");
  const auto reason = q.dead.empty() ? ""
                                     : fmt::format(", the newest of {}: {}",
                                                   q.dead.front().agent_id, q.dead.front().reason);
  return fault(fmt::format("{} dead letters{}", q.snapshot.dead, reason));
}

Verdict outbox(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  const auto evidence = fmt::format("{} reports wait", q.snapshot.outbox);
  if (q.snapshot.outbox <= kOutbox) return good(evidence);
  return facts.hub.takes_key() ? fault(evidence) : unknown(evidence + ", for the Hub");
}

Verdict census(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  const auto& c = q.census;
  const auto evidence = fmt::format("enqueued {} = waiting {} + leased {} + dead {} + done {}",
                                    c.enqueued, c.waiting, c.leased, c.dead, c.done);
  return c.closes() ? good(evidence) : fault(evidence + " does not close");
}

}  // namespace

const std::vector<Check>& queue_checks() {
  static const std::vector<Check> checks = {
      {"queue.paused", "Nobody is paused", "somebody paused these agents",
       "`botburrow agents resume AGENT`", paused},
      {"queue.breaker", "No circuit breaker is open",
       "five failures in a row: the agent is held off, longer after each further one",
       "`botburrow backoff` shows the reason; mend it, then `botburrow backoff clear AGENT`",
       breaker},
      {"queue.mode", "Every kind of work has a runner",
       "the runners' modes do not cover what waits", "start a runner of that mode, or hybrid",
       mode},
      {"queue.age", "Nothing waits for long", "runners are too few or too slow",
       "`botburrow why AGENT`; see the runbook OldestWorkWaiting", age},
      {"queue.backlog", "Few agents wait", "more than a hundred mentions wait: runners are too few",
       "add runners; see the runbook WorkQueueBacklog", backlog},
      {"queue.dead", "No dead letters", "work or a notification was given up",
       "`botburrow dead` shows why; mend it, then `botburrow dead retry ID` or `dead clear ID`",
       dead},
      {"queue.outbox", "Reports reach the Hub", "the Hub does not accept reports of spending",
       "the runners' logs say why (`report_failed`)", outbox},
      {"queue.census", "The queue's census closes",
       "somebody removed items by hand, or restored part of the keys",
       "it settles within 15 s after foreign pushes; else report it with `botburrow status --json`",
       census}};
  return checks;
}

}  // namespace botburrow::cli::doctor
