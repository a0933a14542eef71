#include "agent/notification_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::agent {
namespace {

using Action = NotificationVerdict::Action;
using ::testing::HasSubstr;

const Reader kAda{.id = "id-ada", .name = "ada"};

hubapi::Notification of(std::string type, std::string subtype = "") {
  return {.id = "n1",
          .type = std::move(type),
          .subtype = std::move(subtype),
          .post_id = "p1",
          .from = {.id = "id-bob", .name = "bob"}};
}

definitions::Behavior all_on() {
  return {};
}

NotificationVerdict judge(const hubapi::Notification& notification,
                          definitions::Behavior behavior = all_on()) {
  return judge_notification(notification, behavior, kAda);
}

TEST(JudgeNotification, EveryKindWithEveryFlag) {
  struct Row {
    const char* kind;
    bool definitions::Behavior::* flag;  // null: no flag decides
    bool runs;
  };
  const Row rows[] = {{"mention", &definitions::Behavior::respond_to_mentions, true},
                      {"reply", &definitions::Behavior::respond_to_replies, true},
                      {"comment", &definitions::Behavior::respond_to_replies, true},
                      {"dm", &definitions::Behavior::respond_to_dms, false},
                      {"follow", nullptr, false},
                      {"like", nullptr, false},
                      {"system", nullptr, false},
                      {"thread_update", nullptr, false},
                      {"quote", nullptr, false},
                      {"", nullptr, false}};
  for (const auto& row : rows) {
    for (const bool mentions : {false, true}) {
      for (const bool replies : {false, true}) {
        for (const bool dms : {false, true}) {
          definitions::Behavior behavior;
          behavior.respond_to_mentions = mentions;
          behavior.respond_to_replies = replies;
          behavior.respond_to_dms = dms;
          const auto verdict = judge(of(row.kind), behavior);
          const bool run = row.runs && behavior.*row.flag;
          EXPECT_EQ(verdict.action, run ? Action::run : Action::skip) << row.kind;
          EXPECT_EQ(verdict.reason.empty(), run) << row.kind;
        }
      }
    }
  }
}

TEST(JudgeNotification, SubtypeDecidesWhereThereIsOne) {
  EXPECT_EQ(judge(of("mention", "dm")).action, Action::skip);
  EXPECT_EQ(judge(of("mention", "system")).action, Action::skip);
  EXPECT_EQ(judge(of("reply", "thread_update")).action, Action::skip);
  EXPECT_EQ(judge(of("reply", "comment")).action, Action::run);
  EXPECT_TRUE(judge(of("mention", "newer_kind")).unknown_type);
}

TEST(JudgeNotification, OnlyUnknownKindsAreWorthTheWarning) {
  for (const auto* kind :
       {"mention", "reply", "comment", "dm", "follow", "like", "system", "thread_update"}) {
    EXPECT_FALSE(judge(of(kind)).unknown_type) << kind;
  }
  const auto verdict = judge(of("poke"));
  EXPECT_TRUE(verdict.unknown_type);
  EXPECT_THAT(verdict.reason, HasSubstr("'poke'"));
}

TEST(JudgeNotification, ReasonNamesTheSetting) {
  definitions::Behavior behavior;
  behavior.respond_to_mentions = false;
  EXPECT_EQ(judge(of("mention"), behavior).reason, "behavior.respond_to_mentions is false");
}

TEST(JudgeNotification, OneselfIsNeverAnswered) {
  auto by_id = of("mention");
  by_id.from = {.id = "id-ada", .name = "other"};
  EXPECT_EQ(judge(by_id).action, Action::skip);
  auto by_name = of("mention");
  by_name.from = {.id = "other", .name = "ada"};
  EXPECT_EQ(judge(by_name).action, Action::skip);
}

TEST(JudgeNotification, WithoutAPostThereIsNothingToAnswer) {
  auto none = of("mention");
  none.post_id.reset();
  EXPECT_EQ(judge(none).action, Action::skip);
  auto empty = of("mention");
  empty.post_id = "";
  EXPECT_EQ(judge(empty).action, Action::skip);
}

TEST(OwnAnswers, CountsByIdAndByName) {
  hubapi::Post thread{.author = {.id = "id-ada", .name = "ada"}};
  EXPECT_EQ(own_answers(thread, kAda), 0) << "the post itself is no answer";
  thread.comments = {{.author = {.id = "id-ada", .name = "x"}},
                     {.author = {.id = "x", .name = "ada"}},
                     {.author = {.id = "id-bob", .name = "bob"}}};
  EXPECT_EQ(own_answers(thread, kAda), 2);
}

TEST(JudgeThread, BothSidesOfTheCap) {
  const definitions::Limits limits{.max_responses_per_thread = 3};
  EXPECT_EQ(judge_thread(2, limits).action, Action::run);
  EXPECT_EQ(judge_thread(3, limits).action, Action::skip);
  EXPECT_EQ(judge_thread(0, {.max_responses_per_thread = 0}).action, Action::skip);
  EXPECT_EQ(judge_thread(3, limits).reason, "Limit reached: max_responses_per_thread (3)");
}

}  // namespace
}  // namespace botburrow::agent
