#pragma once

#include "base/ids.hpp"
#include "base/task.hpp"
#include "queue/results.hpp"
#include "queue/work_item.hpp"

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::queue {

/// Which task types a runner takes: notification = inbox, exploration = discovery, hybrid = both.
enum class RunnerMode { notification, exploration, hybrid };
std::string_view name_of(RunnerMode mode);
std::optional<RunnerMode> parse_runner_mode(std::string_view text);
bool accepts(RunnerMode mode, TaskType type);

/// The number that grows with each claim. Compared in order: generation first.
struct Fence {
  std::int64_t generation = 0;
  std::int64_t counter = 0;
  /// The wire form `G.C`.
  std::string to_string() const;
  friend auto operator<=>(const Fence&, const Fence&) = default;
};
std::optional<Fence> parse_fence(std::string_view text);

// ---- enqueue ---------------------------------------------------------------------------------

struct EnqueueOptions {
  /// The leader's epoch; none = an operator, whom no epoch fences.
  std::optional<std::int64_t> epoch;
  /// Pass over pause and back-off. Never a second element of one agent.
  bool force = false;
  /// Remember a trigger that meets a running activation, for exactly one follow-up. Only for
  /// hand-outs of the long poll.
  bool mark = false;
};

enum class EnqueueResult {
  enqueued,
  upgraded,      ///< it waited in a lower queue and was moved up
  dup_active,    ///< an activation of the agent is running
  dup_queued,    ///< it waits already
  backoff,       ///< held off
  paused,        ///< the agent or the fleet
  stale_leader,  ///< the epoch moved on: step down, nothing was enqueued
};
/// `ENQUEUED`, `DUP_ACTIVE` and so on: what the script answers and the metric's label.
std::string_view name_of(EnqueueResult result);

// ---- claim -----------------------------------------------------------------------------------

struct ClaimRequest {
  RunnerId runner_id;  ///< [A-Za-z0-9._-]{1,128}
  RunnerMode mode = RunnerMode::hybrid;
  /// The claim is offered again when it is not renewed for this long.
  std::chrono::milliseconds lease{10'000};
  /// Fresh for each claim (UUIDv4).
  ActivationId activation_id;
  /// Agents this runner cannot run now.
  std::vector<AgentId> exclude;
  /// An earlier call with this activation id may have been applied: return what it took.
  bool retry = false;
  /// For the `deadline` that operators read.
  std::chrono::seconds activation_timeout{300};
};

/// An item that is this activation's to work on, until it is completed, handed back or lost.
struct Claim {
  WorkItem item;  ///< item.work_id and item.attempt are those of this claim
  Fence fence;
  std::int64_t attempt = 1;  ///< 1 = first claim
  Priority queue = Priority::normal;
  RunnerId runner_id;
  ActivationId activation_id;
  WorkId work_id;
  std::chrono::milliseconds lease{10'000};
  std::chrono::milliseconds waited{0};  ///< from created_at to the claim, by the server's clock
};

/// What proves ownership of a claim.
struct LeaseRef {
  AgentId agent_id;
  ActivationId activation_id;
  Fence fence;
};
LeaseRef ref_of(const Claim& claim);

enum class RenewOutcome {
  renewed,
  cancelled,  ///< an operator deleted `activation:{id}`: stop, then complete(cancelled, 60 s)
  lost,       ///< no longer the owner: stop every effect now, complete nothing
};

// ---- end of a lease --------------------------------------------------------------------------

/// A report to the Hub that is sent until it is accepted: an element of `work:outbox`.
struct OutboxEntry {
  std::string key;  ///< Idempotency-Key, e.g. `c:<activation_id>`
  AgentId agent_id;
  std::string path;  ///< e.g. `/system/consumption`
  std::string body;  ///< JSON object text
};

struct Completion {
  LeaseRef lease;
  Outcome outcome = Outcome::success;
  /// Keep the agent from being enqueued for this long (0 = not); at most an hour.
  std::chrono::seconds hold_off{0};
  /// Why, for `work:why`; at most 200 bytes are kept.
  std::string reason;
  /// Goes to `activation:results`; success, status and timestamp are filled in when empty.
  ActivationResult result;
  std::optional<OutboxEntry> consumption;
  /// Last lines of the journal, as JournalEntry has them, parted by LF; not where there is none.
  std::string journal_end;
  /// Claim the next item in the same round trip.
  std::optional<ClaimRequest> next;
};

struct CompleteAnswer {
  /// False: the lease was lost, or an earlier try of this call was applied.
  bool ok = false;
  std::int64_t failures = 0;        ///< consecutive failures of the agent now
  std::chrono::seconds backoff{0};  ///< how long the circuit breaker or hold-off keeps it away
  bool follow_up = false;           ///< a trigger that came during the run was enqueued
  std::optional<Claim> next;
};

enum class HandBackReason {
  drain,        ///< shutting down: right end, next in order
  fenced,       ///< trust in the lease ended, yet it was still ours
  no_executor,  ///< this runner cannot run it: left end; name the agent in `exclude` for 60 s
  hub_away,     ///< into `work:deferred` (5 s if `defer` is 0)
};
std::string_view name_of(HandBackReason reason);

struct HandBack {
  LeaseRef lease;
  HandBackReason reason = HandBackReason::drain;
  std::chrono::seconds defer{0};  ///< > 0: into `work:deferred` for this long, at most an hour
  std::optional<OutboxEntry> consumption;
  std::string journal_end;  ///< as in Completion
};

// ---- the leader's work -----------------------------------------------------------------------

/// One field of `work:leases` as it stands now.
struct LeaseSeen {
  AgentId agent_id;
  std::string value;  ///< `<fence>:<renewals>:<lease_ms>`
};

struct ReapRequest {
  std::int64_t epoch = 0;
  LeaseSeen lease;  ///< reaped only if the value is still this
  int crash_attempts_max = 3;
};
enum class ReapResult {
  requeued,   ///< first crash: at the right end of its queue
  deferred,   ///< later crash: again in 5 s
  dead,       ///< crashed too often: in the dead letters, breaker tripped
  cancelled,  ///< an operator had stopped it: done, held off for 60 s
  moved,      ///< renewed, completed or reaped meanwhile, or the epoch moved on
};
std::string_view name_of(ReapResult result);

struct SweepCounts {
  bool stale_leader = false;
  std::int64_t due = 0;  ///< deferred items that came back
  std::int64_t backoffs_ended = 0;
  std::int64_t failures_decayed = 0;  ///< agents whose last failure is older than 24 h
  std::int64_t adopted = 0;           ///< elements of others found waiting
  std::int64_t vanished = 0;          ///< elements that somebody else took
};

/// `work:generation`: which data set this Redis holds, and which life of it.
struct Generation {
  std::string dataset;  ///< [A-Za-z0-9._-]+
  std::int64_t number = 0;
  std::string to_string() const;  ///< `<dataset>:<generation>`
  friend bool operator==(const Generation&, const Generation&) = default;
};
struct GenerationSeen {
  std::optional<Generation> generation;  ///< none: nothing is claimed
  std::string raw;                       ///< what to compare with when setting; empty = missing
  std::int64_t fence = 0;                ///< highest counter given out
};

/// Where work waits, who works on it, and what became of it.
///
/// Every change is one atomic step on the server and safe to repeat: after an unknown outcome
/// (Error redis_unavailable, detail `outcome_unknown`) call again with the same values; a repeat
/// changes nothing and may answer "already so" (dup_queued, ok = false, moved). Implementations
/// repeat by themselves until their time is over. Cancelling leaves the call done or not done.
/// Logs of the transitions (work_enqueued, work_claimed, work_requeued, work_item_invalid,
/// agent_circuit_breaker, …) and the room's counters are written here, not by callers.
class WorkQueue {
 public:
  virtual ~WorkQueue() = default;

  /// One result an item, in order. Throws Error{invalid_argument} for an id or size out of bounds.
  virtual Task<std::vector<EnqueueResult>> enqueue(std::vector<WorkItem> items,
                                                   EnqueueOptions options) = 0;

  /// Moves the first item this runner may take into a lease; never waits for one. Nothing when
  /// there is none, the fleet is paused, or `work:generation` is missing.
  virtual Task<std::optional<Claim>> claim(ClaimRequest request) = 0;

  /// Waits until work of the mode may have come (true) or `up_to` (at most 1 s is useful: other
  /// producers ring no bell) is over. Takes nothing: claim afterwards in either case. On a
  /// connection of its own, one wait at a time (a second one queues behind it). Does not throw
  /// while Redis is away: waits, then false.
  virtual Task<bool> wait_for_work(RunnerMode mode, std::chrono::milliseconds up_to) = 0;

  /// One outcome a lease, in order.
  virtual Task<std::vector<RenewOutcome>> renew(std::vector<LeaseRef> leases) = 0;

  virtual Task<CompleteAnswer> complete(Completion completion) = 0;

  /// False: not the owner any more. No attempt is counted; a follow-up mark is dropped.
  virtual Task<bool> hand_back(HandBack hand_back) = 0;

  // For the leader.
  virtual Task<std::vector<LeaseSeen>> leases() = 0;
  virtual Task<ReapResult> reap(ReapRequest request) = 0;
  /// Each second; `full` every 15 s (ended back-offs, old failures, rebuilt index).
  virtual Task<SweepCounts> sweep(std::int64_t epoch, bool full) = 0;
  virtual Task<GenerationSeen> generation() = 0;
  /// Only if epoch and `old_raw` are still those; also sets the fence counter to 0. False: changed.
  virtual Task<bool> set_generation(std::int64_t epoch, std::string old_raw, Generation next) = 0;

  // Reports to the Hub that were not accepted yet.
  /// Up to `count` entries, any of them, so that one that fails does not hold up the others.
  virtual Task<std::vector<OutboxEntry>> outbox(std::size_t count) = 0;
  virtual Task<> put_outbox(OutboxEntry entry) = 0;
  virtual Task<> remove_outbox(std::string key) = 0;
};

}  // namespace botburrow::queue
