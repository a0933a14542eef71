#include "tests/chaos/nemesis.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace botburrow::chaos {
namespace {

using namespace std::chrono_literals;

TEST(Nemesis, SameSeedSameSchedule) {
  const auto profile = profile_named("smoke");
  EXPECT_EQ(make_schedule(profile, 7), make_schedule(profile, 7));
  EXPECT_NE(make_schedule(profile, 7), make_schedule(profile, 8));
}
TEST(Nemesis, StandardHoldsEnoughOfEach) {
  const auto profile = profile_named("standard");
  for (const std::uint64_t seed : {1, 2, 3}) {
    const auto schedule = make_schedule(profile, seed);
    const auto count = [&](const std::string& kind) {
      return std::ranges::count(schedule, kind, &Fault::kind);
    };
    EXPECT_GE(count("runner_kill"), 300);
    EXPECT_GE(count("leader_kill"), 40);
    EXPECT_GE(count("redis_restart"), 10);
    EXPECT_GE(count("hub_restart"), 10);
    EXPECT_TRUE(std::ranges::is_sorted(schedule, {}, &Fault::at));
  }
}
TEST(Nemesis, SmokeKnowsEveryFault) {
  std::set<std::string> kinds;
  for (const auto& rate : profile_named("smoke").rates)
    kinds.insert(rate.kind);
  for (const std::string wire : {"redis", "hub", "model"}) {
    for (const auto* what : {"reset", "lose_requests", "lose_answers", "slice", "half_open"})
      EXPECT_TRUE(kinds.contains(wire + "_" + what)) << wire << " " << what;
  }
  for (const auto* freeze : {"runner_freeze", "leader_freeze", "redis_freeze"})
    EXPECT_TRUE(kinds.contains(freeze)) << freeze;
  EXPECT_TRUE(kinds.contains("clock_jump"));
  EXPECT_TRUE(kinds.contains("late_write"));
}
TEST(Nemesis, EachKindHasItsTargets) {
  EXPECT_EQ(targets_of("runner_kill", 8), 8);
  EXPECT_EQ(targets_of("late_write", 8), 8);
  EXPECT_EQ(targets_of("leader_freeze", 8), 1);
  EXPECT_EQ(targets_of("redis_restart", 8), 1);
  EXPECT_EQ(targets_of("redis_reset", 8), 12) << "eight runners, three coordinators, all of them";
  EXPECT_EQ(targets_of("hub_half_open", 8), 12);
  EXPECT_EQ(targets_of("model_reset", 8), 9) << "coordinators ask no model";
  EXPECT_EQ(targets_of("clock_jump", 8), 14) << "those of the wires, the Hub, Redis, and all";
}
TEST(Nemesis, ClocksJumpBothWays) {
  const auto schedule = make_schedule(profile_named("clocks"), 1);
  const auto back = [](const Fault& fault) { return fault.length < 0ms; };
  EXPECT_TRUE(std::ranges::any_of(schedule, back));
  EXPECT_FALSE(std::ranges::all_of(schedule, back));
}
TEST(Nemesis, TurnsComeOneAfterTheOther) {
  const auto profile = profile_named("failover");
  const auto schedule = make_schedule(profile, 4);
  ASSERT_GT(schedule.size(), 6u);
  for (std::size_t n = 0; n < schedule.size(); ++n) {
    EXPECT_EQ(schedule[n].kind, profile.turns[n % profile.turns.size()].kind);
    if (n > 0) EXPECT_GT(schedule[n].at - schedule[n - 1].at, profile.turn_every - 1s);
  }
}
TEST(Nemesis, RecordedScheduleReadsBack) {
  const auto schedule = make_schedule(profile_named("smoke"), 3);
  EXPECT_EQ(schedule_of(parse_json(to_json(to_value(schedule)), "schedule")), schedule);
}

}  // namespace
}  // namespace botburrow::chaos
