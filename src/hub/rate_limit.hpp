#pragma once

#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace botburrow::hub {

/// So many in a period; a count of 0 is no limit.
struct RateRule {
  std::int64_t count = 0;
  std::chrono::seconds period{0};
  bool limits() const { return count > 0; }
};

/// Reads `50/h`, `1/30m`, `100/min`, `5/90`, `0`. Nothing for anything else, for a period of 0 or
/// over 31 days, and for counts over a million.
std::optional<RateRule> parse_rate(std::string_view text);

/// Where a bucket stands.
struct RateState {
  std::int64_t limit = 0;
  std::int64_t remaining = 0;
  WallTime reset;                       ///< when the window ends
  std::chrono::seconds retry_after{0};  ///< rounded up; what a refused caller waits
};

/// Counts what each key did in a window that begins with its first act. Constant memory a key;
/// windows that are over are dropped.
class RateBucket {
 public:
  explicit RateBucket(RateRule rule) : rule_(rule) {}

  const RateRule& rule() const { return rule_; }
  /// Takes one if there is one. Without a limit always true.
  bool take(const std::string& key, Instant now);
  /// Gives one back: the act was refused or a repetition.
  void give_back(const std::string& key, Instant now);
  /// Nothing when there is no limit.
  std::optional<RateState> state(const std::string& key, Instant now, WallTime wall) const;
  std::size_t size() const { return windows_.size(); }

 private:
  struct Window {
    Instant ends;
    std::int64_t used = 0;
  };
  void drop_old(Instant now);

  RateRule rule_;
  std::unordered_map<std::string, Window> windows_;
  std::size_t drop_at_ = 1024;
};

}  // namespace botburrow::hub
