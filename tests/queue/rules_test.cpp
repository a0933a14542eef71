#include "queue/breaker.hpp"
#include "queue/election.hpp"
#include "queue/lease_watch.hpp"
#include "queue/operator_view.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace botburrow::queue {
namespace {

using namespace std::chrono_literals;

Instant at(std::chrono::nanoseconds since) {
  return Instant(since);
}

TEST(Breaker, BacksOffByTheFormulaOfTheContract) {
  const std::chrono::seconds expected[] = {0s,   0s,   0s,   0s,    0s,    60s,  120s,
                                           240s, 480s, 960s, 1920s, 3600s, 3600s};
  for (std::int64_t failures = 0; failures <= 12; ++failures) {
    EXPECT_EQ(backoff_after(failures), expected[failures]) << failures;
  }
  EXPECT_EQ(backoff_after(-1), 0s);
  EXPECT_EQ(backoff_after(std::numeric_limits<std::int64_t>::max()), 3600s);
}

TEST(LeaderTerm, TrustEndsAtTwoThirdsOfTheLease) {
  const LeaderTerm term(3, at(100s), 6s);
  EXPECT_TRUE(term.trusted_at(at(104s - 1ns)));
  EXPECT_FALSE(term.trusted_at(at(104s)));
  EXPECT_EQ(term.epoch(), 3);
}

TEST(LeaderTerm, SlowRenewalDoesNotStretchTrust) {
  LeaderTerm term(1, at(100s), 6s);
  // Sent at 101 s, answered at 104 s: the term counts from 101.
  term.renewed(at(101s));
  EXPECT_TRUE(term.trusted_at(at(105s - 1ns)));
  EXPECT_FALSE(term.trusted_at(at(105s)));
}

TEST(LeaderTerm, AnswersOutOfOrderDoNotShortenTrust) {
  LeaderTerm term(1, at(100s), 6s);
  term.renewed(at(103s));
  term.renewed(at(101s));
  EXPECT_EQ(term.trusted_until(), at(107s));
}

LeaderSeen held(std::int64_t epoch, std::int64_t seq, std::string holder = "x") {
  return {.epoch = epoch, .holder = std::move(holder), .seq = seq};
}

TEST(FollowerWatch, TakesAFreeLeadershipAtOnce) {
  FollowerWatch watch(6s);
  EXPECT_TRUE(watch.may_take({}, at(1s)));
  EXPECT_TRUE(watch.may_take({.epoch = 9, .seq = 4}, at(1s)));
}

TEST(FollowerWatch, TakesAHeldOneWhenNothingMovedForTheLease) {
  FollowerWatch watch(6s);
  EXPECT_FALSE(watch.may_take(held(1, 5), at(10s)));
  EXPECT_FALSE(watch.may_take(held(1, 5), at(16s - 1ns)));
  EXPECT_TRUE(watch.may_take(held(1, 5), at(16s)));
}

TEST(FollowerWatch, AnyMoveStartsAnew) {
  for (const LeaderSeen& moved : {held(1, 6), held(2, 5), held(1, 5, "y")}) {
    FollowerWatch watch(6s);
    EXPECT_FALSE(watch.may_take(held(1, 5), at(10s)));
    EXPECT_FALSE(watch.may_take(moved, at(16s)));
    EXPECT_FALSE(watch.may_take(moved, at(22s - 1ns)));
    EXPECT_TRUE(watch.may_take(moved, at(22s)));
  }
}

TEST(FollowerWatch, AReconnectStartsAnew) {
  FollowerWatch watch(6s);
  EXPECT_FALSE(watch.may_take(held(1, 5), at(10s)));
  watch.reset();
  EXPECT_FALSE(watch.may_take(held(1, 5), at(16s)));
  EXPECT_TRUE(watch.may_take(held(1, 5), at(22s)));
}

LeaseSeen lease(std::string value, std::string agent = "a") {
  return {.agent_id = AgentId(std::move(agent)), .value = std::move(value)};
}

TEST(LeaseWatch, ALeaseEndsWhenItStoodStillForItsOwnLength) {
  LeaseWatch watch;
  const std::vector<LeaseSeen> seen{lease("7:0:10000"), lease("8:0:3000", "b")};
  EXPECT_TRUE(watch.expired(seen, at(100s)).empty());
  EXPECT_TRUE(watch.expired(seen, at(103s - 1ns)).empty());
  const auto first = watch.expired(seen, at(103s));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].agent_id.str(), "b");
  EXPECT_EQ(watch.expired(seen, at(110s - 1ns)).size(), 1u);
  EXPECT_EQ(watch.expired(seen, at(110s)).size(), 2u);
}

TEST(LeaseWatch, ARenewalStartsAnewAndAGoneLeaseIsForgotten) {
  LeaseWatch watch;
  watch.expired({lease("7:0:10000")}, at(100s));
  EXPECT_TRUE(watch.expired({lease("7:1:10000")}, at(110s)).empty());
  EXPECT_TRUE(watch.expired({}, at(111s)).empty());
  EXPECT_EQ(watch.size(), 0u);
  EXPECT_TRUE(watch.expired({lease("7:1:10000")}, at(121s)).empty());
}

TEST(LeaseWatch, AResetStartsAnew) {
  LeaseWatch watch;
  watch.expired({lease("7:0:10000")}, at(100s));
  watch.reset();
  EXPECT_TRUE(watch.expired({lease("7:0:10000")}, at(110s)).empty());
  EXPECT_EQ(watch.expired({lease("7:0:10000")}, at(120s)).size(), 1u);
}

TEST(LeaseWatch, LengthsAreBounded) {
  EXPECT_EQ(lease_length("1:2:3000"), 3s);
  EXPECT_EQ(lease_length("1:2:1"), 1s);
  EXPECT_EQ(lease_length("1:2:99999999999"), 600s);
  for (const std::string_view text :
       {"", "x", "1:2:", "1:2:x", "1:2:3000x", "1:2:99999999999999999999"}) {
    EXPECT_EQ(lease_length(text), 10s) << text;
  }
}

TEST(Sentence, NamesWhatTheAgentWaitsFor) {
  using testing::HasSubstr;
  AgentFacts facts{.agent_id = AgentId("scribe")};
  EXPECT_EQ(to_sentence(facts), "scribe has nothing to do.");
  facts.backoff_seconds = 41.2;
  facts.failures = 6;
  facts.last_outcome = "failure";
  facts.last_reason = "LLM error";
  EXPECT_EQ(to_sentence(facts),
            "scribe is held off for 42 s more: 6 failures in a row; last: failure (LLM error).");
  facts.waiting = Waiting{.item = WorkItem{}};
  EXPECT_THAT(to_sentence(facts), HasSubstr("waits in work:queue:normal (0 before it)"));
  facts.paused = true;
  EXPECT_EQ(to_sentence(facts), "scribe is paused.");
  facts.fleet_paused = true;
  EXPECT_THAT(to_sentence(facts), HasSubstr("whole fleet"));
  facts.generation_missing = true;
  EXPECT_THAT(to_sentence(facts), HasSubstr("work:generation"));
  facts.active = ActiveActivation{.runner_id = RunnerId("r"), .activation_id = ActivationId("x")};
  EXPECT_THAT(to_sentence(facts), HasSubstr("is running: activation x on r"));
}

}  // namespace
}  // namespace botburrow::queue
