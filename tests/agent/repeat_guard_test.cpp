#include "agent/repeat_guard.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace botburrow::agent {
namespace {

using Verdict = RepeatGuard::Verdict;

/// The verdicts of calls named by letters.
std::vector<Verdict> verdicts(const std::string& letters) {
  RepeatGuard guard;
  std::vector<Verdict> out;
  for (const char letter : letters)
    out.push_back(guard.saw("tool", std::string(1, letter), "same"));
  return out;
}

/// First index (from 1) of a verdict; 0 = never.
std::size_t first(const std::string& letters, Verdict wanted) {
  const auto all = verdicts(letters);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] == wanted) return i + 1;
  }
  return 0;
}

std::string times(const std::string& cycle, int count) {
  std::string out;
  for (int i = 0; i < count; ++i)
    out += cycle;
  return out;
}

TEST(RepeatGuard, SameCallWarnsAtTheThirdAndStopsAtTheFifth) {
  EXPECT_EQ(verdicts("aaaaa"), (std::vector{Verdict::fine, Verdict::fine, Verdict::warn,
                                            Verdict::warn, Verdict::stop}));
}

TEST(RepeatGuard, CyclesOfTwoAndThreeWarnAtTheThirdRoundAndStopAtTheFifth) {
  EXPECT_EQ(first(times("ab", 6), Verdict::warn), 6u);
  EXPECT_EQ(first(times("ab", 6), Verdict::stop), 10u);
  EXPECT_EQ(first(times("abc", 6), Verdict::warn), 9u);
  EXPECT_EQ(first(times("abc", 6), Verdict::stop), 15u);
}

TEST(RepeatGuard, LongerCyclesAreNoneOfItsBusiness) {
  EXPECT_EQ(first(times("abcd", 10), Verdict::warn), 0u);
}

TEST(RepeatGuard, SomethingElseInBetweenBeginsAnew) {
  EXPECT_EQ(first("aabaabaa", Verdict::stop), 0u);
  EXPECT_EQ(first("aabaab", Verdict::warn), 0u);
  EXPECT_EQ(first("aaxaa", Verdict::warn), 0u);
}

TEST(RepeatGuard, CycleMayBeginAfterOtherCalls) {
  EXPECT_EQ(first("xyz" + times("ab", 5), Verdict::stop), 13u);
}

TEST(RepeatGuard, OtherResultsArgumentsOrToolsAreNoRepeat) {
  RepeatGuard guard;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(guard.saw("t", "a", std::to_string(i)), Verdict::fine);
    EXPECT_EQ(guard.saw("t", std::to_string(i), "r"), Verdict::fine);
    EXPECT_EQ(guard.saw(std::to_string(i), "a", "r"), Verdict::fine);
  }
}

TEST(RepeatGuard, PartsAreNotRunTogether) {
  RepeatGuard guard;
  EXPECT_EQ(guard.saw("ab", "c", ""), Verdict::fine);
  EXPECT_EQ(guard.saw("a", "bc", ""), Verdict::fine);
  EXPECT_EQ(guard.saw("abc", "", ""), Verdict::fine);
}

TEST(RepeatGuard, RecoversOnceTheModelDoesSomethingElse) {
  EXPECT_EQ(verdicts("aaab").back(), Verdict::fine);
}

}  // namespace
}  // namespace botburrow::agent
