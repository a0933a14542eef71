#include "base/time.hpp"
#include "cli/doctor/check.hpp"
#include "cli/doctor/facts.hpp"
#include "cli/doctor/words.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::cli::doctor {

Verdict judge_runner_services(const Facts& facts);

namespace {

constexpr double kRecent = 3600;
constexpr std::size_t kEnough = 5;

bool works(const queue::Heartbeat& beat) {
  return beat.status != queue::RunnerStatus::draining;
}

Verdict alive(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  std::vector<std::string> names;
  for (const auto& beat : q.runners) {
    if (works(beat))
      names.push_back(fmt::format("{} ({})", beat.runner_id.str(),
                                  beat.mode ? queue::name_of(*beat.mode) : "mode unknown"));
  }
  return names.empty() ? fault("no runner has a heartbeat") : good(few(names));
}

Verdict heartbeat(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  if (q.runners.empty()) return unknown("no runner lives");
  std::vector<std::string> old;
  for (const auto& beat : q.runners) {
    if (const auto age = overdue(facts, beat))
      old.push_back(fmt::format("{} {:.0f} s ago", beat.runner_id.str(), *age));
  }
  return old.empty() ? good(fmt::format("{} runners, all in time", q.runners.size()))
                     : fault(few(old));
}

Verdict sandboxed(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  if (q.runners.empty()) return unknown("no runner lives");
  std::vector<std::string> bare, fine;
  for (const auto& beat : q.runners) {
    if (beat.sandbox == "none")
      bare.push_back(fmt::format("{}: {}", beat.runner_id.str(), beat.sandbox_reason));
    else if (!beat.sandbox.empty())
      fine.push_back(fmt::format("{}: {}", beat.runner_id.str(), beat.sandbox));
  }
  if (!bare.empty()) return fault(few(bare, 3));
  return fine.empty() ? good("no runner has told its tier yet") : good(few(fine));
}

Verdict capacity(const Facts& facts) {
  const auto& q = facts.queue;
  if (!q.trouble.empty()) return unknown(q.trouble);
  std::int64_t active = 0, slots = 0;
  for (const auto& beat : q.runners) {
    active += beat.active;
    slots += beat.capacity;
  }
  if (slots == 0) return unknown("no runner lives");
  const auto waiting = q.snapshot.high.length + q.snapshot.normal.length + q.snapshot.low.length;
  const auto evidence = fmt::format("{} of {} slots busy, {} items wait", active, slots, waiting);
  return is_saturated(facts) ? fault(evidence) : good(evidence);
}

/// Results of the last hour.
std::vector<const queue::ActivationResult*> recent(const Facts& facts) {
  std::vector<const queue::ActivationResult*> found;
  for (const auto& result : facts.queue.results) {
    const auto at = parse_rfc3339(result.timestamp);
    if (at && facts.now - to_unix(*at) <= kRecent) found.push_back(&result);
  }
  return found;
}

bool is_failure(const queue::ActivationResult& result) {
  return result.status == "failure" || result.status == "timeout";
}

template <class Matches>
Verdict of_results(const Facts& facts, Matches matches, const char* what) {
  if (!facts.queue.trouble.empty()) return unknown(facts.queue.trouble);
  const auto results = recent(facts);
  std::vector<std::string> found;
  for (const auto* result : results) {
    if (matches(*result)) {
      found.push_back(result->error ? fmt::format("{}: {}", result->agent_name, *result->error)
                                    : result->agent_name);
    }
  }
  const auto evidence =
      fmt::format("{} of {} activations of the last hour {}", found.size(), results.size(), what);
  return found.empty() ? good(evidence) : fault(fmt::format("{}: {}", evidence, few(found, 3)));
}

Verdict timeouts(const Facts& facts) {
  return of_results(facts, [](const auto& r) { return r.status == "timeout"; }, "timed out");
}

Verdict iterations(const Facts& facts) {
  return of_results(
      facts,
      [](const auto& r) { return r.error && r.error->find("iterations") != std::string::npos; },
      "ended at their iteration limit");
}

Verdict failures(const Facts& facts) {
  if (!facts.queue.trouble.empty()) return unknown(facts.queue.trouble);
  const auto results = recent(facts);
  std::vector<std::string> found;
  for (const auto* result : results) {
    const bool told_elsewhere =
        result->status == "timeout" ||
        (result->error && result->error->find("iterations") != std::string::npos);
    if (is_failure(*result) && !told_elsewhere)
      found.push_back(fmt::format("{}: {}", result->agent_name, result->error.value_or("")));
  }
  const auto evidence =
      fmt::format("{} of {} activations of the last hour failed", found.size(), results.size());
  if (results.size() < kEnough || found.size() * 10 <= results.size()) return good(evidence);
  return fault(fmt::format("{}: {}", evidence, few(found, 3)));
}

}  // namespace

const std::vector<Check>& runner_checks() {
  static const std::vector<Check> checks = {
      {"runner.alive", "Runners live", "no runner runs, or none reaches Redis",
       "start `botburrow runner`, and read its log; see the runbook NoActiveRunners", alive},
      {"runner.ready", "Runners are ready", "a runner is down, or waits for something",
       "start it, or mend what it names", judge_runner_services},
      {"runner.heartbeat", "Runners beat in time", "a runner died or hangs",
       "restart it; its work is given to others within twelve seconds", heartbeat},
      {"runner.sandbox", "Runners have a sandbox",
       "neither bubblewrap nor Landlock holds there: agents get no files and no programs",
       "the reason stands beside; docs/sandbox.md, and the runbook SandboxMissing", sandboxed},
      {"runner.capacity", "Runners have room", "every slot is busy and work waits for minutes",
       "raise MAX_CONCURRENT_ACTIVATIONS or add runners (docs/operations/deployment.md)", capacity},
      {"runner.timeouts", "Activations end in time",
       "a slow model or tool, or ACTIVATION_TIMEOUT is short",
       "`botburrow replay ID` shows where the time went; raise ACTIVATION_TIMEOUT", timeouts},
      {"runner.iterations", "Activations end within their iterations",
       "the agent goes on and on without an answer",
       "`botburrow replay ID`; mend its prompt, or raise behavior.max_iterations", iterations},
      {"runner.failures", "Few activations fail", "more than a tenth failed in the last hour",
       "the reasons stand beside; see the runbook HighActivationFailureRate", failures}};
  return checks;
}

}  // namespace botburrow::cli::doctor
