#include "cli/doctor/check.hpp"
#include "cli/doctor/facts.hpp"
#include "cli/doctor/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace botburrow::cli::doctor {
namespace {

using hubapi::KeyStanding;

constexpr double kSlowMs = 1000;
constexpr double kClockMax = 120;

std::optional<Verdict> not_reached(const Facts& facts) {
  const auto& h = facts.hub;
  if (!h.trouble.empty()) return unknown(h.trouble);
  if (!h.name_trouble.empty()) return unknown("the Hub's name does not resolve");
  if (!h.reach_trouble.empty()) return unknown("the Hub is not reached");
  return std::nullopt;
}

Verdict named(const Facts& facts) {
  const auto& h = facts.hub;
  if (!h.trouble.empty()) return unknown(h.trouble);
  return h.name_trouble.empty() ? good(h.url) : fault(h.name_trouble);
}

Verdict reached(const Facts& facts) {
  const auto& h = facts.hub;
  if (!h.trouble.empty()) return unknown(h.trouble);
  if (!h.name_trouble.empty()) return unknown("its name does not resolve");
  if (h.reach_trouble.empty()) return good(h.url);
  if (!facts.machine.proxy_trouble.empty()) return unknown("the proxy does not answer");
  if (listens_elsewhere(facts, h.url)) return unknown("it listens on another address");
  return fault(h.reach_trouble);
}

Verdict healthy(const Facts& facts) {
  if (auto verdict = not_reached(facts)) return *verdict;
  const int status = facts.hub.health_status;
  const auto evidence = fmt::format("/api/v1/health answers {}", status);
  // A Hub of others need not have it.
  if (status < 500) return good(evidence);
  return fault(evidence);
}

Verdict key(const Facts& facts) {
  if (auto verdict = not_reached(facts)) return *verdict;
  const auto& h = facts.hub;
  if (facts.hub.health_status >= 500) return unknown("the Hub is ill");
  switch (h.key.standing) {
    case KeyStanding::accepted:
      return h.key.reason.empty() ? good("it takes the key")
                                  : fault(h.key.reason, "the key may not do what services do",
                                          "make one of type service and set it as HUB_API_KEY");
    case KeyStanding::refused:
      return fault(h.has_key ? h.key.reason : "no key is set: " + h.key.reason);
    case KeyStanding::unknown:
      break;
  }
  return unknown(h.key.reason.empty() ? "it gave no answer in time" : h.key.reason);
}

std::optional<Verdict> no_key(const Facts& facts) {
  if (auto verdict = not_reached(facts)) return verdict;
  if (!facts.hub.takes_key()) return unknown("the Hub does not take the key");
  return std::nullopt;
}

/// Whether the endpoint is there is asked with a method that it does not have, because every real
/// poll takes work; how real ones end, the leader's counters tell.
Verdict long_poll(const Facts& facts) {
  if (auto verdict = no_key(facts)) return *verdict;
  const auto& h = facts.hub;
  if (!h.poll_trouble.empty()) return unknown(h.poll_trouble);
  if (h.poll_status == 404 || h.poll_status == 501)
    return good("this Hub has none: its lists are asked every POLL_INTERVAL instead");
  if (h.poll_status >= 500) return fault(fmt::format("the endpoint answers {}", h.poll_status));
  const auto polls = polls_of_leader(facts);
  if (!polls)
    return nothing_there(
        "the endpoint is there; how polls end is not seen from here: name the "
        "leader with --coordinator URL");
  if (polls->fine + polls->failed == 0)
    return nothing_there(
        "the endpoint is there; no poll of the leader has ended yet: look again "
        "after LONG_POLL_TIMEOUT");
  const auto evidence =
      fmt::format("the leader's polls: {:.0f} fine, {:.0f} failed", polls->fine, polls->failed);
  return polls->mostly_fail() ? fault(evidence) : good(evidence);
}

Verdict lists(const Facts& facts) {
  if (auto verdict = no_key(facts)) return *verdict;
  const auto& h = facts.hub;
  if (!h.lists_trouble.empty()) return fault(h.lists_trouble);
  if (!h.waiting_agents) return unknown("it gave no answer in time");
  return good(fmt::format("{} agents have unread notifications", *h.waiting_agents));
}

Verdict staleness(const Facts& facts) {
  if (auto verdict = no_key(facts)) return *verdict;
  const auto& h = facts.hub;
  if (!h.lists_trouble.empty() || !h.stale_agents) return unknown("the lists are not readable");
  const bool anybody = std::ranges::any_of(facts.definitions.agents,
                                           [](const auto& agent) { return agent.explores; });
  if (!facts.definitions.usable) return unknown("the definitions are not readable");
  if (!anybody) return nothing_there("no agent looks around (behavior.discovery.enabled)");
  return good(fmt::format("{} agents are stale by MIN_ACTIVATION_INTERVAL", *h.stale_agents));
}

Verdict latency(const Facts& facts) {
  if (auto verdict = not_reached(facts)) return *verdict;
  const double median = median_of(facts.hub.round_trips_ms);
  const auto evidence =
      fmt::format("{:.1f} ms, median of {}", median, facts.hub.round_trips_ms.size());
  return median <= kSlowMs ? good(evidence) : fault(evidence);
}

Verdict clock(const Facts& facts) {
  if (auto verdict = not_reached(facts)) return *verdict;
  if (!facts.hub.clock_ahead_seconds) return nothing_there("the Hub does not tell its time");
  const double ahead = *facts.hub.clock_ahead_seconds;
  const auto evidence = fmt::format("{:+.0f} s against this machine", ahead);
  return std::abs(ahead) <= kClockMax ? good(evidence) : fault(evidence);
}

}  // namespace

