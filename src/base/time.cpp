#include "base/time.hpp"

#include <fmt/format.h>

#include <time.h>

#include <algorithm>
#include <cmath>

namespace botburrow {
namespace {

using namespace std::chrono;

class SystemClock final : public Clock {
 public:
  Instant now() const override { return BootClock::now(); }
  WallTime wall() const override { return std::chrono::system_clock::now(); }
};

struct Digits {
  std::string_view text;
  bool ok = true;

  int take(std::size_t count) {
    if (!ok || text.size() < count) return fail();
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (text[i] < '0' || text[i] > '9') return fail();
      value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
  }
  bool skip(char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
  }
  void expect(char c) { ok = ok && skip(c); }
  int fail() {
    ok = false;
    return 0;
  }
};

nanoseconds take_fraction(Digits& in) {
  if (!in.skip('.') && !in.skip(',')) return nanoseconds(0);
  std::int64_t value = 0;
  int digits = 0;
  while (!in.text.empty() && in.text.front() >= '0' && in.text.front() <= '9' && digits < 9) {
    value = value * 10 + in.take(1);
    ++digits;
  }
  if (digits == 0) in.fail();
  for (; digits < 9; ++digits)
    value *= 10;
  return nanoseconds(value);
}

minutes take_offset(Digits& in) {
  if (in.text.empty() || in.skip('Z') || in.skip('z')) return minutes(0);
  const bool negative = in.text.front() == '-';
  if (!in.skip('-') && !in.skip('+')) {
    in.fail();
    return minutes(0);
  }
  const int h = in.take(2);
  in.skip(':');
  const int m = in.take(2);
  if (h > 23 || m > 59) in.fail();
  const auto offset = hours(h) + minutes(m);
  return negative ? -offset : offset;
}

// Whole years that an int64 of nanoseconds holds, whatever the offset.
constexpr sys_seconds kFirst = sys_days(year(1678) / 1 / 1);
constexpr sys_seconds kLast = sys_days(year(2262) / 1 / 1) - seconds(1);

}  // namespace

BootClock::time_point BootClock::now() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return time_point(seconds(t.tv_sec) + nanoseconds(t.tv_nsec));
}

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

Deadline Deadline::in(nanoseconds d) {
  const auto now = BootClock::now();
  return d > Instant::max() - now ? never() : Deadline(now + d);
}

nanoseconds Deadline::left() const {
  if (is_never()) return hours(24);
  return std::max(nanoseconds(0), at_ - BootClock::now());
}

Deadline Deadline::sooner_of(nanoseconds d) const {
  return sooner_of(Deadline::in(d));
}

std::string to_rfc3339(WallTime t) {
  const auto ms = floor<milliseconds>(t);
  const auto day = floor<days>(ms);
  const year_month_day date(day);
  const hh_mm_ss<milliseconds> clock(ms - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  Digits in{text};
  const int y = in.take(4);
  in.expect('-');
  const int mo = in.take(2);
  in.expect('-');
  const int d = in.take(2);
  const year_month_day date{year(y), month(static_cast<unsigned>(mo)),
                            day(static_cast<unsigned>(d))};
  if (!in.ok || !date.ok()) return std::nullopt;
  if (!in.skip('T') && !in.skip('t') && !in.skip(' ')) return std::nullopt;
  const int h = in.take(2);
  in.expect(':');
  const int m = in.take(2);
  int s = 0;
  if (in.skip(':')) s = in.take(2);
  const auto fraction = take_fraction(in);
  const auto offset = take_offset(in);
  if (!in.ok || !in.text.empty() || h > 23 || m > 59 || s > 60) return std::nullopt;
  const sys_seconds whole = sys_days(date) + hours(h) + minutes(m) + seconds(s) - offset;
  if (whole < kFirst) return WallTime(kFirst);
  if (whole > kLast) return WallTime(kLast);
  return WallTime(whole) + fraction;
}

double to_unix(WallTime t) {
  return duration<double>(t.time_since_epoch()).count();
}

WallTime from_unix(double s) {
  if (std::isnan(s)) return WallTime();
  if (s < static_cast<double>(kFirst.time_since_epoch().count())) return WallTime(kFirst);
  if (s > static_cast<double>(kLast.time_since_epoch().count())) return WallTime(kLast);
  // In two parts: a double of this many nanoseconds is off by some hundred of them.
  const double whole = std::floor(s);
  return WallTime(seconds(static_cast<std::int64_t>(whole))) +
         nanoseconds(std::llround((s - whole) * 1e9));
}

std::int64_t to_unix_ms(WallTime t) {
  return duration_cast<milliseconds>(t.time_since_epoch()).count();
}

std::string utc_day(WallTime t) {
  return to_rfc3339(t).substr(0, 10);
}
std::string utc_month(WallTime t) {
  return to_rfc3339(t).substr(0, 7);
}

}  // namespace botburrow
