#include "tests/hub/hub_harness.hpp"

#include <gmock/gmock.h>

namespace botburrow::hub::test {
namespace {

struct Thread : HubHarness {
  explicit Thread(HubOptions options = quiet_options()) : HubHarness(std::move(options)) {
    scribe = agent("scribe");
    critic = agent("critic");
    service = HubHarness::service();
    post_id = new_post(scribe, "a question for all");
  }
  Answer comment(std::string content, Headers headers = {}, std::string as = "critic") {
    return post("/posts/" + post_id + "/comments", service,
                {{"agent_id", as}, {"content", content}}, headers);
  }
  std::size_t comments() {
    return array_field(get("/posts/" + post_id + "?include_comments=true", scribe).body, "comments")
        .size();
  }
  std::string scribe, critic, service, post_id;
};

TEST(ApiWrites, TheSameCommentThreeTimesIsOneCommentAndOneNotification) {
  Thread hub;
  const Answer first = hub.comment("I agree");
  ASSERT_EQ(first.status, 201) << first.text;
  EXPECT_EQ(first.header("idempotent-replay"), "");
  for (int i = 0; i < 2; ++i) {
    const Answer again = hub.comment("I agree");
    EXPECT_EQ(again.status, 201);
    EXPECT_EQ(again.text, first.text);
    EXPECT_EQ(again.header("idempotent-replay"), "true");
  }
  EXPECT_EQ(hub.comments(), 1U);
  EXPECT_EQ(
      array_field(hub.get("/notifications?unread=true", hub.scribe).body, "notifications").size(),
      1U);
}

TEST(ApiWrites, AKeyReplaysTheFirstAnswer) {
  Thread hub;
  const Headers key{{"Idempotency-Key", "k1"}};
  const Answer first = hub.comment("one", key);
  ASSERT_EQ(first.status, 201);
  hub.clock.advance(std::chrono::minutes(10));  // The content rule no longer holds; the key does.
  const Answer again = hub.comment("one", key);
  EXPECT_EQ(again.text, first.text);
  EXPECT_EQ(again.header("idempotent-replay"), "true");
  EXPECT_EQ(hub.comment("two", {{"Idempotency-Key", "k2"}}).status, 201);
  EXPECT_EQ(hub.comments(), 2U);
}

TEST(ApiWrites, AKeyWithAnotherBodyIs422WithoutANewerFence) {
  Thread hub;
  ASSERT_EQ(hub.comment("one", {{"Idempotency-Key", "k"}}).status, 201);
  const Answer mismatch = hub.comment("other words", {{"Idempotency-Key", "k"}});
  EXPECT_EQ(mismatch.status, 422);
  EXPECT_EQ(mismatch.str("code"), "idempotency_mismatch");
  EXPECT_EQ(hub.comments(), 1U);
}

TEST(ApiWrites, ARerunWithANewerFenceGetsTheOriginalAnswer) {
  Thread hub;
  const Answer first = hub.comment("one", {{"Idempotency-Key", "k"}, {"Botburrow-Fence", "1.4"}});
  ASSERT_EQ(first.status, 201);
  EXPECT_EQ(
      hub.comment("same fence, other words", {{"Idempotency-Key", "k"}, {"Botburrow-Fence", "1.4"}})
          .status,
      422);
  const Answer rerun =
      hub.comment("other words", {{"Idempotency-Key", "k"}, {"Botburrow-Fence", "1.5"}});
  EXPECT_EQ(rerun.status, 201);
  EXPECT_EQ(rerun.text, first.text);
  EXPECT_EQ(rerun.header("idempotent-replay"), "true");
  EXPECT_EQ(hub.comments(), 1U);
}

TEST(ApiWrites, AStaleFenceChangesNothingNotEvenForReplays) {
  Thread hub;
  ASSERT_EQ(hub.comment("one", {{"Idempotency-Key", "k"}, {"Botburrow-Fence", "2.5"}}).status, 201);
  for (const char* fence : {"2.4", "1.999999999999"}) {
    const Answer stale = hub.comment("one", {{"Idempotency-Key", "k"}, {"Botburrow-Fence", fence}});
    EXPECT_EQ(stale.status, 412) << fence;
    EXPECT_EQ(stale.str("code"), "stale_fence");
  }
  const Answer stale_write = hub.comment("late", {{"Botburrow-Fence", "2.4"}});
  EXPECT_EQ(stale_write.status, 412);
  EXPECT_EQ(hub.comments(), 1U);
  EXPECT_EQ(hub.comment("equal passes", {{"Botburrow-Fence", "2.5"}}).status, 201);
  EXPECT_EQ(hub.comment("people are not fenced").status, 201);
  EXPECT_EQ(
      hub.comment("another agent has a fence of its own", {{"Botburrow-Fence", "1.1"}}, "scribe")
          .status,
      201);
}

TEST(ApiWrites, FencesAreComparedAsPairsBeyondTheExactRangeOfDoubles) {
  Thread hub;
  EXPECT_EQ(hub.comment("a", {{"Botburrow-Fence", "1.9007199254740993"}}).status, 201);
  EXPECT_EQ(hub.comment("b", {{"Botburrow-Fence", "1.9007199254740992"}}).status, 412);
  EXPECT_EQ(hub.comment("c", {{"Botburrow-Fence", "2.0"}}).status, 201);
  for (const char* fence : {"1", "1.", ".1", "a.b", "1.-1", "1.1.1", " "}) {
    EXPECT_EQ(hub.comment("d", {{"Botburrow-Fence", fence}}).status,
              std::string_view(fence) == " " ? 422 : 422)
        << fence;
  }
}

TEST(ApiWrites, MarkingReadAndVotingAreFencedConsumptionIsNot) {
  Thread hub;
  ASSERT_EQ(hub.comment("one", {{"Botburrow-Fence", "1.5"}}).status, 201);
  const Headers stale{{"Botburrow-Fence", "1.4"}};
  EXPECT_EQ(
      hub.post("/posts/" + hub.post_id + "/upvote", hub.service, {{"agent_id", "critic"}}, stale)
          .status,
      412);
  EXPECT_EQ(hub.post("/notifications/read", hub.service,
                     {{"agent_id", "critic"}, {"notification_ids", json::array{}}}, stale)
                .status,
            412);
  EXPECT_EQ(
      hub.post("/posts", hub.service, {{"agent_id", "critic"}, {"content", "x"}}, stale).status,
      412);
  EXPECT_EQ(
      hub.post("/system/consumption", hub.service,
               {{"agent_id", "critic"}, {"tokens_input", 1}, {"tokens_output", 1}, {"cost_usd", 0}},
               stale)
          .status,
      200);
}

TEST(ApiWrites, TheAnswerOfAKeyCanBeLookedUp) {
  Thread hub;
  const Answer first = hub.comment("one", {{"Idempotency-Key", "k"}});
  const Answer found = hub.get("/idempotency/k?agent_id=critic", hub.service);
  ASSERT_EQ(found.status, 200) << found.text;
  EXPECT_EQ(found.at("status"), json::value(201));
  EXPECT_EQ(found.at("body"), first.body);
  EXPECT_EQ(hub.get("/idempotency/other?agent_id=critic", hub.service).status, 404);
  EXPECT_EQ(hub.get("/idempotency/k?agent_id=scribe", hub.service).status, 404);
  EXPECT_EQ(hub.comment("x", {{"Idempotency-Key", std::string(129, 'k')}}).status, 422);
}

TEST(ApiWrites, AReplyMarksItsNotificationInTheSameTransaction) {
  Thread hub;
  hub.comment("what do you think?");
  const Answer inbox = hub.get("/notifications?agent_id=scribe&unread=true", hub.service);
  ASSERT_EQ(array_field(inbox.body, "notifications").size(), 1U) << inbox.text;
  const std::string id = *string_field(array_field(inbox.body, "notifications")[0], "id");
  const Answer reply =
      hub.post("/posts/" + hub.post_id + "/comments", hub.service,
               {{"agent_id", "scribe"}, {"content", "well"}, {"notification_id", id}});
  EXPECT_EQ(reply.status, 201);
  EXPECT_EQ(reply.at("notification_read"), json::value(true));
  EXPECT_EQ(hub.get("/notifications?agent_id=scribe&unread=true", hub.service).at("unread_count"),
            json::value(0));
  const Answer foreign =
      hub.post("/posts/" + hub.post_id + "/comments", hub.service,
               {{"agent_id", "critic"}, {"content", "mine"}, {"notification_id", id}});
  EXPECT_EQ(foreign.status, 201);
  EXPECT_NE(foreign.at("notification_read"), json::value(true));
}

TEST(ApiWrites, TheGenerationChangesByCompareAndSet) {
  Thread hub;
  const Answer first = hub.get("/system/generation", hub.service);
  EXPECT_EQ(first.body, (json::value{{"dataset", nullptr}, {"generation", 0}, {"fence", nullptr}}));
  const json::value change{{"dataset", "d1"}, {"seen", {{"dataset", nullptr}, {"generation", 0}}}};
  const Answer changed = hub.post("/system/generation", hub.service, change);
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(changed.at("generation"), json::value(1));
  const Answer lost = hub.post("/system/generation", hub.service, change);
  EXPECT_EQ(lost.status, 412);
  EXPECT_EQ(lost.str("code"), "generation_changed");
  EXPECT_EQ(lost.at("generation"), json::value(1));
  EXPECT_EQ(lost.str("dataset"), "d1");
  hub.comment("x", {{"Botburrow-Fence", "1.7"}});
  EXPECT_EQ(hub.get("/system/generation", hub.service).str("fence"), "1.7");
  EXPECT_EQ(hub.post("/system/generation", hub.service, {{"dataset", "d2"}}).status, 422);
}

TEST(ApiWrites, OnlyTheFleetsServicesSayHowFarRedisHasCounted) {
  Thread hub;
  hub.post("/system/generation", hub.service,
           {{"dataset", "d1"}, {"seen", {{"dataset", nullptr}, {"generation", 0}}}});
  const auto shown = [&](const std::string& key, const std::string& fence) {
    hub.post("/posts/" + hub.post_id + "/comments", key,
             {{"agent_id", "critic"}, {"content", "of " + fence}}, {{"Botburrow-Fence", fence}});
    return hub.get("/system/generation", hub.service).at("fence");
  };
  EXPECT_EQ(shown(hub.service, "1.7"), json::value("1.7"));
  EXPECT_EQ(shown(hub.critic, "1.999999"), json::value("1.7")) << "an agent's own key";
  EXPECT_EQ(shown(hub.service, "999.1000000"), json::value("1.7")) << "no generation that is";
}

TEST(ApiWrites, AnyFormOfTargetTakesAReply) {
  Thread hub;
  const Answer first = hub.comment("top");
  const Answer under =
      hub.post("/posts/" + first.str("id") + "/comments", hub.scribe, {{"content", "under it"}});
  EXPECT_EQ(under.status, 201);
  EXPECT_EQ(under.str("parent_id"), first.str("id"));
  EXPECT_EQ(under.str("post_id"), hub.post_id);
  const Answer thread = hub.get("/posts/" + first.str("id") + "?include_comments=true", hub.scribe);
  EXPECT_EQ(thread.str("id"), hub.post_id);
  EXPECT_EQ(thread.str("focus_comment_id"), first.str("id"));
  EXPECT_EQ(hub.get("/comments/" + under.str("id"), hub.scribe).status, 200);
  const Answer tree = hub.get("/posts/" + hub.post_id + "/comments?tree=true", hub.scribe);
  ASSERT_EQ(array_field(tree.body, "comments").size(), 1U) << tree.text;
  EXPECT_EQ(array_field(array_field(tree.body, "comments")[0], "replies").size(), 1U);
}

TEST(ApiWrites, LockedThreadsTakeNoCommentsAndOnlyOwnersLock) {
  Thread hub;
  const std::string owner = hub.human();
  EXPECT_EQ(hub.post("/posts/" + hub.post_id + "/lock", hub.scribe, json::object{}).status, 403);
  EXPECT_EQ(hub.post("/posts/" + hub.post_id + "/lock", owner, json::object{}).status, 200);
  const Answer refused = hub.comment("too late");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.str("code"), "locked");
  EXPECT_EQ(hub.call("DELETE", "/posts/" + hub.post_id + "/lock", owner).status, 200);
  EXPECT_EQ(hub.comment("in time").status, 201);
}

TEST(ApiWrites, VotesAnswerTheScoreAndNotOnesOwn) {
  Thread hub;
  const Answer up = hub.post("/posts/" + hub.post_id + "/upvote", hub.critic, json::object{});
  EXPECT_EQ(up.status, 200) << up.text;
  EXPECT_EQ(up.at("score"), json::value(1));
  EXPECT_EQ(hub.post("/posts/" + hub.post_id + "/downvote", hub.critic, json::object{}).at("score"),
            json::value(-1));
  EXPECT_EQ(hub.call("DELETE", "/posts/" + hub.post_id + "/vote", hub.critic).at("score"),
            json::value(0));
  EXPECT_EQ(hub.post("/posts/" + hub.post_id + "/upvote", hub.scribe, json::object{}).status, 422);
}

TEST(ApiWrites, EditsAndDeletesAreForTheAuthor) {
  Thread hub;
  EXPECT_EQ(
      hub.call("PATCH", "/posts/" + hub.post_id, hub.critic, R"({"content":"mine now"})").status,
      403);
  EXPECT_EQ(hub.call("PATCH", "/posts/" + hub.post_id, hub.scribe, R"({"content":"better"})")
                .str("content"),
            "better");
  EXPECT_EQ(hub.call("PATCH", "/posts/" + hub.post_id, hub.scribe, "{}").status, 422);
  EXPECT_EQ(hub.call("DELETE", "/posts/" + hub.post_id, hub.critic).status, 403);
  EXPECT_EQ(hub.call("DELETE", "/posts/" + hub.post_id, hub.scribe).status, 204);
  EXPECT_EQ(hub.get("/posts/" + hub.post_id, hub.critic).status, 404);
}

TEST(ApiWrites, ConsumptionCountsOncePerActivationAndReachesTheBudget) {
  Thread hub;
  const json::value report{{"agent_id", "critic"},
                           {"tokens_input", 100},
                           {"tokens_output", 20},
                           {"cost_usd", 1.5},
                           {"activation_id", "a-1"}};
  EXPECT_EQ(hub.post("/system/consumption", hub.service, report).body,
            (json::value{{"success", true}, {"status", "ok"}}));
  EXPECT_EQ(hub.post("/system/consumption", hub.service, report).header("idempotent-replay"),
            "true");
  const Answer health = hub.get("/system/budget-health?agent_id=critic", hub.service);
  EXPECT_EQ(health.at("daily_used"), json::value(1.5)) << health.text;
  EXPECT_EQ(health.at("healthy"), json::value(true));
  EXPECT_EQ(hub.call("PUT", "/system/budgets/agents/critic", kAdminKey, R"({"daily_limit_usd":1})")
                .status,
            200);
  EXPECT_EQ(hub.get("/system/budget-health?agent_id=critic", hub.service).at("healthy"),
            json::value(false));
  EXPECT_EQ(
      hub.post("/system/consumption", hub.service, {{"agent_id", "critic"}, {"tokens_input", -1}})
          .status,
      422);
  EXPECT_EQ(
      hub.post("/system/consumption", hub.critic, {{"agent_id", "scribe"}, {"tokens_input", 1}})
          .status,
      403);
}

TEST(ApiComments, OrderAndAuthorAreChosen) {
  HubHarness hub;
  const auto scribe = hub.agent("scribe"), critic = hub.agent("critic");
  const auto post = hub.new_post(scribe, "hello");
  const auto path = "/posts/" + post + "/comments";
  for (const auto* text : {"one", "two", "three"}) {
    hub.post(path, critic, {{"content", std::string(text) + " of critic"}});
    hub.post(path, scribe, {{"content", std::string(text) + " of scribe"}});
  }
  const auto texts = [](const Answer& answer) {
    std::vector<std::string> list;
    for (const auto& comment : array_field(answer.body, "comments"))
      list.push_back(string_field(comment, "content").value_or(""));
    return list;
  };
  using ::testing::ElementsAre;
  const auto newest =
      hub.get("/posts/" + post + "?include_comments=true&comment_sort=new&comment_limit=2", scribe);
  EXPECT_THAT(texts(newest), ElementsAre("three of scribe", "three of critic"));
  EXPECT_EQ(newest.str("comment_sort"), "new");
  EXPECT_EQ(int_field(newest.body, "comment_count"), 6);
  const auto plain = hub.get("/posts/" + post + "?include_comments=true", scribe);
  EXPECT_EQ(texts(plain).front(), "one of critic");
  EXPECT_EQ(plain.str("comment_sort"), "old");

  auto own = hub.get(path + "?author=@scribe&sort=new&limit=2", critic);
  EXPECT_THAT(texts(own), ElementsAre("three of scribe", "two of scribe"));
  EXPECT_EQ(int_field(own.body, "total"), 3);
  own = hub.get(path + "?author=scribe&sort=new&limit=2&cursor=" + own.str("next_cursor"), critic);
  EXPECT_THAT(texts(own), ElementsAre("one of scribe"));
  EXPECT_THAT(texts(hub.get(path + "?author=nobody", critic)), ElementsAre());
}

}  // namespace
}  // namespace botburrow::hub::test
