#include "hubapi/wire.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace botburrow::hubapi {
namespace {

json::value parsed(std::string_view text) {
  return parse_json(text, "test");
}

TEST(Wire, NotificationInOurFormAndInTheOlderOne) {
  const auto ours = read_notification(parsed(
      R"({"id":"n1","type":"reply","subtype":"comment","post_id":"p1","from_agent":{"id":"a","name":"ada"},"content":"hi",
          "created_at":"2026-02-07T10:00:00.123456+00:00","read":true,"karma":9})"));
  ASSERT_TRUE(ours);
  EXPECT_EQ(ours->kind(), "comment");
  EXPECT_EQ(ours->from.name, "ada");
  EXPECT_EQ(to_rfc3339(*ours->created_at), "2026-02-07T10:00:00.123Z");
  EXPECT_TRUE(ours->read);

  const auto older = read_notification(parsed(
      R"({"id":7,"type":"dm","dm_id":"d","comment_id":"c1","from_agent":null,"from":"bob","created_at":null})"));
  ASSERT_TRUE(older);
  EXPECT_EQ(older->id, "7");
  EXPECT_EQ(older->kind(), "dm");
  EXPECT_EQ(older->from.id, "bob");
  EXPECT_EQ(older->comment_id, "c1");
  EXPECT_FALSE(older->post_id);
  EXPECT_FALSE(older->created_at);
  EXPECT_FALSE(older->read);
}

TEST(Wire, UnreadableItemsAreSkippedAndCounted) {
  std::size_t skipped = 0;
  const auto list = read_list<WaitingAgent>(
      parsed(
          R"({"agents":[{"id":"a","name":"ada","notification_count":3},{"name":"nobody"},"text",null,{"id":"b"},
                 {"id":"c","name":"cy","notification_count":-5,"last_activated_at":"2026-02-07T10:00:00Z"}]})"),
      "agents", read_waiting_agent, [&](std::size_t count) { skipped = count; });
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(skipped, 3U);
  EXPECT_EQ(list[0].notification_count, 3);
  EXPECT_EQ(list[1].name, "b");
  EXPECT_EQ(list[2].notification_count, 0);
  EXPECT_TRUE(list[2].last_activated_at);
}

TEST(Wire, AnAnswerOfAnotherShapeIsAnEmptyList) {
  for (const auto* text : {"null", "[]", "3", R"({"agents":{}})", R"({"agents":"x"})", "{}"}) {
    EXPECT_TRUE(read_list<WaitingAgent>(parsed(text), "agents", read_waiting_agent).empty())
        << text;
  }
}

TEST(Wire, PostWithComments) {
  const auto post = read_post(parsed(
      R"({"id":"p","author":{"id":"1","name":"ada","type":"human"},"title":null,"content":"hello","community":"m/general",
          "comments":[{"id":"c","author":{"name":"bob"},"content":"x"},{"no":"id"}],"existing_replies":[{"author":{"name":"cy"}}]})"));
  ASSERT_TRUE(post);
  EXPECT_EQ(post->title, "");
  ASSERT_EQ(post->comments.size(), 1U);
  EXPECT_EQ(post->comments[0].author.id, "bob");
  ASSERT_EQ(post->existing_replies.size(), 1U);
  EXPECT_EQ(post->existing_replies[0].name, "cy");
}

struct BudgetCase {
  const char* json;
  BudgetStatus status;
};

class BudgetShapes : public ::testing::TestWithParam<BudgetCase> {};

TEST_P(BudgetShapes, AreReadIntoOneStatus) {
  EXPECT_EQ(read_budget(parsed(GetParam().json)).status, GetParam().status) << GetParam().json;
}

using enum BudgetStatus;
INSTANTIATE_TEST_SUITE_P(
    Wire, BudgetShapes,
    ::testing::Values(
        // Flat, per agent. A limit of 0 is none.
        BudgetCase{"{}", healthy}, BudgetCase{R"({"healthy":true})", healthy},
        BudgetCase{R"({"healthy":false})", critical},
        BudgetCase{
            R"({"daily_limit":0,"daily_used":50,"monthly_limit":0,"monthly_used":0,"healthy":true})",
            healthy},
        BudgetCase{R"({"daily_limit":10,"daily_used":7.9,"healthy":true})", healthy},
        BudgetCase{R"({"daily_limit":10,"daily_used":8,"healthy":true})", warning},
        BudgetCase{R"({"daily_limit":10,"daily_used":9,"healthy":true})", throttle},
        BudgetCase{R"({"daily_limit":10,"daily_used":1,"monthly_limit":100,"monthly_used":100})",
                   critical},
        // Per tool and collective.
        BudgetCase{
            R"({"tools":{"native":{"status":"healthy","used_pct":20}},"collective":{"total_budget_usd":100,"total_used_usd":10,"overall_health":"healthy"}})",
            healthy},
        BudgetCase{R"({"tools":{"native":{"used_pct":92.5,"remaining_usd":1,"days_remaining":3}}})",
                   throttle},
        BudgetCase{
            R"({"tools":{"native":{"used_pct":85}},"collective":{"overall_health":"critical"}})",
            critical},
        BudgetCase{R"({"tools":{},"collective":{"total_budget_usd":100,"total_used_usd":95}})",
                   throttle},
        // Per provider.
        BudgetCase{
            R"({"status":"warning","tools":{"anthropic":{"status":"ok","used":1,"limit":10,"percentage":10}}})",
            warning},
        BudgetCase{
            R"({"status":"healthy","tools":{"anthropic":{"status":"critical","percentage":10}}})",
            critical},
        BudgetCase{
            R"({"status":"healthy","tools":{"openai":{"used":99,"limit":100}},"billing_cycle":{"days_remaining":3}})",
            throttle},
        // Words we do not know say nothing.
        BudgetCase{R"({"status":"splendid","tools":{"a":{"status":"odd","percentage":100}}})",
                   critical},
        BudgetCase{R"("nonsense")", healthy}));

TEST(Wire, BudgetReasonsAreTheOriginalsWords) {
  EXPECT_EQ(read_budget(parsed(R"({"daily_limit":5,"daily_used":5})")).reason(),
            "Daily budget exceeded");
  EXPECT_EQ(read_budget(parsed(R"({"monthly_limit":5,"monthly_used":6})")).reason(),
            "Monthly budget exceeded");
  EXPECT_EQ(read_budget(parsed(R"({"healthy":false})")).reason(), "Budget unhealthy");
  EXPECT_EQ(read_budget(parsed("{}")).reason(), "Budget OK");
}

TEST(Wire, EffectKeyIsTheHashOfAgentScopeAndSlot) {
  // printf 'scribe\nn:17\nreply' | sha256sum
  EXPECT_EQ(effect_key(AgentId("scribe"), "n:17", "reply"),
            "9fbd617b48af3d33d9a03b313a4974891efd8183c4dd546da6a63c619856258a");
}

}  // namespace
}  // namespace botburrow::hubapi
