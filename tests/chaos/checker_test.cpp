#include "tests/chaos/checker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  EXPECT_TRUE(check({.generation = 2, .expected = {.rollbacks = 1}}).holds());
}
TEST(Checker, LeftoversAreComplaints) {
  EXPECT_FALSE(check({.leftovers = {"a lease"}}).holds());
}
TEST(Checker, WhatTheWireSawIsAComplaint) {
  EXPECT_FALSE(check({.wire = {.stale_accepted = 1, .complaints = {"a stale write"}}}).holds());
  EXPECT_EQ(check({.wire = {.refused_stale = 2}}).stale_refused, 2);
  EXPECT_TRUE(check({.wire = {.refused_stale = 2}}).holds());
}
TEST(Checker, BreachThatHealedIsAComplaint) {
  EXPECT_FALSE(check({.breaches = {"the census is open"}}).holds());
}

Ledger untouched() {
  return {.mentions = {answered()},
          .model_calls = {{"t1", 1}},
          .attempts_most = 1,
          .expected = {.untouched = true}};
}
TEST(Checker, WhereNothingWasTouchedNothingHappensTwice) {
  EXPECT_TRUE(check(untouched()).holds());
  auto elected = untouched();
  elected.elections = 1;
  EXPECT_FALSE(check(elected).holds());
  auto claimed = untouched();
  claimed.attempts_most = 2;
  EXPECT_FALSE(check(claimed).holds());
  auto asked = untouched();
  asked.model_calls["t1"] = 2;
  EXPECT_FALSE(check(asked).holds());
  asked.expected.untouched = false;
  EXPECT_TRUE(check(asked).holds()) << "elsewhere a run may be repeated";
}

Ledger poisoned(int runs, int buried_after) {
  auto mention = answered(0, false);
  mention.poison = true;
  mention.buried_after = buried_after;
  return {.mentions = {mention}, .model_calls = {{"t1", runs}}};
}
TEST(Checker, PoisonIsDeadAfterItsAttempts) {
  EXPECT_TRUE(check(poisoned(3, 3)).holds());
  EXPECT_EQ(check(poisoned(3, 3)).lost, 0);
  EXPECT_FALSE(check(poisoned(4, 3)).holds());
  EXPECT_FALSE(check(poisoned(3, 2)).holds());
  EXPECT_FALSE(check(poisoned(5, -1)).holds());
}

}  // namespace
}  // namespace botburrow::chaos
