#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow {

/// CLOCK_BOOTTIME: never set, counts suspended time. All deadlines inside a process use it.
struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept;
};

using Instant = BootClock::time_point;
using WallTime = std::chrono::system_clock::time_point;

/// Where time comes from. Rules take times as arguments; services take a Clock.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual WallTime wall() const = 0;
};

/// The machine's own clocks.
Clock& system_clock();

/// A point after which waiting is over. Handed down, it only shrinks.
class Deadline {
 public:
  /// `d` from now; never, where that lies beyond what the clock can count.
  static Deadline in(std::chrono::nanoseconds d);
  static Deadline at(Instant t) { return Deadline(t); }
  static Deadline never() { return Deadline(Instant::max()); }

  Instant instant() const { return at_; }
  bool is_never() const { return at_ == Instant::max(); }
  bool passed() const { return BootClock::now() >= at_; }
  /// Time left, never negative; one day where there is no end.
  std::chrono::nanoseconds left() const;
  Deadline sooner_of(std::chrono::nanoseconds d) const;
  Deadline sooner_of(Deadline other) const { return other.at_ < at_ ? other : *this; }

 private:
  explicit Deadline(Instant at) : at_(at) {}
  Instant at_;
};

/// RFC 3339 in UTC with `Z` and milliseconds, e.g. 2026-02-07T10:00:00.123Z.
std::string to_rfc3339(WallTime t);

/// Accepts Z, +hh:mm, +hhmm, a fraction of 1 to 9 digits or none, `T` or a blank between, no
/// seconds, and naive times as UTC. Anything else is nothing. What lies outside the years 1678 to
/// 2261 becomes the nearest end of them, because a WallTime counts nanoseconds.
std::optional<WallTime> parse_rfc3339(std::string_view text);

/// Unix seconds with fraction. from_unix() keeps within the same years; NaN is 1970.
double to_unix(WallTime t);
WallTime from_unix(double seconds);
std::int64_t to_unix_ms(WallTime t);

/// "2026-02-07" and "2026-02", UTC: names of daily and monthly counters.
std::string utc_day(WallTime t);
std::string utc_month(WallTime t);

}  // namespace botburrow
