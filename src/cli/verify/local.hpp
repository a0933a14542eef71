#pragma once

#include "cli/verify/local_world.hpp"
#include "cli/verify/report.hpp"

#include <functional>
#include <string>

namespace botburrow::cli::verify {

/// Told of each item as it is done.
using Progress = std::function<void(std::string_view id, const Outcome& outcome)>;

/// A run in a world of its own. Items that are not among `only` (all, where it is empty) are run
/// where later ones rest on them, and not reported.
struct LocalRun {
  LocalWorld& world;
  Outcomes& outcomes;
  Progress progress;
  /// Runs one item: what it throws is its failure.
  Task<> show(std::string id, std::function<Task<Outcome>()> item);
};

// In this order: each leaves the services that the next one wants.
Task<> show_hub(LocalRun& run);          ///< A25 A26
Task<> show_leadership(LocalRun& run);   ///< A5 to A10 A16; two coordinators are there afterwards
Task<> show_one_runner(LocalRun& run);   ///< A22 A40 A41 A43 A53 A54 A59; one runner of two slots
Task<> show_alerts(LocalRun& run);       ///< A44, while all is well
Task<> show_agents(LocalRun& run);       ///< A13 to A15 A30 A32 to A39 A48 A52
Task<> show_runner_ends(LocalRun& run);  ///< A18 A19 A20; three runners
Task<> show_load(LocalRun& run);         ///< A17
Task<> show_leader_ends(LocalRun& run);  ///< A11 A12 A42 A47
Task<> show_wrong_settings(LocalRun& run);  ///< A27 A28 A29
Task<> show_secrets(LocalRun& run);         ///< A49 A58

/// A55 A56 A60, in a system of its own beside the other. What it throws is the failure of those.
Task<> show_wire(const Ground& ground, Outcomes& outcomes, Progress progress);

/// All of it: two coordinators, three runners, a Hub, a Redis and a model on this machine.
Task<> run_local(const Ground& ground, Outcomes& outcomes, Progress progress);

}  // namespace botburrow::cli::verify