const std::vector<Check>& hub_checks() {
  static const std::vector<Check> checks = {
      {"hub.name", "The Hub's name resolves",
       "HUB_URL names a host that no name server knows from here (wrong name, namespace or DNS)",
       "correct the host in HUB_URL, or mend DNS (`nslookup HOST`)", named},
      {"hub.reach", "The Hub is reached",
       "it is down, or port, proxy, certificate or NetworkPolicy are wrong",
       "start it, or correct HUB_URL; `curl -sv \"$HUB_URL/api/v1/health\"` must answer", reached},
      {"hub.health", "The Hub is healthy", "its database does not answer, or it is overloaded",
       "its log says why (`hub_database_fault`); see the runbook HubDatabaseDown", healthy},
      {"hub.key", "The Hub takes our key", "HUB_API_KEY is missing, wrong, expired or revoked",
       "make a key of type service at the Hub (POST /api/v1/keys), set it as HUB_API_KEY, restart "
       "the services",
       key},
      {"hub.long_poll", "Long polls come through",
       "a proxy between leader and Hub ends them early, or the Hub fails them",
       "idle time-outs of every proxy above LONG_POLL_TIMEOUT; see the runbook HubPollErrors",
       long_poll},
      {"hub.lists", "The Hub's lists are readable",
       "the key may not read them, or this Hub has no such lists",
       "use a key of type service, and a Hub with the documented API", lists},
      {"hub.staleness", "Agents that look around are found",
       "the list of idle agents cannot be read, or no agent may look around",
       "behavior.discovery.enabled in the agent's definition; MIN_ACTIVATION_INTERVAL", staleness},
      {"hub.latency", "The Hub answers quickly", "a slow network, or a Hub short of processor",
       "look at botburrow_hub_request_duration_seconds; give the Hub more", latency},
      {"clock.hub", "The Hub's clock agrees with this one",
       "clocks differ: staleness, budgets and daily limits come early or late",
       "set both clocks by NTP (`timedatectl`)", clock}};
  return checks;
}

}  // namespace botburrow::cli::doctor
