#include "runner/fence_watch.hpp"
#include "runner/supervisor.hpp"

#include <gtest/gtest.h>

namespace botburrow::runner {
namespace {

using namespace std::chrono_literals;
using agent::Ending;
using queue::HandBackReason;
using queue::Outcome;
using Way = Ending::Way;

Ending decided(std::optional<Ending> ending, std::optional<StopReason> stop = {},
               BoundedEnd bound = BoundedEnd::done, std::string failure = "") {
  return decide_ending({.bound = bound,
                        .ending = std::move(ending),
                        .stop_reason = stop,
                        .failure = std::move(failure),
                        .timeout = 600s});
}

TEST(EndingRule, WhatTheActivationSaysStandsIfNobodyStoppedIt) {
  EXPECT_EQ(decided(Ending::success()).outcome, Outcome::success);
  EXPECT_EQ(decided(Ending::failed("no model")).reason, "no model");
  EXPECT_EQ(decided(Ending::skipped("nothing to do", 60s)).hold_off, 60s);
  EXPECT_EQ(decided(Ending::over_budget("Daily budget exceeded")).outcome, Outcome::over_budget);
  const auto away = decided(Ending::handed_back(HandBackReason::hub_away, "the Hub is away", 5s));
  EXPECT_EQ(away.way, Way::hand_back);
  EXPECT_EQ(away.hand_back, HandBackReason::hub_away);
  EXPECT_EQ(away.defer, 5s);
}

TEST(EndingRule, TimeOverIsATimeout) {
  const auto ending = decided({}, {}, BoundedEnd::deadline);
  EXPECT_EQ(ending.way, Way::complete);
  EXPECT_EQ(ending.outcome, Outcome::timeout);
  EXPECT_EQ(ending.reason, "Execution timed out after 600 seconds");
  EXPECT_EQ(decided(Ending::success(), {}, BoundedEnd::deadline).outcome, Outcome::success)
      << "done in the same moment";
}

TEST(EndingRule, AnExceptionNobodyExpectedIsAFailure) {
  EXPECT_EQ(decided({}, {}, BoundedEnd::done, "vector::at").outcome, Outcome::failure);
  EXPECT_EQ(decided({}, {}, BoundedEnd::done, "vector::at").reason, "vector::at");
}

TEST(EndingRule, AStaleFenceGoesBackLater) {
  const auto ending = decided(Ending::abandoned("412"));
  EXPECT_EQ(ending.way, Way::hand_back);
  EXPECT_EQ(ending.hand_back, HandBackReason::fenced);
  EXPECT_EQ(ending.defer, 5s);
}

TEST(EndingRule, WhatWasDoneBeforeItWasToldToStopIsDone) {
  for (const auto stop : {StopReason::cancelled, StopReason::fenced, StopReason::drain}) {
    EXPECT_EQ(decided(Ending::success(), stop).outcome, Outcome::success);
    EXPECT_EQ(decided(Ending::skipped("No unread notifications"), stop).outcome, Outcome::skipped);
  }
}

struct StopCase {
  StopReason stop;
  Way way;
  Outcome outcome;
  HandBackReason reason;
  std::chrono::seconds hold_off;
};

class Stops : public ::testing::TestWithParam<StopCase> {};

TEST_P(Stops, DecideWhateverElseWasSaid) {
  const auto& expected = GetParam();
  const std::vector<std::optional<Ending>> said = {
      std::nullopt, Ending::failed("broken off"), Ending::abandoned("not trusted"),
      Ending::handed_back(HandBackReason::hub_away, "away", 5s)};
  for (const auto& one : said) {
    const auto ending = decided(one, expected.stop, BoundedEnd::stopped);
    EXPECT_EQ(ending.way, expected.way);
    if (expected.way == Way::complete) EXPECT_EQ(ending.outcome, expected.outcome);
    if (expected.way == Way::hand_back) EXPECT_EQ(ending.hand_back, expected.reason);
    EXPECT_EQ(ending.hold_off, expected.hold_off);
    EXPECT_EQ(ending.defer, 0s);
  }
}

INSTANTIATE_TEST_SUITE_P(
    EndingRule, Stops,
    ::testing::Values(StopCase{StopReason::cancelled, Way::complete, Outcome::cancelled, {}, 60s},
                      StopCase{StopReason::lost, Way::abandon, {}, {}, 0s},
                      StopCase{StopReason::fenced, Way::hand_back, {}, HandBackReason::fenced, 0s},
                      StopCase{StopReason::drain, Way::hand_back, {}, HandBackReason::drain, 0s}));

TEST(EndingRule, NothingIsChangedOnALostLease) {
  EXPECT_EQ(decided(Ending::success(), StopReason::lost).way, Way::abandon);
}

TEST(FenceWatch, SignAndProof) {
  const auto seen = [](std::int64_t generation, std::int64_t fence) {
    return queue::GenerationSeen{
        .generation = queue::Generation{.dataset = "s", .number = generation},
        .raw = "",
        .fence = fence};
  };
  FenceWatch watch;
  EXPECT_TRUE(watch.grows({1, 5}));
  EXPECT_TRUE(watch.grows({1, 9}));
  EXPECT_FALSE(watch.grows({1, 9}));
  EXPECT_FALSE(watch.grows({1, 7}));
  EXPECT_TRUE(watch.proven_by(seen(1, 8)));
  EXPECT_FALSE(watch.proven_by(seen(1, 9))) << "an answer that came late";
  EXPECT_FALSE(watch.proven_by(seen(2, 0)));
  EXPECT_FALSE(watch.proven_by({}));
  EXPECT_TRUE(watch.grows({2, 1}));
  EXPECT_FALSE(watch.grows({2, 1}));
  watch.forget();
  EXPECT_TRUE(watch.grows({2, 1}));
}

}  // namespace
}  // namespace botburrow::runner
