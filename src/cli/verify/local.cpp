#include "cli/verify/local.hpp"

#include "base/cleanup.hpp"
#include "base/error.hpp"

namespace botburrow::cli::verify {

Task<> LocalRun::show(std::string id, std::function<Task<Outcome>()> item) {
  Outcome outcome;
  try {
    outcome = co_await item();
  } catch (const Error& error) {
    outcome = failed(error.message());
  }
  if (progress) progress(id, outcome);
  outcomes[id] = std::move(outcome);
}

namespace {

Task<> run_all(LocalWorld& world, Outcomes& outcomes, Progress progress) {
  co_await world.start();
  LocalRun run{.world = world, .outcomes = outcomes, .progress = std::move(progress)};
  co_await show_hub(run);
  co_await show_leadership(run);
  co_await show_one_runner(run);
  co_await show_alerts(run);
  co_await show_agents(run);
  co_await show_runner_ends(run);
  co_await show_load(run);
  co_await show_leader_ends(run);
  co_await show_wrong_settings(run);
  co_await show_secrets(run);
}

/// An error of one is no end of the other; to be cancelled is.
Task<> run_both(LocalWorld& world, Outcomes& outcomes, Progress progress, TaskGroup& beside) {
  std::exception_ptr failure;
  try {
    co_await with_cleanup(run_all(world, outcomes, std::move(progress)),
                          [&world] { return world.stop(); });
  } catch (const Error&) {
    failure = std::current_exception();
  }
  co_await beside.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

Task<> run_local(const Ground& ground, Outcomes& outcomes, Progress progress) {
  LocalWorld world(ground);
  // Beside the rest: it has services of its own, and mostly waits.
  TaskGroup beside(ground.executor);
  beside.spawn("wire", [&] { return show_wire(ground, outcomes, progress); });
  co_await with_cleanup(run_both(world, outcomes, progress, beside),
                        [&beside] { return beside.stop(); });
}

}  // namespace botburrow::cli::verify
