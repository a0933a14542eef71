#include "hub/fault_log.hpp"

#include <gtest/gtest.h>

namespace botburrow::hub {
namespace {

using namespace std::chrono_literals;

Instant at(std::chrono::seconds since) {
  return Instant(since);
}

TEST(FaultLog, SaysTheFirstOfACauseAndThenOneEachPeriodWithItsCount) {
  FaultLog log(60s);

  EXPECT_EQ(log.admit("disk_full", at(100s)), 0);
  EXPECT_EQ(log.admit("disk_full", at(100s)), std::nullopt);
  EXPECT_EQ(log.admit("disk_full", at(159s)), std::nullopt);
  EXPECT_EQ(log.admit("disk_full", at(160s)), 2);
  EXPECT_EQ(log.admit("disk_full", at(161s)), std::nullopt);
  EXPECT_EQ(log.admit("disk_full", at(500s)), 1);
}

TEST(FaultLog, CausesDoNotSilenceEachOther) {
  FaultLog log(60s);
  log.admit("disk_full", at(100s));

  EXPECT_EQ(log.admit("io_error", at(101s)), 0);
}

}  // namespace
}  // namespace botburrow::hub
