#include "base/time.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace botburrow {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::year;

const WallTime kTen = sys_days(year(2026) / 2 / 7) + 10h;

TEST(Rfc3339, IsWrittenInUtcWithMilliseconds) {
  EXPECT_EQ(to_rfc3339(kTen + 123ms), "2026-02-07T10:00:00.123Z");
  EXPECT_EQ(to_rfc3339(WallTime()), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(kTen + 999'999us), "2026-02-07T10:00:00.999Z");
  EXPECT_EQ(to_rfc3339(WallTime() - 1us), "1969-12-31T23:59:59.999Z");
}

struct Reading {
  const char* text;
  WallTime time;
};

class ReadTimes : public testing::TestWithParam<Reading> {};

TEST_P(ReadTimes, AreUnderstood) {
  const auto read = parse_rfc3339(GetParam().text);

  ASSERT_TRUE(read) << GetParam().text;
  EXPECT_EQ(*read, GetParam().time) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Rfc3339, ReadTimes,
    testing::Values(
        Reading{"2026-02-07T10:00:00Z", kTen}, Reading{"2026-02-07t10:00:00z", kTen},
        Reading{"2026-02-07 10:00:00", kTen}, Reading{"2026-02-07T10:00:00", kTen},
        Reading{"2026-02-07T10:00Z", kTen}, Reading{"2026-02-07T10:00:00.5Z", kTen + 500ms},
        Reading{"2026-02-07T10:00:00.123456789Z", kTen + 123456789ns},
        Reading{"2026-02-07T10:00:00.123456", kTen + 123456us},
        Reading{"2026-02-07T10:00:00,5Z", kTen + 500ms}, Reading{"2026-02-07T12:30:00+02:30", kTen},
        Reading{"2026-02-07T12:30:00+0230", kTen}, Reading{"2026-02-06T23:00:00-11:00", kTen},
        Reading{"2026-02-07T10:00:00+00:00", kTen}, Reading{"2026-02-08T09:59:00+23:59", kTen},
        Reading{"2024-02-29T00:00:00Z", sys_days(year(2024) / 2 / 29)},
        Reading{"2026-02-07T09:59:60Z", kTen},
        Reading{"2026-02-07T23:59:59Z", sys_days(year(2026) / 2 / 8) - 1s}));

class OtherTexts : public testing::TestWithParam<const char*> {};

TEST_P(OtherTexts, AreNoTimes) {
  EXPECT_FALSE(parse_rfc3339(GetParam())) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(
    Rfc3339, OtherTexts,
    testing::Values("", "2026", "2026-02-07", "2026-02-07T", "2026-02-07T10", "2026-02-07T10:00:0Z",
                    "2026-02-07T24:00:00Z", "2026-02-07T10:60:00Z", "2026-02-07T10:00:61Z",
                    "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z",
                    "2026-02-30T00:00:00Z", "2026-02-07T10:00:00.Z",
                    "2026-02-07T10:00:00.1234567890Z", "2026-02-07T10:00:00+02",
                    "2026-02-07T10:00:00+24:00", "2026-02-07T10:00:00+00:60",
                    "2026-02-07T10:00:00Zx", "2026-02-07T10:00:00Z ", " 2026-02-07T10:00:00Z",
                    "20260207T100000Z", "2026-02-07T10:00:00UTC", "-026-02-07T10:00:00Z", "now"));

TEST(Rfc3339, TimesThatCannotBeCountedBecomeTheNearestThatCan) {
  const WallTime first = sys_days(year(1678) / 1 / 1);
  const WallTime last = sys_days(year(2262) / 1 / 1) - 1s;

  EXPECT_EQ(parse_rfc3339("1678-01-01T00:00:00Z"), first);
  EXPECT_EQ(parse_rfc3339("1677-12-31T23:59:59Z"), first);
  EXPECT_EQ(parse_rfc3339("0001-01-01T00:00:00Z"), first);
  EXPECT_EQ(parse_rfc3339("2261-12-31T23:59:59Z"), last);
  EXPECT_EQ(parse_rfc3339("9999-12-31T23:59:59.999999999Z"), last);
}

TEST(Rfc3339, EveryTimeReadsBackAsItself) {
  for (std::int64_t ms = -4'000'000'000'000; ms < 8'000'000'000'000; ms += 86'399'000'123) {
    const WallTime time{std::chrono::milliseconds(ms)};
    EXPECT_EQ(parse_rfc3339(to_rfc3339(time)), time) << ms;
  }
}

TEST(UnixTime, GoesBothWays) {
  EXPECT_DOUBLE_EQ(to_unix(kTen + 250ms), 1770458400.25);
  EXPECT_EQ(from_unix(1770458400.25), kTen + 250ms);
  EXPECT_EQ(to_unix_ms(kTen + 1999us), 1770458400001);
}

TEST(UnixTime, OfAStrangerStaysInBounds) {
  constexpr auto inf = std::numeric_limits<double>::infinity();

  EXPECT_EQ(to_rfc3339(from_unix(1e300)), "2261-12-31T23:59:59.000Z");
  EXPECT_EQ(to_rfc3339(from_unix(inf)), "2261-12-31T23:59:59.000Z");
  EXPECT_EQ(to_rfc3339(from_unix(-inf)), "1678-01-01T00:00:00.000Z");
  EXPECT_EQ(from_unix(std::nan("")), WallTime());
}

TEST(UtcCounters, AreNamedByDayAndMonth) {
  EXPECT_EQ(utc_day(kTen), "2026-02-07");
  EXPECT_EQ(utc_day(kTen + 14h - 1ns), "2026-02-07");
  EXPECT_EQ(utc_day(kTen + 14h), "2026-02-08");
  EXPECT_EQ(utc_month(kTen), "2026-02");
}

TEST(Deadline, OnlyShrinks) {
  const auto far = Deadline::in(1h);

  EXPECT_LT(far.sooner_of(1min).instant(), far.instant());
  EXPECT_EQ(far.sooner_of(2h).instant(), far.instant());
  EXPECT_EQ(Deadline::never().sooner_of(far).instant(), far.instant());
  EXPECT_EQ(far.sooner_of(Deadline::never()).instant(), far.instant());
}

TEST(Deadline, PassesAtItsInstant) {
  EXPECT_TRUE(Deadline::at(BootClock::now()).passed());
  EXPECT_TRUE(Deadline::in(0ns).passed());
  EXPECT_TRUE(Deadline::in(-1h).passed());
  EXPECT_EQ(Deadline::in(-1h).left(), 0ns);
  EXPECT_FALSE(Deadline::in(1h).passed());
  EXPECT_GT(Deadline::in(1h).left(), 59min);
}

TEST(Deadline, BeyondTheClockIsNever) {
  EXPECT_TRUE(Deadline::in(std::chrono::nanoseconds::max()).is_never());
  EXPECT_FALSE(Deadline::never().passed());
  EXPECT_EQ(Deadline::never().left(), 24h);
}

TEST(BootClock, DoesNotGoBack) {
  auto last = BootClock::now();
  for (int i = 0; i < 1000; ++i) {
    const auto now = BootClock::now();
    EXPECT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace botburrow
