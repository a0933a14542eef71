#include "queue/agent_sentence.hpp"
#include "queue/breaker.hpp"
#include "queue/election.hpp"
#include "queue/lease_watch.hpp"

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

/// An agent of which Redis knows nothing, at noon, under a leader.
AgentFacts idle() {
  return {.agent_id = AgentId("scribe"), .led = true, .server_time = 1770465600};
}
OutsideFacts hub_says() {
  return {.hub_asked = true, .unread = 0, .stale_in_seconds = 0, .explores = true};
}

TEST(Sentence, NamesWhatTheAgentWaitsFor) {
  auto facts = idle();
  EXPECT_EQ(to_sentence(facts), "scribe has nothing to do.");
  facts.backoff_seconds = 41.2;
  facts.failures = 6;
  facts.last_outcome = "failure";
  facts.last_reason = "LLM error";
  EXPECT_EQ(to_sentence(facts),
            "scribe is backing off until 2026-02-07T12:00:42Z (42 s) after 6 failures in a row "
            "(last: failure, LLM error).");
  facts.ahead = 3;
  facts.waiting = Waiting{.item = WorkItem{}};
  EXPECT_EQ(to_sentence(facts),
            "scribe is queued behind 3 in work:queue:normal for a runner that takes inbox work (6 "
            "failures in a row; last: failure, LLM error).");
  facts.failures = 0;
  facts.waiting->due = facts.server_time + 600;
  EXPECT_EQ(to_sentence(facts),
            "scribe waits until 2026-02-07T12:10:00Z (10 min) with its inbox item, which comes "
            "back by itself.");
  facts.paused = true;
  EXPECT_EQ(to_sentence(facts), "scribe is paused.");
  facts.fleet_paused = true;
  EXPECT_EQ(to_sentence(facts), "scribe waits because the whole fleet is paused.");
  facts.generation_missing = true;
  EXPECT_THAT(to_sentence(facts), testing::HasSubstr("work:generation is missing"));
  facts.active = ActiveActivation{
      .runner_id = RunnerId("r"), .activation_id = ActivationId("x"), .started_at = "then"};
  EXPECT_EQ(to_sentence(facts), "scribe is running on r since then: activation x.");
}

TEST(Sentence, HoldOffsWithoutAFailureAreNoBackOff) {
  auto facts = idle();
  facts.backoff_seconds = 60;
  facts.last_outcome = "skipped";
  facts.last_reason = "min_interval_seconds";
  EXPECT_EQ(to_sentence(facts),
            "scribe is held off until 2026-02-07T12:01:00Z (60 s) (last: skipped, "
            "min_interval_seconds).");
  facts.last_outcome = "over_budget";
  facts.last_reason = "Daily budget exceeded";
  EXPECT_EQ(wait_reason(facts, {}), WaitReason::over_budget);
  EXPECT_EQ(to_sentence(facts),
            "scribe is over budget: Daily budget exceeded; it is looked at again at "
            "2026-02-07T12:01:00Z (60 s).");
}

TEST(Sentence, WorkThatNobodyCanTakeIsNotJustQueued) {
  auto facts = idle();
  facts.waiting = Waiting{.queue = Priority::high, .item = WorkItem{}};
  OutsideFacts outside{.runner_lives = true};
  EXPECT_EQ(wait_reason(facts, outside), WaitReason::queued);
  outside.runner_lives = false;
  EXPECT_EQ(to_sentence(facts, outside),
            "scribe is queued behind 0 in work:queue:high, and no live runner takes inbox work; "
            "start one with botburrow runner.");
  outside.missing_executor = "claude-code";
  EXPECT_EQ(to_sentence(facts, outside),
            "scribe is queued behind 0 in work:queue:high, and no runner can take it: its executor "
            "'claude-code' is not available.");
  facts.waiting->due = facts.server_time + 5;
  EXPECT_EQ(wait_reason(facts, outside), WaitReason::no_executor);
}

TEST(Sentence, OfAnIdleAgentTheHubTellsMore) {
  const auto facts = idle();
  auto outside = hub_says();
  EXPECT_EQ(to_sentence(facts, outside),
            "scribe has nothing unread, and looks around once the leader sends it.");
  outside.stale_in_seconds = 700;
  EXPECT_EQ(to_sentence(facts, outside),
            "scribe has nothing unread and is not stale yet: it may look around in 12 min.");
  outside.explores = false;
  EXPECT_EQ(wait_reason(facts, outside), WaitReason::never_explores);
  outside.unread = 1;
  EXPECT_EQ(to_sentence(facts, outside),
            "scribe has 1 unread notification, which the leader takes up at its next look at the "
            "Hub.");
  outside.unread = 100;
  outside.unread_is_more = true;
  EXPECT_THAT(to_sentence(facts, outside),
              testing::HasSubstr("has at least 100 unread notifications, which"));
  outside.over_budget = "Monthly budget exceeded";
  EXPECT_EQ(to_sentence(facts, outside), "scribe is over budget: Monthly budget exceeded.");
  outside.hub_status = "retired";
  EXPECT_EQ(to_sentence(facts, outside), "scribe is retired on the Hub.");
  outside.known_to_hub = false;
  EXPECT_EQ(to_sentence(facts, outside), "scribe has nothing to do: the Hub knows no such agent.");
  EXPECT_EQ(to_sentence(facts, {.hub_fault = "Connection refused"}),
            "scribe has nothing to do as far as Redis knows; the Hub could not be asked: "
            "Connection refused.");
}

TEST(Sentence, WithoutALeaderNobodyLooks) {
  auto facts = idle();
  facts.led = false;
  auto outside = hub_says();
  EXPECT_EQ(to_sentence(facts, outside),
            "scribe has been idle long enough to look around, but no coordinator leads; start one "
            "with botburrow coordinator.");
  outside.unread = 2;
  EXPECT_THAT(to_sentence(facts, outside),
              testing::HasSubstr("has 2 unread notifications, but no coordinator leads"));
  outside.unread = 0;
  outside.stale_in_seconds = 5;
  EXPECT_EQ(wait_reason(facts, outside), WaitReason::not_stale) << "nothing is late yet";
}

TEST(Sentence, EveryReasonHasAName) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(WaitReason::nothing); ++i)
    names.insert(name_of(static_cast<WaitReason>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(WaitReason::nothing) + 1);
}

}  // namespace
}  // namespace botburrow::queue
