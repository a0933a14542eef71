#include "base/json.hpp"
#include "tests/chaos/checker.hpp"
#include "tests/chaos/nemesis.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace botburrow::chaos {
namespace {

Mention answered(int times = 1, bool read = true) {
  return {.post = "p", .agent = "anna", .token = "t1", .answers = times, .read = read};
}

TEST(Checker, OneAnswerEachHolds) {
  const auto verdict = check({.mentions = {answered(), answered()}, .model_calls = {{"t1", 3}}});
  EXPECT_TRUE(verdict.holds());
  EXPECT_EQ(verdict.answered, 2);
  EXPECT_EQ(verdict.model_calls, 3);
}
TEST(Checker, NoAnswerIsLostEvenWhenRead) {
  for (const bool read : {false, true}) {
    const auto verdict = check({.mentions = {answered(0, read)}});
    EXPECT_EQ(verdict.lost, 1);
    EXPECT_FALSE(verdict.holds());
  }
}
TEST(Checker, DeadLetterIsNotLost) {
  auto mention = answered(0, true);
  mention.dead = true;
  const auto verdict = check({.mentions = {mention}});
  EXPECT_EQ(verdict.dead, 1);
  EXPECT_EQ(verdict.lost, 0);
  EXPECT_TRUE(verdict.holds());
}
TEST(Checker, TwoAnswersAreDoubled) {
  const auto verdict = check({.mentions = {answered(2)}});
  EXPECT_EQ(verdict.doubled, 1);
  EXPECT_FALSE(verdict.holds());
}
TEST(Checker, AnsweredButUnreadIsAComplaint) {
  EXPECT_FALSE(check({.mentions = {answered(1, false)}}).holds());
}
TEST(Checker, OlderFenceAfterNewerIsStale) {
  const auto verdict = check({.writes = {{"anna", 1, 5}, {"bert", 1, 4}, {"anna", 1, 4}}});
  EXPECT_EQ(verdict.stale_accepted, 1);
  EXPECT_FALSE(verdict.holds());
}
TEST(Checker, NewGenerationCountsAnew) {
  EXPECT_TRUE(check({.writes = {{"anna", 1, 5}, {"anna", 1, 5}, {"anna", 2, 1}}}).holds());
  EXPECT_EQ(check({.writes = {{"anna", 2, 1}, {"anna", 1, 5}}}).stale_accepted, 1);
}
TEST(Checker, OpenCensusIsAComplaint) {
  EXPECT_TRUE(check({.census = {{"enqueued", 4}, {"done", 3}, {"dead", 1}}}).holds());
  const auto verdict = check({.census = {{"enqueued", 5}, {"done", 3}, {"dead", 1}}});
  EXPECT_FALSE(verdict.census_closed);
  EXPECT_FALSE(verdict.holds());
}
TEST(Checker, NeedlessGenerationIsAComplaint) {
  EXPECT_TRUE(check({.generation = 1}).holds());
  EXPECT_FALSE(check({.generation = 2}).holds());
}
TEST(Checker, LeftoversAreComplaints) {
  EXPECT_FALSE(check({.leftovers = {"a lease"}}).holds());
}

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
TEST(Nemesis, RecordedScheduleReadsBack) {
  const auto schedule = make_schedule(profile_named("smoke"), 3);
  EXPECT_EQ(schedule_of(parse_json(to_json(to_value(schedule)), "schedule")), schedule);
}

}  // namespace
}  // namespace botburrow::chaos
