#pragma once

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/loop_ticks.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "coordinator/discovery_filter.hpp"
#include "hubapi/client.hpp"
#include "queue/work_queue.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::coordinator {

struct HubPollOptions {
  std::chrono::seconds poll_interval{30};
  std::chrono::seconds long_poll_timeout{30};
  int batch = 100;
  std::chrono::seconds min_staleness{900};      ///< MIN_ACTIVATION_INTERVAL
  std::chrono::seconds staleness_interval{60};  ///< STALENESS_CHECK_INTERVAL
};

/// How many agents a poll brought, and what became of them.
struct PollCounts {
  std::size_t agents = 0, enqueued = 0, skipped = 0;
  bool deposed = false;  ///< the queue refused the epoch
};

/// How the Hub was last asked.
struct PollOutcome {
  WallTime at;
  std::string error;  ///< empty: it answered
};

/// Asks the Hub who has something to do and fills the queue. Belongs to one term of leadership:
/// every enqueue carries its epoch, and `deposed` is called when the queue says that it is over.
/// `filter` (may be null) says who never looks around.
class HubPoll {
 public:
  HubPoll(hubapi::HubClient& hub, queue::WorkQueue& queue, std::int64_t epoch,
          HubPollOptions options, Clock& clock, Random& random, LoopTicks& ticks, Log log,
          Metrics& metrics, std::function<void()> deposed, DiscoveryFilter* filter = nullptr);

  // Each runs until cancelled.
  Task<> long_poll_loop();  ///< one long poll after another; every 10 min once the Hub has none
  Task<> list_loop();       ///< all agents with unread items, now and every poll interval
  Task<> stale_loop();      ///< agents that were not activated for long

  /// Lets the list loop look within half a second: what Redis held may be gone.
  void list_soon() { list_soon_ = true; }

  /// Of whichever loop asked last; nothing before the first answer.
  const std::optional<PollOutcome>& last() const { return last_; }

  /// One look at all three lists, for `--once`.
  Task<PollCounts> once();

 private:
  Task<PollCounts> enqueue(std::vector<hubapi::WaitingAgent> agents, queue::TaskType type,
                           bool mark);
  Task<PollCounts> list_once();
  Task<PollCounts> stale_once();
  void answered() { last_ = PollOutcome{.at = clock_.wall(), .error = {}}; }
  void note(const char* event, const PollCounts& counts, Instant begun);
  std::chrono::nanoseconds trouble(const Error& error, std::chrono::nanoseconds pause);

  hubapi::HubClient& hub_;
  queue::WorkQueue& queue_;
  std::int64_t epoch_;
  HubPollOptions options_;
  Clock& clock_;
  Random& random_;
  LoopTicks& ticks_;
  Log log_;
  Metrics::Histograms& durations_;
  std::function<void()> deposed_;
  DiscoveryFilter* filter_;
  bool list_soon_ = false;
  std::optional<PollOutcome> last_;
  LogThrottle quiet_;
  LogThrottle trouble_;
};

}  // namespace botburrow::coordinator
