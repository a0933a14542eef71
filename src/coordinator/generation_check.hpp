#pragma once

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "hubapi/client.hpp"
#include "queue/work_queue.hpp"

#include <functional>
#include <optional>
#include <string>

namespace botburrow::net {
class Redis;
}

namespace botburrow::coordinator {

/// Why the data set in Redis cannot be the one that the Hub knows, or nothing.
std::optional<std::string> generation_fault(const queue::GenerationSeen& redis,
                                            const hubapi::Generation& hub);

/// Notices an emptied, restored or rolled-back Redis before work goes on (guarantee G10): compares
/// `work:generation` and `work:fence` with the Hub's at the beginning of a term and after each
/// reconnect, and begins a new generation where they differ. A key that vanished under a connection
/// that stayed is noticed within 15 s.
class GenerationCheck {
 public:
  GenerationCheck(queue::WorkQueue& queue, net::Redis& redis, hubapi::HubClient& hub,
                  std::int64_t epoch, Clock& clock, Random& random, Log log);
  /// Runs until cancelled. `reconnected` is called after each check that a reconnect caused.
  Task<> loop(std::function<void()> reconnected);
  /// One comparison. Throws what Redis and Hub throw.
  Task<> check();

 private:
  Task<bool> checked(bool only_if_missing);
  Task<hubapi::Generation> begin_at_hub(hubapi::Generation known, queue::GenerationSeen seen);

  queue::WorkQueue& queue_;
  net::Redis& redis_;
  hubapi::HubClient& hub_;
  std::int64_t epoch_;
  Clock& clock_;
  Random& random_;
  Log log_;
  LogThrottle trouble_;
};

}  // namespace botburrow::coordinator
