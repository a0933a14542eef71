#pragma once

#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/task.hpp"
#include "queue/census.hpp"
#include "queue/results.hpp"
#include "queue/work_item.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::net {
class Redis;
}

namespace botburrow::queue {

/// Everything at a glance, for gauges and `status`.
struct QueueSnapshot {
  struct Lane {
    std::int64_t length = 0;
    double oldest_age_seconds = 0;  ///< 0 when empty
  };
  Lane high, normal, low;
  std::int64_t deferred = 0;
  std::int64_t dead = 0;
  std::int64_t outbox = 0;
  std::int64_t enqueued_total = 0;
  std::int64_t done_total = 0;
  std::map<std::string, std::string> active;     ///< agent → runner
  std::map<std::string, double> backoff;         ///< agent → seconds left (> 0)
  std::map<std::string, std::int64_t> failures;  ///< agent → consecutive failures
  std::vector<std::string> paused;               ///< agents; `*` = the fleet
  std::string generation;                        ///< empty = nothing is claimed
  std::int64_t epoch = 0;
  std::string leader;      ///< empty = none
  double server_time = 0;  ///< Unix seconds of the Redis server
};

/// An activation that is running, from `agent:activation:{agent_id}`.
struct ActiveActivation {
  AgentId agent_id;
  std::string agent_name;
  RunnerId runner_id;
  ActivationId activation_id;
  std::string task_type;
  std::string started_at;
  std::string deadline;
};

/// One element of a queue as it stands there.
struct Waiting {
  Priority queue = Priority::normal;
  std::string element;
  std::optional<WorkItem> item;  ///< none: unreadable
  std::optional<double> due;     ///< deferred until, Unix seconds
};

/// One dead letter.
struct DeadLetter {
  std::string id;
  std::string kind;  ///< `item`, `notification`, `unreadable`
  std::string agent_id;
  std::string notification_id;
  std::string reason;
  std::string at;
  std::int64_t attempts = 0;
  std::vector<Crash> history;
  std::optional<WorkItem> item;
  std::string raw;   ///< the bytes of an unreadable element
  std::string json;  ///< the whole entry
};

/// dup_queued and dup_active: the agent waits or runs already; the dead letter stays.
enum class RetryResult { queued, not_found, dup_queued, dup_active, unreadable };

/// What Redis tells of one agent.
struct AgentFacts {
  AgentId agent_id;
  bool paused = false;
  bool fleet_paused = false;
  bool generation_missing = false;
  bool led = false;  ///< a coordinator has said lately that it leads
  std::optional<Waiting> waiting;
  std::int64_t ahead = 0;  ///< elements taken before it: of higher queues, and of its own
  std::optional<ActiveActivation> active;
  double backoff_seconds = 0;
  std::int64_t failures = 0;
  bool follow_up = false;
  std::optional<std::string> last_at, last_outcome, last_reason;  ///< of `work:why`
  double server_time = 0;                                         ///< Unix seconds, of Redis
};

/// Looking and acting by hand: what `status`, `queue`, `dead`, `backoff`, `activations`, `why` and
/// the console need. Changes are scripts, safe to repeat. Throws Error{redis_unavailable}.
class OperatorView {
 public:
  OperatorView(net::Redis& redis, Log log) : redis_(redis), log_(std::move(log)) {}

  Task<QueueSnapshot> snapshot();
  Task<Census> census();
  /// Next to be taken first; at most `limit` of each queue.
  Task<std::vector<Waiting>> waiting(std::optional<Priority> only, std::size_t limit);
  Task<std::vector<Waiting>> deferred(std::size_t limit);
  Task<std::vector<ActiveActivation>> activations();
  /// Newest first.
  Task<std::vector<ActivationResult>> results(std::size_t limit);
  Task<AgentFacts> why(AgentId agent);
  /// The work an activation belongs to, if it runs, is among the last 1,000 that ended, or left a
  /// dead letter.
  Task<std::optional<WorkId>> find_work(ActivationId activation);

  /// Force stop: true if it was running. Its runner ends it within 5 s.
  Task<bool> stop_activation(ActivationId id);
  /// Ends back-off, resets the failure count and forgets the reason. Answers how many agents had
  /// one.
  Task<std::int64_t> clear_backoff(AgentId agent);
  Task<std::int64_t> clear_all_backoffs();
  /// False: it was so already. `*` = the whole fleet.
  Task<bool> pause(AgentId agent);
  Task<bool> resume(AgentId agent);
  /// Takes an agent's waiting item out of the queues: true if there was one.
  Task<bool> drop_waiting(AgentId agent);

  /// Newest first.
  Task<std::vector<DeadLetter>> dead(std::size_t offset, std::size_t limit);
  Task<std::optional<DeadLetter>> find_dead(std::string id);
  /// Gives an item or notification a fresh start at the head of its queue, with no attempts
  /// counted.
  Task<RetryResult> retry_dead(std::string id);
  Task<bool> clear_dead(std::string id);
  Task<std::int64_t> clear_all_dead();

 private:
  struct Place {
    Waiting waiting;
    std::int64_t before = 0;  // elements of the same queue
  };
  Task<std::optional<Place>> place_of(AgentId agent, Priority queue);
  Task<std::optional<Waiting>> find_deferred(AgentId agent);
  Task<std::vector<Waiting>> deferred_page(std::int64_t first, std::int64_t count);

  net::Redis& redis_;
  Log log_;
};

}  // namespace botburrow::queue
