#pragma once

#include "base/time.hpp"

#include <chrono>

namespace botburrow::mcp {

/// How long one request may take.
struct CallTimes {
  /// Without a sign of life; each progress notification begins it anew.
  std::chrono::nanoseconds quiet_max = std::chrono::seconds(30);
  /// Whatever the server says meanwhile.
  std::chrono::nanoseconds total_max = std::chrono::seconds(120);
  /// The caller's own end.
  Deadline deadline = Deadline::never();
};

/// When the waiting for one request is over.
class CallClock {
 public:
  CallClock(const CallTimes& times, Instant begun)
      : quiet_max_(times.quiet_max),
        last_sign_(begun),
        hard_end_(Deadline::at(begun + times.total_max).sooner_of(times.deadline).instant()) {}

  void progressed(Instant now) { last_sign_ = now; }
  Instant end() const {
    const auto quiet_end = last_sign_ + quiet_max_;
    return quiet_end < hard_end_ ? quiet_end : hard_end_;
  }
  bool over(Instant now) const { return now >= end(); }

 private:
  std::chrono::nanoseconds quiet_max_;
  Instant last_sign_;
  Instant hard_end_;
};

}  // namespace botburrow::mcp
