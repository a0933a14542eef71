#include "hub/rate_limit.hpp"

#include <gtest/gtest.h>

namespace botburrow::hub {
namespace {

using namespace std::chrono_literals;

Instant at(std::chrono::seconds s) {
  return Instant(s);
}

TEST(ParseRate, ReadsCountsAndPeriods) {
  const auto rule = parse_rate("50/h");
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->count, 50);
  EXPECT_EQ(rule->period, 1h);
  EXPECT_EQ(parse_rate("1/30m")->period, 30min);
  EXPECT_EQ(parse_rate("100/min")->period, 1min);
  EXPECT_EQ(parse_rate("5/90")->period, 90s);
  EXPECT_EQ(parse_rate("2/d")->period, 24h);
}

TEST(ParseRate, ZeroIsNoLimit) {
  EXPECT_FALSE(parse_rate("0")->limits());
  EXPECT_FALSE(parse_rate("0/h")->limits());
}

TEST(ParseRate, RefusesEverythingElse) {
  for (const char* text : {"", "h", "50", "50/", "-1/h", "1/-5m", "5/0m", "x/h", "5/y", "5/h ",
                           "99999999/h", "1/99999d", "1/99999999999999999999m"}) {
    EXPECT_FALSE(parse_rate(text)) << text;
  }
}

TEST(RateBucket, RefusesWhatIsOverAndOpensAgainWithTheNextWindow) {
  RateBucket bucket({2, 60s});
  EXPECT_TRUE(bucket.take("a", at(0s)));
  EXPECT_TRUE(bucket.take("a", at(30s)));
  EXPECT_FALSE(bucket.take("a", at(59s)));
  EXPECT_TRUE(bucket.take("b", at(59s)));
  EXPECT_TRUE(bucket.take("a", at(60s)));
}

TEST(RateBucket, SaysWhatIsLeftAndHowLongToWait) {
  RateBucket bucket({2, 60s});
  bucket.take("a", at(0s));
  const auto state = bucket.state("a", at(15s), from_unix(1000));
  ASSERT_TRUE(state);
  EXPECT_EQ(state->limit, 2);
  EXPECT_EQ(state->remaining, 1);
  EXPECT_EQ(state->retry_after, 45s);
  EXPECT_EQ(to_unix(state->reset), 1045);
}

TEST(RateBucket, WhatIsGivenBackCostsNothing) {
  RateBucket bucket({1, 60s});
  EXPECT_TRUE(bucket.take("a", at(0s)));
  bucket.give_back("a", at(1s));
  EXPECT_TRUE(bucket.take("a", at(2s)));
  EXPECT_FALSE(bucket.take("a", at(3s)));
}

TEST(RateBucket, ForgetsWindowsThatAreOver) {
  RateBucket bucket({1, 1s});
  for (int i = 0; i < 5000; ++i)
    bucket.take(std::to_string(i), at(std::chrono::seconds(i)));
  EXPECT_LT(bucket.size(), 2000U);
}

}  // namespace
}  // namespace botburrow::hub
