#pragma once

#include "base/time.hpp"
#include "queue/work_queue.hpp"

#include <chrono>
#include <string>
#include <unordered_map>
#include <vector>

namespace botburrow::queue {

/// The reaper's rule: a lease is over when its value stood still for its own length on this
/// process's clock. No clock but that one is asked.
class LeaseWatch {
 public:
  /// `seen` is all of `work:leases`, read by a command sent at `asked`. Answers those to reap;
  /// they stay watched until they change or go.
  std::vector<LeaseSeen> expired(const std::vector<LeaseSeen>& seen, Instant asked);
  /// After an election and after each reconnect: time anew.
  void reset() { watched_.clear(); }
  std::size_t size() const { return watched_.size(); }

 private:
  struct Watched {
    std::string value;
    Instant since;
  };
  std::unordered_map<AgentId, Watched> watched_;
};

/// The third part of `<fence>:<renewals>:<lease_ms>`, within 1 s and 600 s; 10 s if unreadable.
std::chrono::milliseconds lease_length(std::string_view value);

}  // namespace botburrow::queue
