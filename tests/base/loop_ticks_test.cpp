#include "base/loop_ticks.hpp"

#include <gtest/gtest.h>

namespace botburrow {
namespace {

using namespace std::chrono_literals;

Instant at(std::chrono::nanoseconds t) {
  return Instant(t);
}

TEST(LoopTicks, ALoopIsStuckAfterThreeOfItsPeriods) {
  LoopTicks ticks;
  ticks.tick("poll", 20s, at(100s));

  EXPECT_FALSE(ticks.stuck(at(160s)));
  EXPECT_EQ(ticks.stuck(at(160s + 1ns)), "the poll loop has not come round for 60 s");
}

TEST(LoopTicks, AShortLoopHasThirtySeconds) {
  LoopTicks ticks;
  ticks.tick("renew", 1s, at(0s));

  EXPECT_FALSE(ticks.stuck(at(30s)));
  EXPECT_TRUE(ticks.stuck(at(31s)));
}

TEST(LoopTicks, ATickAndAnEndMakeItWell) {
  LoopTicks ticks;
  ticks.tick("a", 1s, at(0s));
  ticks.tick("b", 1s, at(0s));

  ticks.tick("a", 1s, at(40s));
  EXPECT_EQ(ticks.stuck(at(60s)), "the b loop has not come round for 60 s");
  ticks.ended("b");
  EXPECT_FALSE(ticks.stuck(at(60s)));
}

TEST(LoopTicks, NothingIsStuckBeforeAnythingRan) {
  EXPECT_FALSE(LoopTicks().stuck(at(1000s)));
}

}  // namespace
}  // namespace botburrow
