#include "tests/support/live_hub.hpp"

#include "tests/hubapi/client_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::hubapi {
namespace {

class LiveClientTest : public ClientTest {
 protected:
  LiveClientTest() {
    connect(hub.url(), hub.service_key);
    hub.agent("scribe");
  }
  test::LiveHub hub{ioc};
  const AgentId scribe{"scribe"};
};

TEST_F(LiveClientTest, PollHandsOutAndLists) {
  hub.post("@scribe hello");
  const auto polled = run(client->poll(5s, 100, soon()));
  ASSERT_TRUE(polled.supported);
  ASSERT_EQ(polled.agents.size(), 1U);
  EXPECT_EQ(polled.agents[0].id, scribe);
  EXPECT_EQ(run(client->with_notifications(soon())).size(), 1U);
  hub.agent("idle");
  ASSERT_EQ(run(client->stale(900s, soon())).size(), 1U) << "the other one is handed out";
  run(client->activated(AgentId("idle"), soon()));
  EXPECT_EQ(run(client->stale(900s, soon())).size(), 0U);
}

TEST_F(LiveClientTest, ReplyMarksTheNotificationRead) {
  const auto post = hub.post("@scribe hello");
  const auto unread = run(client->unread(scribe, 10, soon()));
  ASSERT_EQ(unread.size(), 1U);
  const auto written = run(client->create_comment(
      scribe, {.post_id = post, .content = "hi", .notification_id = unread[0].id},
      {.fence = "1.1", .idempotency_key = effect_key(scribe, "n:1", "reply")}, soon()));
  EXPECT_TRUE(written.notification_read);
  EXPECT_FALSE(written.replayed);
  EXPECT_EQ(run(client->unread(scribe, 10, soon())).size(), 0U);
}

TEST_F(LiveClientTest, AnAnswerThatIsLostIsAskedForAgainAndReplayed) {
  const auto post = hub.post("hello");
  auto proxy = test::FaultProxy::to_tcp(ioc.get_executor(), hub.port());
  connect(proxy.http_url(), hub.service_key);
  ASSERT_TRUE(run(client->remembers_keys(soon())));
  proxy.reset_answers(1);
  const auto key = effect_key(scribe, "n:1", "reply");
  const auto written =
      run(client->create_comment(scribe, {.post_id = post, .content = "once"},
                                 {.fence = "1.1", .idempotency_key = key}, soon()));
  EXPECT_EQ(proxy.resets(), 1U);
  EXPECT_TRUE(written.replayed);
  EXPECT_EQ(hub.answers(post).size(), 1U);
  const auto found = run(client->find_answer(scribe, key, soon()));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->status, 201);
  EXPECT_EQ(found->id, written.id);
}

TEST_F(LiveClientTest, WithoutAKeyALostAnswerIsNotAskedForAgain) {
  auto proxy = test::FaultProxy::to_tcp(ioc.get_executor(), hub.port());
  connect(proxy.http_url(), hub.service_key);
  run(client->remembers_keys(soon()));
  proxy.reset_answers(1);
  EXPECT_EQ(
      error_of(client->create_post(scribe, {.content = "x", .community = "general"}, {}, soon()))
          .detail(),
      "maybe_sent");
  EXPECT_EQ(requests("create_post", "error"), 1);
}

TEST_F(LiveClientTest, ALowerFenceIsStale) {
  const auto post = hub.post("hello");
  run(client->create_comment(scribe, {.post_id = post, .content = "new"}, {.fence = "1.5"},
                             soon()));
  EXPECT_EQ(error_of(client->create_comment(scribe, {.post_id = post, .content = "old"},
                                            {.fence = "1.4"}, soon()))
                .code(),
            errc::stale_fence);
  EXPECT_EQ(hub.answers(post).size(), 1U);
}

TEST_F(LiveClientTest, ReportsAreCountedOnce) {
  const auto body = to_json(HubClient::consumption_body({.agent_id = "scribe",
                                                         .activation_id = "a1",
                                                         .model = "m",
                                                         .tool_type = "native",
                                                         .task_type = "inbox",
                                                         .tokens_input = 10,
                                                         .tokens_output = 5,
                                                         .cost_usd = 0.25}));
  EXPECT_TRUE(run(client->report("scribe", "/system/consumption", body, "c:a1", soon())));
  EXPECT_TRUE(run(client->report("scribe", "/system/consumption", body, "c:a1", soon())));
  const auto budget = run(client->budget(scribe, soon()));
  ASSERT_TRUE(budget);
  EXPECT_DOUBLE_EQ(budget->monthly_used, 0.25);
}

TEST_F(LiveClientTest, GenerationIsComparedAndSet) {
  const auto first = run(client->generation(soon()));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->dataset, "");
  EXPECT_EQ(first->generation, 0);
  const auto next = run(client->change_generation("set-a", *first, soon()));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->generation, 1);
  EXPECT_FALSE(run(client->change_generation("set-b", *first, soon()))) << "somebody was faster";
  EXPECT_EQ(run(client->generation(soon()))->dataset, "set-a");
}

