// Rules only: how a claim ends, and what is recorded of it.
#include "runner/supervisor.hpp"

#include <fmt/format.h>

namespace botburrow::runner {

using agent::Ending;
using queue::HandBackReason;
using namespace std::chrono_literals;

namespace {

Ending ending_of_stop(StopReason reason) {
  switch (reason) {
    case StopReason::cancelled:
      return {
          .outcome = queue::Outcome::cancelled, .hold_off = 60s, .reason = "Activation cancelled"};
    case StopReason::lost:
      return Ending::abandoned("the lease was lost");
    case StopReason::fenced:
      return Ending::handed_back(HandBackReason::fenced, "trust in the lease ended");
    case StopReason::drain:
      return Ending::handed_back(HandBackReason::drain, "the runner shuts down");
  }
  return Ending::abandoned("the lease was lost");
}

}  // namespace

Ending decide_ending(const RunEnd& end) {
  // Somebody else's: nothing of ours may change it.
  if (end.stop_reason == StopReason::lost) return ending_of_stop(StopReason::lost);
  const bool came_to_an_end = end.ending && end.ending->way == Ending::Way::complete &&
                              !queue::is_failure(end.ending->outcome);
  if (came_to_an_end) return *end.ending;
  // What else it says may be but the echo of being told: writes that are refused, calls that break
  // off.
  if (end.stop_reason) return ending_of_stop(*end.stop_reason);
  if (end.ending && end.ending->way == Ending::Way::abandon) {
    // No longer trusted, or the Hub saw a higher fence. If the claim is still ours it goes back;
    // if it is not, giving it back changes nothing.
    return Ending::handed_back(HandBackReason::fenced, end.ending->reason, 5s);
  }
  if (end.ending) return *end.ending;
  if (end.bound == BoundedEnd::deadline) {
    auto ending =
        Ending::failed(fmt::format("Execution timed out after {} seconds", end.timeout.count()));
    ending.outcome = queue::Outcome::timeout;
    return ending;
  }
  if (!end.failure.empty()) return Ending::failed(end.failure);
  return ending_of_stop(StopReason::drain);
}

queue::ActivationResult result_of(const Ending& ending, const agent::Tally& tally,
                                  const queue::Claim& claim, double duration_seconds,
                                  WallTime now) {
  queue::ActivationResult result{.agent_id = claim.item.agent_id,
                                 .agent_name = claim.item.agent_name,
                                 .success = ending.outcome == queue::Outcome::success,
                                 .posts_created = tally.posts,
                                 .comments_created = tally.comments,
                                 .notifications_processed = tally.processed,
                                 .tokens_input = tally.usage.input,
                                 .tokens_output = tally.usage.output,
                                 .cost_usd = tally.cost_usd,
                                 .duration_seconds = duration_seconds};
  if (!ending.reason.empty()) result.error = ending.reason;
  result.timestamp = to_rfc3339(now);
  result.activation_id = claim.activation_id;
  result.work_id = claim.work_id;
  result.runner_id = claim.runner_id;
  result.task_type = claim.item.task_type;
  result.status = std::string(queue::status_of(ending.outcome));
  return result;
}

}  // namespace botburrow::runner
