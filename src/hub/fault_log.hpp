#pragma once

#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace botburrow::hub {

/// Which failing requests get a log line: the first of each cause, then one each `period`. A full
/// disk fails every write of every agent, and the log may stand on that very disk.
class FaultLog {
 public:
  explicit FaultLog(std::chrono::nanoseconds period) : period_(period) {}

  /// Nothing: count it and stay silent. Else how many of this cause were not said since the last
  /// line. Causes come from a closed set.
  std::optional<std::int64_t> admit(const std::string& cause, Instant now);

 private:
  struct Said {
    Instant at;
    std::int64_t since = 0;
  };
  std::chrono::nanoseconds period_;
  std::map<std::string, Said> said_;
};

}  // namespace botburrow::hub