TEST_F(LiveClientTest, ALongPollEndsWithinASecondOfItsCancellation) {
  namespace asio = boost::asio;
  asio::cancellation_signal signal;
  bool done = false, aborted = false;
  asio::co_spawn(
      ioc, test::detail::cancellable(client->poll(30s, 100, Deadline::in(40s))),
      asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr failure, PollAnswer) {
        done = true;
        aborted = failure && is_cancellation(failure);
      }));
  ASSERT_TRUE(test::run_until(ioc, [&] { return http.active() == 1; }, 2s));
  test::run_until(ioc, [] { return false; }, 50ms);
  signal.emit(asio::cancellation_type::all);
  EXPECT_TRUE(test::run_until(ioc, [&] { return done; }, 1s));
  EXPECT_TRUE(aborted);
  EXPECT_EQ(http.active(), 0U);
}

TEST_F(LiveClientTest, AWrongKeyIsSaid) {
  connect(hub.url(), "botburrow_agent_wrong");
  EXPECT_THAT(error_of(client->with_notifications(soon())).message(),
              ::testing::HasSubstr("401 Unauthorized from Hub API"));
  EXPECT_EQ(lines->count("hub_auth_error"), 1U);
  EXPECT_EQ(lines->count("hub_auth_error", "botburrow_agent_wrong"), 0U);
}

TEST_F(LiveClientTest, OfALongThreadTheNewestAreReadAndAllOnesOwnCounted) {
  const auto post = hub.post("a long story");
  const auto by_scribe = [&](const std::string& text) {
    run(client->create_comment(scribe, {.post_id = post, .content = text}, {}, soon()));
  };
  int words = 0;
  const auto by_owner = [&](int count) {
    for (int i = 0; i < count; ++i)
      hub.comment(post, fmt::format("word {}", ++words));
  };
  by_scribe("the first word");
  by_scribe("the second word");
  by_owner(300);
  by_scribe("in between");
  by_owner(220);
  by_scribe("near the end");
  const auto last = hub.comment(post, "the last word");

  const auto thread = run(client->thread(scribe, post, soon()));
  ASSERT_TRUE(thread);
  EXPECT_EQ(thread->comments_total, 525U);
  EXPECT_EQ(thread->comments.size(), kThreadComments + 3);
  EXPECT_EQ(thread->comments.back().id, last);
  EXPECT_TRUE(std::ranges::is_sorted(thread->comments, {}, &Comment::created_at));
  std::vector<std::string> own;
  for (const auto& comment : thread->comments) {
    if (comment.author.id == "scribe") own.push_back(comment.content);
  }
  EXPECT_THAT(own, ::testing::ElementsAre("the first word", "the second word", "in between",
                                          "near the end"));
}

TEST_F(LiveClientTest, AShortThreadIsOneCall) {
  const auto post = hub.post("hello");
  for (const auto* text : {"one", "two", "three"})
    hub.comment(post, text);
  const auto thread = run(client->thread(scribe, post, soon()));
  ASSERT_EQ(thread->comments.size(), 3U);
  EXPECT_EQ(thread->comments[0].content, "one");
  EXPECT_EQ(thread->comments[2].content, "three");
  EXPECT_EQ(requests("comments", "200"), 0);
}

TEST_F(LiveClientTest, TheHubIsAskedWhetherItTakesTheKey) {
  EXPECT_EQ(client->key_standing(), KeyStanding::unknown);
  EXPECT_EQ(run(client->check_key(soon())).standing, KeyStanding::accepted);
  EXPECT_EQ(client->key_standing(), KeyStanding::accepted);

  connect(hub.url(), "botburrow_agent_wrong");
  const auto refused = run(client->check_key(soon()));
  EXPECT_EQ(refused.standing, KeyStanding::refused);
  EXPECT_THAT(refused.reason, ::testing::HasSubstr("401 Unauthorized from Hub API"));
  EXPECT_EQ(lines->count("hub_auth_error"), 0U) << "who asks says it";

  // Known, and not a service's: other calls tell what it may do.
  const auto own = run(hub.server->ensure_key("reader", "native", ""));
  connect(hub.url(), own);
  const auto known = run(client->check_key(soon()));
  EXPECT_EQ(known.standing, KeyStanding::accepted);
  EXPECT_THAT(known.reason, ::testing::HasSubstr("403 Forbidden"));
}

TEST_F(LiveClientTest, WithoutAServiceKeyOneGoodAgentsKeyWillDo) {
  const auto own = run(hub.server->ensure_key("reader", "native", ""));
  connect(hub.url(), "", {{"another", Secret("botburrow_agent_wrong")}, {"reader", Secret(own)}});
  EXPECT_EQ(run(client->check_key(soon())).standing, KeyStanding::accepted);
  connect(hub.url(), "", {{"another", Secret("botburrow_agent_wrong")}});
  EXPECT_EQ(run(client->check_key(soon())).standing, KeyStanding::refused);
  connect(hub.url(), "");
  EXPECT_EQ(run(client->check_key(soon())).standing, KeyStanding::refused) << "it wants a key";
}

TEST_F(LiveClientTest, AKeyThatIsRefusedLaterIsNoticedByAnyCall) {
  ASSERT_EQ(run(client->check_key(soon())).standing, KeyStanding::accepted);
  hub.call("DELETE", "/keys/botburrow", hub.owner_key);
  error_of(client->with_notifications(soon()));
  EXPECT_EQ(client->key_standing(), KeyStanding::refused);
  run(hub.server->ensure_key("botburrow", "service", hub.service_key));
  EXPECT_EQ(run(client->check_key(soon())).standing, KeyStanding::accepted);
}

}  // namespace
}  // namespace botburrow::hubapi
