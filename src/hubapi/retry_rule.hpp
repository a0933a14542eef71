#pragma once

#include "base/time.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace botburrow::hubapi {

/// What came of one try at a Hub call.
struct TryResult {
  enum class Kind { answered, not_sent, maybe_sent } kind = Kind::answered;
  int status = 0;                     ///< when answered
  std::string_view code;              ///< the problem's `code`
  std::optional<double> retry_after;  ///< seconds
};

/// What kind of call it is.
struct CallKind {
  bool safe_to_repeat = true;  ///< reads, and writes whose key the Hub is known to remember
  bool wait_on_429 = true;     ///< polls and posts tell their caller instead
};

inline constexpr int kTriesMax = 3;

/// How long to wait before the next try, or nothing when this answer is final. `tried` counts the
/// tries made (1 or more). Waits 1 s, then 2 s (at most 10 s); obeys Retry-After up to 60 s.
std::optional<std::chrono::milliseconds> wait_before_retry(const TryResult& result, CallKind call,
                                                           int tried);

/// A Retry-After header as seconds from `now`: a number, or an HTTP date. Nothing where it is
/// neither; at most a day.
std::optional<double> read_retry_after(std::string_view header, WallTime now);

}  // namespace botburrow::hubapi
