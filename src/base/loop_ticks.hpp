#pragma once

#include "base/time.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace botburrow {

/// Knows whether the loops of a service still go round: the liveness of `/health`. A loop that has
/// not ticked for three of its periods (at least 30 s) is stuck.
class LoopTicks {
 public:
  /// Called by a loop each time it comes round; `period` = how long one round may take by design.
  void tick(const std::string& loop, std::chrono::nanoseconds period, Instant now) {
    loops_[loop] = {now, period};
  }
  /// The loop has ended on purpose.
  void ended(const std::string& loop) { loops_.erase(loop); }
  /// Words on the first stuck loop, or nothing.
  std::optional<std::string> stuck(Instant now) const;

 private:
  struct Loop {
    Instant last;
    std::chrono::nanoseconds period;
  };
  std::map<std::string, Loop> loops_;
};

}  // namespace botburrow
