#include "net/redis_outages.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <vector>

namespace botburrow::net {
namespace {

using namespace std::chrono_literals;

Instant at(std::chrono::nanoseconds since) {
  return Instant(1000s) + since;
}

/// Seconds at which a line is written when an attempt fails each second.
std::vector<int> lines_of(RedisOutage& outage, int seconds) {
  std::vector<int> lines;
  for (int second = 0; second < seconds; ++second) {
    if (outage.failed("Connection refused", at(std::chrono::seconds(second))))
      lines.push_back(second);
  }
  return lines;
}

TEST(RedisOutage, ToldAtOnceThenWithGrowingPausesUpToAMinute) {
  RedisOutage outage;
  EXPECT_EQ(lines_of(outage, 250), (std::vector{0, 1, 3, 7, 15, 31, 63, 123, 183, 243}));
}

TEST(RedisOutage, ALineCountsTheAttemptsAndTheTime) {
  RedisOutage outage;
  EXPECT_EQ(outage.failed("refused", at(0s))->attempts, 1u);
  EXPECT_FALSE(outage.failed("refused", at(999ms)));
  const auto line = outage.failed("refused", at(2s));
  ASSERT_TRUE(line);
  EXPECT_EQ(line->attempts, 3u);
  EXPECT_EQ(line->seconds, 2);
}

TEST(RedisOutage, ANewReasonIsToldAtOnceButNeverTwiceASecond) {
  RedisOutage outage;
  outage.failed("refused", at(0s));
  EXPECT_FALSE(outage.failed("loading", at(900ms)));
  EXPECT_TRUE(outage.failed("loading", at(1s)));
  EXPECT_FALSE(outage.failed("refused", at(1500ms)));
}

TEST(RedisOutage, ItsEndIsToldOnceAndTheNextBeginsAnew) {
  RedisOutage outage;
  EXPECT_FALSE(outage.ended(at(0s))) << "there was none";
  outage.failed("refused", at(0s));
  outage.failed("refused", at(1s));
  const auto end = outage.ended(at(3s));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->attempts, 2u);
  EXPECT_EQ(end->seconds, 3);
  EXPECT_FALSE(outage.ended(at(4s)));
  EXPECT_EQ(outage.failed("refused", at(4s))->attempts, 1u);
}

TEST(RedisOutage, IsSharedByAllConnectionsOfOneIoContextToOneUrl) {
  boost::asio::io_context one;
  boost::asio::io_context other;
  auto& outage = outage_of(one.get_executor(), "redis://h");
  EXPECT_EQ(&outage, &outage_of(one.get_executor(), "redis://h"));
  EXPECT_NE(&outage, &outage_of(one.get_executor(), "redis://i"));
  EXPECT_NE(&outage, &outage_of(other.get_executor(), "redis://h"));
}

}  // namespace
}  // namespace botburrow::net
