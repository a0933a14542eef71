#include "agent/discovery_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::agent {
namespace {

using namespace std::chrono_literals;
using definitions::DiscoveryFrequency;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const WallTime kNow = from_unix(1'770'000'000);
const Reader kAda{.id = "id-ada", .name = "ada"};

definitions::Discovery enabled(DiscoveryFrequency frequency = DiscoveryFrequency::staleness) {
  return {.enabled = true,
          .frequency = frequency,
          .respond_to_questions = true,
          .respond_to_discussions = true};
}

TEST(JudgeDiscovery, DisabledIsNeverDue) {
  const auto verdict = judge_discovery({}, std::nullopt, kNow);
  EXPECT_FALSE(verdict.due);
  EXPECT_THAT(verdict.reason, HasSubstr("behavior.discovery.enabled"));
}

TEST(JudgeDiscovery, FirstTimeIsDueAtAnyFrequency) {
  for (const auto frequency :
       {DiscoveryFrequency::staleness, DiscoveryFrequency::hourly, DiscoveryFrequency::daily}) {
    EXPECT_TRUE(judge_discovery(enabled(frequency), std::nullopt, kNow).due);
  }
}

TEST(JudgeDiscovery, BothSidesOfEachPeriod) {
  EXPECT_TRUE(judge_discovery(enabled(), kNow, kNow).due);
  const auto hourly = enabled(DiscoveryFrequency::hourly);
  EXPECT_FALSE(judge_discovery(hourly, kNow - 3599s, kNow).due);
  EXPECT_TRUE(judge_discovery(hourly, kNow - 3600s, kNow).due);
  const auto daily = enabled(DiscoveryFrequency::daily);
  EXPECT_FALSE(judge_discovery(daily, kNow - 86'399s, kNow).due);
  EXPECT_TRUE(judge_discovery(daily, kNow - 86'400s, kNow).due);
}

TEST(JudgeDiscovery, ClockThatWasSetBackDoesNotHoldItUp) {
  EXPECT_TRUE(judge_discovery(enabled(DiscoveryFrequency::daily), kNow + 100h, kNow).due);
}

TEST(DiscoverQuery, DefaultsAndUnion) {
  EXPECT_THAT(discover_query({}).communities, ElementsAre("m/general"));
  const auto query = discover_query(
      {.topics = {"rust", "cpp"}, .communities = {"m/a", "m/b"}, .keywords = {"cpp", "asio"}});
  EXPECT_THAT(query.communities, ElementsAre("m/a", "m/b"));
  EXPECT_THAT(query.keywords, ElementsAre("cpp", "asio", "rust"));
  EXPECT_EQ(query.limit, 10);
}

TEST(IsQuestion, MarksAndQuestionWords) {
  EXPECT_TRUE(is_question({.title = "Help?"}));
  EXPECT_TRUE(is_question({.content = "Any idea? Thanks."}));
  EXPECT_TRUE(is_question({.title = "How to sleep"}));
  EXPECT_TRUE(is_question({.content = "**what** about tea"}));
  EXPECT_TRUE(is_question({.content = "What's the plan"}));
  EXPECT_FALSE(is_question({.title = "However it may be", .content = "Isolation works."}));
  EXPECT_FALSE(is_question({}));
}

hubapi::Post old_post() {
  return {.id = "p",
          .author = {.id = "id-bob", .name = "bob"},
          .title = "How now?",
          .created_at = kNow - 1h};
}

bool wanted(hubapi::Post post, definitions::Discovery discovery = enabled()) {
  return !worth_a_look({std::move(post)}, discovery, kAda, kNow).empty();
}

TEST(WorthALook, OrdinaryPostIs) {
  EXPECT_TRUE(wanted(old_post()));
}

TEST(WorthALook, OwnPostIsNot) {
  auto post = old_post();
  post.author = {.id = "id-ada", .name = "x"};
  EXPECT_FALSE(wanted(post));
}

TEST(WorthALook, BothSidesOfFiveMinutes) {
  auto post = old_post();
  post.created_at = kNow - 5min;
  EXPECT_TRUE(wanted(post));
  post.created_at = kNow - 5min + 1s;
  EXPECT_FALSE(wanted(post));
  post.created_at.reset();
  EXPECT_TRUE(wanted(post)) << "a Hub that tells no time";
}

TEST(WorthALook, ThreeAgentAnswersArePlenty) {
  auto post = old_post();
  const hubapi::AgentRef agent{.id = "a", .name = "a", .type = "native"};
  const hubapi::AgentRef person{.id = "h", .name = "h", .type = "human"};
  post.existing_replies = {agent, agent, person, person};
  EXPECT_TRUE(wanted(post));
  post.existing_replies.push_back(agent);
  EXPECT_FALSE(wanted(post));
  post.existing_replies = {agent};
  post.comments = {{.author = agent}, {.author = agent}, {.author = agent}};
  EXPECT_FALSE(wanted(post)) << "the thread knows more than the feed";
}

TEST(WorthALook, AnsweredByOneselfIsNot) {
  auto post = old_post();
  post.comments = {{.author = {.id = "id-ada", .name = "ada"}, .created_at = kNow - 1h}};
  EXPECT_FALSE(wanted(post));
}

TEST(WorthALook, PersonsAnswerIsLeftAloneForTwoMinutes) {
  auto post = old_post();
  post.comments = {
      {.author = {.id = "h", .name = "h", .type = "human"}, .created_at = kNow - 119s}};
  EXPECT_FALSE(wanted(post));
  post.comments[0].created_at = kNow - 120s;
  EXPECT_TRUE(wanted(post));
  post.comments[0] = {.author = {.id = "b", .name = "b", .type = "native"}, .created_at = kNow};
  EXPECT_TRUE(wanted(post)) << "an agent's answer is no person's";
}

TEST(WorthALook, KindsFollowTheFlags) {
  auto discussion = old_post();
  discussion.title = "My week";
  for (const bool questions : {false, true}) {
    for (const bool discussions : {false, true}) {
      auto discovery = enabled();
      discovery.respond_to_questions = questions;
      discovery.respond_to_discussions = discussions;
      EXPECT_EQ(wanted(old_post(), discovery), questions);
      EXPECT_EQ(wanted(discussion, discovery), discussions);
    }
  }
}

TEST(StatedConfidence, Forms) {
  EXPECT_EQ(stated_confidence("Confidence: 0.8"), 0.8);
  EXPECT_EQ(stated_confidence("I think so.\n**Confidence:** 0.85\n"), 0.85);
  EXPECT_EQ(stated_confidence("confidence=80%"), 0.8);
  EXPECT_EQ(stated_confidence("My confidence is 0.5 here"), 0.5);
  EXPECT_EQ(stated_confidence("Confidence: `.9`"), 0.9);
  EXPECT_EQ(stated_confidence("Confidence: 8/10"), 0.8);
  EXPECT_EQ(stated_confidence("Confidence: 85"), 0.85);
  EXPECT_EQ(stated_confidence("CONFIDENCE: 1"), 1.0);
  EXPECT_EQ(stated_confidence("Confidence: 0"), 0.0);
}

TEST(StatedConfidence, FirstFigureCounts) {
  EXPECT_EQ(stated_confidence("High confidence. Confidence: 0.3, later Confidence: 0.9"), 0.3);
}

TEST(StatedConfidence, NothingThatCanBeRead) {
  for (const auto* text : {"", "0.9", "Confidence: high", "confidence", "Confidence: -0.9",
                           "Confidence: nan", "Confidence: inf", "Confidence level 0.9"}) {
    EXPECT_EQ(stated_confidence(text), std::nullopt) << text;
  }
}

TEST(StatedConfidence, NeverLeavesItsRange) {
  EXPECT_EQ(stated_confidence("Confidence: 900"), 1.0);
  EXPECT_EQ(stated_confidence("Confidence: 300%"), 1.0);
  EXPECT_EQ(stated_confidence("Confidence: 9/0"), 1.0);
  EXPECT_EQ(stated_confidence("Confidence: 12/10"), 1.0);
  const auto huge = stated_confidence("Confidence: " + std::string(400, '9'));
  EXPECT_TRUE(!huge || *huge <= 1.0);
}

}  // namespace
}  // namespace botburrow::agent
