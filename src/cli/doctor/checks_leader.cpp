#include "cli/doctor/check.hpp"
#include "cli/doctor/facts.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace botburrow::cli::doctor {
namespace {

Verdict present(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  if (!q.term_held) return fault("nobody holds the term");
  if (!q.term_moves) {
    return fault(fmt::format("{} holds epoch {} and has not renewed it for {:.0f} s",
                             q.term_instance, q.snapshot.epoch, q.watched_seconds),
                 "it has died or hangs, and no other coordinator has taken over",
                 "wait ten seconds and look again; then start or restart a coordinator");
  }
  return good(fmt::format("{} leads, epoch {}", q.term_instance, q.snapshot.epoch));
}

Verdict single(const Facts& facts) {
  std::vector<std::string> leaders;
  std::size_t asked = 0;
  for (const auto& service : facts.services) {
    if (service.kind != "coordinator" || !service.trouble.empty()) continue;
    const auto at = service.metrics.find("botburrow_coordinator_is_leader");
    if (at == service.metrics.end()) continue;
    ++asked;
    if (at->second > 0) leaders.push_back(service.url);
  }
  if (asked == 0)
    return nothing_there("no coordinator's address is known; give --coordinator URL for each");
  const auto evidence =
      fmt::format("{} of {} coordinators say that they lead", leaders.size(), asked);
  return leaders.size() > 1 ? fault(evidence) : good(evidence);
}

Verdict generation(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  if (!q.snapshot.generation.empty()) return good(q.snapshot.generation);
  if (!is_led(facts)) return unknown("a leader makes it, and there is none");
  if (!facts.hub.takes_key()) return unknown("the leader needs the Hub for it");
  if (const auto polls = polls_of_leader(facts); polls && polls->mostly_fail())
    return unknown("the leader's calls of the Hub fail");
  return fault("work:generation is missing");
}

/// Whether Redis shows that services of this kind are gone: there is a check for that.
bool is_told_by_redis(const Facts& facts, const std::string& kind) {
  if (!facts.queue.trouble.empty()) return false;
  if (kind == "coordinator") return !is_led(facts);
  return !has_runner(facts) ||
         std::ranges::any_of(facts.queue.runners, [&](const queue::Heartbeat& beat) {
           return overdue(facts, beat).has_value();
         });
}

Verdict services(const Facts& facts, const std::string& kind) {
  std::vector<std::string> fine;
  for (const auto& service : facts.services) {
    if (service.kind != kind) continue;
    if (!service.trouble.empty() && !facts.machine.proxy_trouble.empty())
      return unknown("the proxy does not answer");
    // What has a check of its own is named there.
    if (listens_elsewhere(facts, service.url)) return unknown("it listens on another address");
    if (answered_by_another(service)) return unknown("another program has its port");
    if (!service.trouble.empty() && is_told_by_redis(facts, kind))
      return unknown(fmt::format("{}: {}, as is said elsewhere", service.url, service.trouble));
    if (!service.trouble.empty()) return fault(fmt::format("{}: {}", service.url, service.trouble));
    if (service.health_status != 200) {
      return fault(fmt::format("{}/health answers {}: {}", service.url, service.health_status,
                               service.reason),
                   "a loop of it hangs", "restart it; its log says what it was doing");
    }
    if (service.ready_status != 200) {
      const auto& reason = service.reason;
      const auto evidence =
          fmt::format("{}/ready answers {}: {}", service.url, service.ready_status, reason);
      if (reason == "redis" && !facts.redis.answers()) return unknown("not ready: Redis");
      if ((reason == "hub_key" || reason == "hub") && !facts.hub.takes_key())
        return unknown("not ready: the Hub");
      if (reason == "definitions" && !facts.definitions.usable)
        return unknown("not ready: definitions");
      if (reason == "generation" && (!is_led(facts) || facts.queue.snapshot.generation.empty()))
        return unknown("not ready: no leader has begun a generation");
      return fault(evidence);
    }
    fine.push_back(service.url);
  }
  if (fine.empty()) {
    return nothing_there(fmt::format("no {}'s address is known; give --{} URL", kind, kind));
  }
  return good(fmt::format("{} ready", fmt::join(fine, ", ")));
}

Verdict coordinators(const Facts& facts) {
  return services(facts, "coordinator");
}

}  // namespace

Verdict judge_runner_services(const Facts& facts) {
  return services(facts, "runner");
}

const std::vector<Check>& leader_checks() {
  static const std::vector<Check> checks = {
      {"leader.present", "A coordinator leads",
       "no coordinator runs, or none reaches Redis: nothing new is enqueued",
       "start `botburrow coordinator`, and read its log; see the runbook NoCoordinatorLeader",
       present},
      {"leader.single", "One coordinator leads, not two",
       "two coordinators use different Redis servers, or one of them hangs",
       "the same REDIS_URL for all; see the runbook MultipleLeaders", single},
      {"leader.generation", "The leader has compared Redis with the Hub",
       "Redis was emptied or restored, and the leader cannot finish comparing it with the Hub: "
       "nothing is claimed",
       "the leader's log says why (`generation_check_failed`)", generation},
      {"coordinator.ready", "Coordinators are ready",
       "a coordinator is down, or waits for something", "start it, or mend what it names",
       coordinators}};
  return checks;
}

}  // namespace botburrow::cli::doctor
