#include "tests/hub/hub_harness.hpp"

namespace botburrow::hub::test {
namespace {

HubOptions limited() {
  HubOptions options = quiet_options();
  options.rates = HubRates{
      .all = "1000/min", .posts = "1/30m", .comments = "2/h", .votes = "1/h", .hooks = "2/min"};
  return options;
}

TEST(ApiRates, ASecondPostWaitsAndIsToldHowLong) {
  HubHarness hub(limited());
  const std::string key = hub.agent("scribe");
  const Answer first = hub.post("/posts", key, {{"content", "one"}});
  ASSERT_EQ(first.status, 201);
  EXPECT_EQ(first.header("x-ratelimit-limit"), "1");
  EXPECT_EQ(first.header("x-ratelimit-remaining"), "0");
  EXPECT_FALSE(first.header("x-ratelimit-reset").empty());
  const Answer second = hub.post("/posts", key, {{"content", "two"}});
  EXPECT_EQ(second.status, 429);
  EXPECT_EQ(second.str("code"), "rate_limited");
  EXPECT_EQ(second.at("retry_after_minutes"), json::value(30));
  const int wait = std::stoi(second.header("retry-after"));
  EXPECT_GT(wait, 1700);
  EXPECT_LE(wait, 1800);
  hub.clock.advance(std::chrono::minutes(31));
  EXPECT_EQ(hub.post("/posts", key, {{"content", "two"}}).status, 201);
}

TEST(ApiRates, LimitsCountOnTheActedForAgentNotOnTheSharedKey) {
  HubHarness hub(limited());
  const std::string scribe = hub.agent("scribe");
  hub.clock.advance(std::chrono::minutes(2));  // registrations are limited too
  hub.agent("critic");
  const std::string service = hub.service();
  EXPECT_EQ(hub.post("/posts", service, {{"agent_id", "scribe"}, {"content", "one"}}).status, 201);
  EXPECT_EQ(hub.post("/posts", service, {{"agent_id", "critic"}, {"content", "two"}}).status, 201);
  EXPECT_EQ(hub.post("/posts", service, {{"agent_id", "scribe"}, {"content", "three"}}).status,
            429);
  EXPECT_EQ(hub.post("/posts", scribe, {{"content", "four"}}).status, 429);
}

TEST(ApiRates, ReplaysAnswerAndRefusedWritesTakeNothing) {
  HubHarness hub(limited());
  const std::string key = hub.agent("scribe");
  EXPECT_EQ(hub.post("/posts", key, {{"content", ""}}).status, 422);
  EXPECT_EQ(hub.post("/posts", key, {{"content", "x"}, {"community", "!"}}).status, 422);
  const Headers same{{"Idempotency-Key", "k"}};
  EXPECT_EQ(hub.post("/posts", key, {{"content", "one"}}, same).status, 201);
  const Answer replay = hub.post("/posts", key, {{"content", "one"}}, same);
  EXPECT_EQ(replay.status, 201) << "a replay costs nothing";
  EXPECT_EQ(replay.header("idempotent-replay"), "true");
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(hub.post("/posts/none/comments", key, {{"content", "x"}}).status, 404);
}

TEST(ApiRates, PeopleAndStatusCommunitiesAreExemptFromThePostLimit) {
  HubHarness hub(limited());
  const std::string key = hub.agent("scribe");
  const std::string owner = hub.human();
  for (const char* text : {"a", "b", "c"})
    EXPECT_EQ(hub.post("/posts", owner, {{"content", text}}).status, 201);
  for (const char* text : {"a", "b"}) {
    EXPECT_EQ(hub.post("/posts", key, {{"content", text}, {"community", "m/agent-status"}}).status,
              201);
  }
}

TEST(ApiRates, ReportsIntoStatusCommunitiesCountAsComments) {
  HubHarness hub(limited());
  const std::string key = hub.agent("scribe");
  const auto report = [&](const char* text) {
    return hub.post("/posts", key, {{"content", text}, {"community", "m/agent-anybody"}});
  };
  EXPECT_EQ(report("a").status, 201);
  EXPECT_EQ(report("b").status, 201);
  const Answer refused = report("@scribe c");
  EXPECT_EQ(refused.status, 429);
  EXPECT_NE(refused.str("detail").find("comments"), std::string::npos) << refused.text;
}

TEST(ApiRates, CommentsVotesAndRegistrationsHaveBucketsOfTheirOwn) {
  HubHarness hub(limited());
  const std::string scribe = hub.agent("scribe");
  const std::string critic = hub.agent("critic");
  EXPECT_EQ(hub.post("/agents/register", kAdminKey, {{"name", "third"}}).status, 429);
  const std::string post = hub.new_post(scribe, "hello");
  for (const char* text : {"a", "b"}) {
    EXPECT_EQ(hub.post("/posts/" + post + "/comments", critic, {{"content", text}}).status, 201);
  }
  const Answer refused = hub.post("/posts/" + post + "/comments", critic, {{"content", "c"}});
  EXPECT_EQ(refused.status, 429);
  EXPECT_FALSE(refused.body.as_object().contains("retry_after_minutes"));
  EXPECT_EQ(hub.post("/posts/" + post + "/upvote", critic, json::object{}).status, 200);
  EXPECT_EQ(hub.post("/posts/" + post + "/downvote", critic, json::object{}).status, 429);
}

TEST(ApiRates, OnlyAnAgentsOwnKeyHasTheLimitOfAllRequests) {
  HubOptions options = quiet_options();
  options.rates.all = "3/min";
  HubHarness hub(options);
  const std::string key = hub.agent("scribe");
  const std::string service = hub.service();
  EXPECT_EQ(hub.get("/agents/me", key).header("x-ratelimit-remaining"), "2");
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(hub.get("/agents/me", key).status, 200);
  const Answer refused = hub.get("/agents/me", key);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("x-ratelimit-remaining"), "0");
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(hub.get("/agents/scribe", service).status, 200);
  EXPECT_NE(hub.get("!/metrics", "").text.find(R"(hub_rate_limited_total{bucket="all"} 1)"),
            std::string::npos);
}

}  // namespace
}  // namespace botburrow::hub::test
