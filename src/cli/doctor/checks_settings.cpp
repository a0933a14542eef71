#include "cli/doctor/check.hpp"
#include "cli/doctor/facts.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace botburrow::cli::doctor {
namespace {

Verdict lines_or(const std::vector<std::string>& lines, const char* fine) {
  return lines.empty() ? good(fine) : fault(fmt::format("{}", fmt::join(lines, " | ")));
}

/// A folder that cannot be written is named where folders are.
bool is_told_by_mounts(const Facts& facts, const std::string& problem) {
  const bool of_a_folder = problem.find("not writable") != std::string::npos ||
                           problem.find("cannot be made") != std::string::npos;
  return of_a_folder && std::ranges::any_of(facts.machine.disks, [&](const DiskFacts& disk) {
           return !disk.writable && problem.find(disk.purpose + "=") != std::string::npos;
         });
}

Verdict valid(const Facts& facts) {
  std::vector<std::string> lines;
  for (const auto& problem : facts.settings.problems)
    if (!is_told_by_mounts(facts, problem)) lines.push_back(problem);
  if (lines.empty() && !facts.settings.problems.empty())
    return unknown(facts.settings.problems.front() + ", as is said elsewhere");
  return lines_or(lines, "every setting is good");
}
Verdict conflicts(const Facts& facts) {
  return lines_or(facts.settings.conflicts, "no setting is set twice");
}
Verdict unknown_names(const Facts& facts) {
  return lines_or(facts.settings.unknown_names, "every BOTBURROW_ name is known");
}
Verdict placeholders(const Facts& facts) {
  return lines_or(facts.settings.placeholders, "no key holds a template's text");
}

Verdict times(const Facts& facts) {
  const auto& s = facts.settings;
  const auto evidence =
      fmt::format("ACTIVATION_TIMEOUT {} s, LLM_TIMEOUT {} s, MAX_ITERATIONS {}",
                  s.activation_timeout.count(), s.model_timeout.count(), s.iterations_max);
  if (s.model_timeout < s.activation_timeout) return good(evidence);
  return fault(evidence);
}

Verdict running(const Facts& facts) {
  const auto& s = facts.settings;
  return s.system_trouble.empty() ? good(s.place) : fault(s.system_trouble);
}

}  // namespace

const std::vector<Check>& settings_checks() {
  static const std::vector<Check> checks = {
      {"settings.valid", "Settings are valid", "a value that no service would start with (exit 78)",
       "correct the setting that the line names; `botburrow config` shows all with their sources",
       valid},
      {"settings.conflict", "No setting is set twice",
       "two sources set the same name differently, and the first wins",
       "remove one of the two that the line names", conflicts},
      {"settings.unknown", "No setting is misspelt",
       "a BOTBURROW_ name that no service reads: the setting that was meant keeps its default",
       "spell it as the line proposes; all names stand in docs/settings.md", unknown_names},
      {"settings.placeholder", "No key is a placeholder",
       "a Secret was applied from its template before it was filled in",
       "put the real key there and restart the services", placeholders},
      {"settings.times", "Time-outs fit into each other",
       "one model call may take as long as a whole activation, so an activation times out in it",
       "set LLM_TIMEOUT below ACTIVATION_TIMEOUT", times},
      {"system.running", "The system is running", "`botburrow up` was ended, or never started here",
       "start it with `botburrow up`, or name another with --data DIR, or --redis-url and "
       "--hub-url",
       running}};
  return checks;
}

}  // namespace botburrow::cli::doctor
