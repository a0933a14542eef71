#pragma once

#include "queue/operator_view.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace botburrow::queue {

/// What others than Redis tell of an agent: the Hub, its definition, the runners. Each part only
/// where it could be asked.
struct OutsideFacts {
  bool hub_asked = false;  ///< it answered
  std::string hub_fault;   ///< why it did not; empty: no Hub is known either
  bool known_to_hub = true;
  std::string hub_status;              ///< of an agent that rests there: paused, retired, banned
  std::optional<std::int64_t> unread;  ///< notifications
  bool unread_is_more = false;         ///< there are at least that many
  std::string over_budget;             ///< in the words of the Hub's budget; empty: it is not
  std::optional<double> stale_in_seconds;  ///< until it may look around; 0: it may
  std::string missing_executor;            ///< the executor that it needs and nobody has
  std::optional<bool> explores;            ///< behavior.discovery.enabled
  std::optional<bool> runner_lives;        ///< one that takes the kind of work that waits
};

/// What an agent waits for, the first that holds.
enum class WaitReason {
  running,
  generation,  ///< nothing is claimed until the leader has compared Redis with the Hub
  fleet_paused,
  paused,
  no_executor,  ///< its work waits, and no runner can do it
  no_runner,    ///< its work waits, and no live runner takes that kind
  queued,
  deferred,  ///< until a time
  over_budget,
  backing_off,
  hub_away,  ///< Redis has nothing for it, and the Hub could not be asked
  unknown_to_hub,
  resting,         ///< paused, retired or banned on the Hub
  no_leader,       ///< there would be something, and nobody looks
  unread,          ///< the leader takes it up at its next look
  never_explores,  ///< nothing unread, and no looking around
  not_stale,       ///< nothing unread, and too early to look around
  stale,           ///< it looks around once the leader sends it
  nothing,
};
/// "running", "no_executor" and so on, for scripts.
std::string_view name_of(WaitReason reason);
WaitReason wait_reason(const AgentFacts& facts, const OutsideFacts& outside);

/// One sentence for people, e.g. "scribe is queued behind 3 in work:queue:high …".
std::string to_sentence(const AgentFacts& facts, const OutsideFacts& outside = {});

}  // namespace botburrow::queue
