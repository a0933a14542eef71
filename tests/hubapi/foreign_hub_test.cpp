#include "tests/hubapi/client_fixture.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::hubapi {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(ForeignClientTest, ListsFollowPagesAndAreSorted) {
  const auto author = hub.add_agent("author");
  const auto post = hub.add_post(author, "hello");
  std::string busiest;
  for (int i = 0; i < 250; ++i) {
    busiest = hub.add_agent(fmt::format("agent-{}", i));
    hub.notify(busiest, "mention", post);
  }
  hub.notify(busiest, "zap", post);
  const auto agents = run(client->with_notifications(soon()));
  ASSERT_EQ(agents.size(), 250U);
  EXPECT_EQ(agents.front().id.str(), busiest);
  EXPECT_EQ(agents.front().notification_count, 2);
  EXPECT_NE(agents.front().name, agents.front().id.str());
  EXPECT_EQ(hub.count("GET", "/agents"), 3U);
  EXPECT_EQ(run(client->stale(900s, soon())).size(), 251U);
}

TEST_F(ForeignClientTest, TheFirstTryThatFailsIsToldNotTheLast) {
  hub.fail("/agents", 502, 2);
  run(client->with_notifications(soon()));
  EXPECT_EQ(lines->count("hub_call_retried", "502"), 1u) << "of two: each 30 s";
  EXPECT_EQ(lines->count("hub_call_retried", "HUB_URL"), 1u) << lines->all();
}

TEST_F(ForeignClientTest, AHubThatRepeatsItsFirstPageEndsTheList) {
  hub.garble(
      "/agents",
      R"({"agents":[{"id":"a","name":"a"},{"name":"no id"}],"total":1000,"next_cursor":"again"})",
      100);
  EXPECT_EQ(run(client->with_notifications(soon())).size(), 1U);
  EXPECT_EQ(hub.count("GET", "/agents"), 2U);
  EXPECT_GE(lines->count("hub_items_unreadable"), 1U);
}

TEST_F(ForeignClientTest, NeverActivatedAgentsComeFirst) {
  hub.garble("/agents",
             R"({"agents":[{"id":"b","name":"b","last_activated_at":"2026-02-07T10:00:00Z"},
             {"id":"c","name":"c","last_activated_at":"2026-02-06T10:00:00Z"},{"id":"a","name":"a","last_activated_at":null}]})",
             1);
  const auto agents = run(client->stale(900s, soon()));
  ASSERT_EQ(agents.size(), 3U);
  EXPECT_EQ(agents[0].id.str(), "a");
  EXPECT_EQ(agents[1].id.str(), "c");
}

TEST_F(ForeignClientTest, UnreadNotificationsAreTheOldestAlsoWhenTheHubSendsTheNewestFirst) {
  const auto agent = hub.add_agent("scribe");
  const auto post = hub.add_post(agent, "hello");
  std::vector<std::string> ids;
  for (int i = 0; i < 130; ++i)
    ids.push_back(hub.notify(agent, i % 2 == 0 ? "mention" : "some_new_type", post));
  const auto list = run(client->unread(AgentId(agent), 10, soon()));
  ASSERT_EQ(list.size(), 10U);
  for (std::size_t i = 0; i < list.size(); ++i)
    EXPECT_EQ(list[i].id, ids[i]);
  EXPECT_EQ(list[1].kind(), "some_new_type");
}

TEST_F(ForeignClientTest, NoLongPollIsAnAnswer) {
  EXPECT_FALSE(run(client->poll(1s, 100, soon())).supported);
  EXPECT_EQ(hub.count("GET", "/notifications/poll"), 0U);
}

TEST_F(ForeignClientTest, WhatTheHubDoesNotHaveIsNothing) {
  EXPECT_FALSE(run(client->generation(soon())));
  EXPECT_FALSE(run(client->remembers_keys(soon())));
  EXPECT_FALSE(run(client->find_answer(AgentId("a"), "key", soon())));
  EXPECT_FALSE(run(client->agent("scribe", soon())));
  EXPECT_FALSE(run(client->thread(AgentId("a"), "nowhere", soon())));
}

TEST_F(ForeignClientTest, TheWholeConversation) {
  const auto agent = AgentId(hub.add_agent("scribe"));
  const auto post = hub.add_post(hub.add_agent("author"), "hello there");
  const auto note = hub.notify(agent.str(), "mention", post);
  const auto thread = run(client->thread(agent, post, soon()));
  ASSERT_TRUE(thread);
  EXPECT_EQ(thread->author.name, "author");
  const auto written = run(client->create_comment(
      agent, {.post_id = post, .content = "hi"}, {.fence = "1.2", .idempotency_key = "k"}, soon()));
  EXPECT_FALSE(written.id.empty());
  EXPECT_FALSE(written.notification_read);
  // Its body is "OK", which is no JSON: a mark that was made is made.
  run(client->mark_read(agent, {note}, "1.2", soon()));
  EXPECT_EQ(hub.unread(agent.str()), 0U);
  EXPECT_EQ(run(client->search(agent, {.q = "there"}, soon())).size(), 1U);
  EXPECT_EQ(run(client->discover(agent, {.communities = {"m/general"}}, soon())).size(), 1U);
  ASSERT_TRUE(run(client->budget(agent, soon())));
  run(client->activated(agent, soon()));
  const auto& call = hub.calls()[1];
  EXPECT_EQ(call.authorization, "Bearer service-key");
  EXPECT_EQ(call.fence, "1.2");
  EXPECT_EQ(call.idempotency_key, "k");
}

TEST_F(ForeignClientTest, AHubThatKnowsNoOrderGivesTheWholeThread) {
  const auto ada = hub.add_agent("ada"), bob = hub.add_agent("bob");
  const auto post = hub.add_post(bob, "a long story");
  const auto comment = [&](const std::string& author, std::string text) {
    run(client->create_comment(AgentId(author), {.post_id = post, .content = std::move(text)}, {},
                               soon()));
  };
  comment(ada, "the first word");
  for (int i = 1; i < 200; ++i)
    comment(bob, "word");
  const auto exactly = run(client->thread(AgentId(ada), post, soon()));
  ASSERT_TRUE(exactly);
  EXPECT_EQ(exactly->comments.size(), 200U);
  EXPECT_EQ(requests("comments", "405"), 1) << "there might have been more; it cannot say";
  comment(bob, "the last word");
  const auto whole = run(client->thread(AgentId(ada), post, soon()));
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->comments.size(), 201U);
  EXPECT_EQ(whole->comments.front().content, "the first word");
  EXPECT_EQ(whole->comments.back().content, "the last word");
  EXPECT_EQ(requests("comments", "405"), 1);
}

/// A Hub that orders and pages, and knows no author: by the numbers of its comments.
class PagingHub {
 public:
  explicit PagingHub(boost::asio::any_io_executor executor, int comments)
      : comments_(comments), server_(executor, {}, Log::none()) {
    server_.route("GET", "/api/v1/posts/:id", [this](net::ServerRequest) { return post(); });
    server_.route("GET", "/api/v1/posts/:id/comments",
                  [this](net::ServerRequest request) { return page(std::move(request)); });
    server_.start();
  }
  std::string url() const { return server_.url(); }
  Task<> stop() { return server_.stop(0s); }
  int pages = 0;
  int broken = 0;  ///< of the next pages

 private:
  /// Every tenth is ada's; the newest has the highest number.
  static std::string comment(int number) {
    return fmt::format(
        R"({{"id":"c{0}","author":{{"id":"{1}","name":"{1}"}},"content":"word {0}","created_at":"2026-01-01T{2:02}:{3:02}:00Z"}})",
        number, number % 10 == 0 ? "ada" : "bob", number / 60, number % 60);
  }
  std::string newest(int from, int count) const {
    std::vector<std::string> list;
    for (int i = from; i < std::min(from + count, comments_); ++i)
      list.push_back(comment(comments_ - 1 - i));
    return fmt::format("[{}]", fmt::join(list, ","));
  }
  Task<net::ServerResponse> post() {
    co_return net::ServerResponse::json(
        200, fmt::format(R"({{"id":"p","author":{{"id":"bob"}},"content":"x","comment_count":{},)"
                         R"("comments":{}}})",
                         comments_, newest(0, 200)));
  }
  Task<net::ServerResponse> page(net::ServerRequest request) {
    ++pages;
    if (broken-- > 0) co_return net::ServerResponse::json(503, "{}");
    const int from = std::stoi(request.query_value("offset").value_or("0"));
    co_return net::ServerResponse::json(
        200, fmt::format(R"({{"comments":{},"total":{}}})", newest(from, 100), comments_));
  }
  int comments_;
  net::HttpServer server_;
};

TEST_F(ClientTest, AHubThatKnowsNoAuthorIsPagedThrough) {
  PagingHub hub(ioc.get_executor(), 450);
  connect(hub.url());
  const auto thread = run(client->thread(AgentId("ada"), "p", soon()));
  ASSERT_TRUE(thread);
  EXPECT_EQ(hub.pages, 5);
  const auto& comments = thread->comments;
  EXPECT_EQ(comments.size(), 200U + 25U);
  EXPECT_EQ(std::ranges::count(comments, "ada", [](const auto& c) { return c.author.id; }), 45);
  EXPECT_EQ(comments.front().id, "c0");
  EXPECT_EQ(comments.back().id, "c449");
  EXPECT_TRUE(std::ranges::is_sorted(comments, {}, &Comment::created_at));
  run(hub.stop());
}

TEST_F(ClientTest, TheCountingHasAnEnd) {
  PagingHub hub(ioc.get_executor(), 1400);
  connect(hub.url());
  const auto thread = run(client->thread(AgentId("ada"), "p", soon()));
  ASSERT_TRUE(thread);
  EXPECT_EQ(hub.pages, 10) << "a thousand, and no more";
  EXPECT_EQ(thread->comments.size(), 200U + 80U);
  EXPECT_EQ(thread->comments_total, 1400U);
  run(hub.stop());
}

TEST_F(ClientTest, ACountThatCannotBeHadIsNoSmallerCount) {
  PagingHub hub(ioc.get_executor(), 450);
  connect(hub.url());
  hub.broken = 1;
  EXPECT_EQ(run(client->thread(AgentId("ada"), "p", soon()))->comments.size(), 225U);
  hub.broken = 1000;
  EXPECT_EQ(error_of(client->thread(AgentId("ada"), "p", soon())).status(), 503);
  run(hub.stop());
}

TEST_F(ForeignClientTest, AHubThatDoesNotKnowTheQuestionTakesTheKey) {
  EXPECT_EQ(run(client->check_key(soon())).standing, KeyStanding::accepted);
  EXPECT_EQ(hub.count("GET", "/system/generation"), 1U);
  EXPECT_FALSE(run(client->remembers_keys(soon())));
  EXPECT_EQ(hub.count("GET", "/system/generation"), 1U) << "that is known with the same answer";
}

TEST_F(ForeignClientTest, AHubThatIsAwayHasRefusedNothing) {
  hub.fail("/system/generation", 503, 1);
  const auto broken = run(client->check_key(soon()));
  EXPECT_EQ(broken.standing, KeyStanding::unknown);
  EXPECT_THAT(broken.reason, HasSubstr("503 from Hub API"));
  EXPECT_EQ(hub.count("GET", "/system/generation"), 1U) << "not repeated: its caller has a rhythm";
  hub.fail("/system/generation", 429, 1, "60");
  EXPECT_EQ(run(client->check_key(soon())).standing, KeyStanding::unknown);
  connect("http://127.0.0.1:1");
  EXPECT_EQ(run(client->check_key(soon())).standing, KeyStanding::unknown);
  EXPECT_EQ(client->key_standing(), KeyStanding::unknown);
}

TEST_F(ForeignClientTest, SilenceDoesNotTakeARefusalBack) {
  hub.fail("/system/generation", 401, 1);
  hub.fail("/agents", 401, 1);
  EXPECT_EQ(run(client->check_key(soon())).standing, KeyStanding::refused);
  hub.fail("/system/generation", 503, 1);
  run(client->check_key(soon()));
  EXPECT_EQ(client->key_standing(), KeyStanding::refused);
  EXPECT_EQ(run(client->check_key(soon())).standing, KeyStanding::accepted);
  EXPECT_EQ(client->key_standing(), KeyStanding::accepted);
  // Says it of a call that it does not know.
  hub.fail("/system/generation", 403, 1);
  const auto unknown_call = run(client->check_key(soon()));
  EXPECT_EQ(unknown_call.standing, KeyStanding::accepted);
  EXPECT_EQ(unknown_call.reason, "");
}

TEST_F(ForeignClientTest, ErrorTextsAreLiteral) {
  hub.fail("/agents", 401, 1);
  const auto unauthorized = error_of(client->with_notifications(soon()));
  EXPECT_EQ(unauthorized.code(), errc::hub_auth);
  EXPECT_THAT(unauthorized.message(), HasSubstr("401 Unauthorized from Hub API"));
  EXPECT_THAT(unauthorized.message(), StartsWith("GET /agents: "));
  hub.fail("/posts", 403, 1);
  const auto forbidden = error_of(client->create_post(AgentId("a"), {.content = "x"}, {}, soon()));
  EXPECT_THAT(forbidden.message(), HasSubstr("403 Forbidden"));
  EXPECT_EQ(forbidden.status(), 403);
  hub.fail("/posts", 412, 1);
  EXPECT_EQ(error_of(client->create_post(AgentId("a"), {.content = "x"}, {}, soon())).code(),
            errc::stale_fence);
  hub.fail("/posts", 422, 1);
  const auto refused = error_of(client->create_post(AgentId("a"), {.content = "x"}, {}, soon()));
  EXPECT_THAT(refused.message(), HasSubstr("422 from Hub API: simulated 422"));
  EXPECT_EQ(refused.retry(), Retry::never);
  EXPECT_EQ(hub.count("POST", "/posts"), 3U);
  EXPECT_EQ(hub.posts().size(), 0U);
  EXPECT_EQ(lines->count("hub_auth_error"), 1U) << "once in a while only";
  EXPECT_EQ(lines->count("hub_auth_error", "service-key"), 0U);
}

TEST_F(ForeignClientTest, ABodyThatIsNoJsonNamesPathAndBytes) {
  hub.garble("/agents", "<html>Bad gateway</html>", 1);
  const auto error = error_of(client->with_notifications(soon()));
  EXPECT_EQ(error.code(), errc::bad_input);
  EXPECT_THAT(error.message(), HasSubstr("GET /agents"));
  EXPECT_THAT(error.message(), HasSubstr("<html>Bad gateway"));
}

TEST_F(ForeignClientTest, AWriteWithAnUnreadableAnswerHasHappened) {
  hub.garble("/posts", "thanks!", 1);
  const auto written = run(client->create_post(AgentId("a"), {.content = "x"}, {}, soon()));
  EXPECT_EQ(written.id, "");
  EXPECT_EQ(hub.posts().size(), 1U);
  EXPECT_EQ(lines->count("hub_answer_unreadable"), 1U);
}

TEST_F(ForeignClientTest, ReadsAreRetriedThreeTimes) {
  hub.fail("/agents", 503, 2);
  EXPECT_TRUE(run(client->with_notifications(soon())).empty());
  EXPECT_EQ(hub.count("GET", "/agents"), 3U);
  EXPECT_EQ(requests("agents_with_notifications", "503"), 2);
  EXPECT_EQ(requests("agents_with_notifications", "200"), 1);
}

TEST_F(ForeignClientTest, ARetryThatWouldPassTheDeadlineIsNotMade) {
  hub.fail("/agents", 503, 10);
  const auto begun = BootClock::now();
  EXPECT_EQ(error_of(client->with_notifications(Deadline::in(500ms))).status(), 503);
  EXPECT_LT(BootClock::now() - begun, 400ms);
}

TEST_F(ForeignClientTest, RateLimitsOfPollsAndPostsAreTold) {
  hub.fail("/", 429, 2, "37");
  EXPECT_EQ(error_of(client->with_notifications(soon())).retry_after(), 37.0);
  EXPECT_EQ(error_of(client->create_post(AgentId("a"), {.content = "x"}, {}, soon())).retry_after(),
            37.0);
  EXPECT_EQ(hub.calls().size(), 2U);
}

TEST_F(ForeignClientTest, RateLimitsOfOtherReadsAreWaitedFor) {
  hub.fail("/search", 429, 1, "1");
  const auto begun = BootClock::now();
  run(client->search(AgentId("a"), {.q = "x"}, soon()));
  EXPECT_GE(BootClock::now() - begun, 1s) << "never before the moment the Hub named";
}

TEST_F(ForeignClientTest, PostsThatMayHaveHappenedAreNotSentTwice) {
  hub.fail_after_commit("/posts", 500, 1);
  const auto error = error_of(
      client->create_post(AgentId("a"), {.content = "x"}, {.idempotency_key = "k"}, soon()));
  EXPECT_EQ(error.status(), 500);
  EXPECT_EQ(hub.posts().size(), 1U);
  EXPECT_EQ(hub.count("POST", "/posts"), 1U);
}

TEST_F(ForeignClientTest, APostWhoseAnswerIsLostIsNotSentTwice) {
  run(client->remembers_keys(soon()));
  auto proxy = test::FaultProxy::to_tcp(ioc.get_executor(), hub.port());
  connect(proxy.http_url());
  run(client->remembers_keys(soon()));
  proxy.reset_answers(1);
  const auto error = error_of(
      client->create_post(AgentId("a"), {.content = "x"}, {.idempotency_key = "k"}, soon()));
  EXPECT_EQ(error.detail(), "maybe_sent");
  EXPECT_EQ(proxy.resets(), 1U);
  EXPECT_EQ(hub.posts().size(), 1U);
}

TEST_F(ForeignClientTest, AMarkWhoseAnswerIsLostIsMadeAgain) {
  const auto agent = hub.add_agent("scribe");
  const auto note = hub.notify(agent, "mention", hub.add_post(agent, "x"));
  auto proxy = test::FaultProxy::to_tcp(ioc.get_executor(), hub.port());
  connect(proxy.http_url());
  proxy.reset_answers(1);
  run(client->mark_read(AgentId(agent), {note}, "", soon()));
  EXPECT_EQ(hub.count("POST", "/notifications/read"), 2U);
}

TEST_F(ForeignClientTest, APostThatNeverLeftIsSentAgain) {
  const int port = hub.port();
  // Nobody listens there: the connection is refused, and nothing can have been sent.
  connect("http://127.0.0.1:1");
  const auto begun = BootClock::now();
  const auto error = error_of(client->create_post(AgentId("a"), {.content = "x"}, {}, soon()));
  EXPECT_EQ(error.detail(), "not_sent");
  EXPECT_GE(BootClock::now() - begun, 2s) << "three tries";
  EXPECT_EQ(requests("create_post", "error"), 3);
  EXPECT_GT(port, 0);
}

TEST_F(ForeignClientTest, ReportsThatMayHaveBeenCountedAreDropped) {
  hub.fail_after_commit("/system/consumption", 500, 1);
  EXPECT_TRUE(
      run(client->report("a", "/system/consumption", R"({"tokens_input":5})", "c:1", soon())));
  EXPECT_EQ(hub.consumption().size(), 1U);
  hub.fail("/system/consumption", 503, 5);
  EXPECT_FALSE(
      run(client->report("a", "/system/consumption", R"({"tokens_input":5})", "c:2", soon())))
      << "not taken: keep it";
  hub.forgive();
  hub.fail("/system/consumption", 404, 1);
  EXPECT_TRUE(
      run(client->report("a", "/system/consumption", R"({"tokens_input":5})", "c:2", soon())))
      << "refused for good";
  EXPECT_TRUE(run(client->report("a", "/system/consumption", "not json", "c:3", soon())));
  EXPECT_EQ(hub.consumption().size(), 1U);
}

TEST_F(ForeignClientTest, AgentKeysAreFoundByNameAndById) {
  connect(hub.url() + "///", "service-key", {{"scribe", Secret("own-key")}});
  const AgentId agent(hub.add_agent("scribe"));
  run(client->unread(agent, 10, soon()));
  client->introduce(agent, "scribe");
  run(client->unread(agent, 10, soon()));
  run(client->unread(AgentId("scribe"), 10, soon()));
  run(client->with_notifications(soon()));
  ASSERT_EQ(hub.calls().size(), 4U);
  EXPECT_EQ(hub.calls()[0].authorization, "Bearer service-key");
  EXPECT_EQ(hub.calls()[1].authorization, "Bearer own-key");
  EXPECT_EQ(hub.calls()[2].authorization, "Bearer own-key");
  EXPECT_EQ(hub.calls()[3].authorization, "Bearer service-key");
}

TEST_F(ForeignClientTest, WithoutAKeyThereIsNoHeader) {
  connect(hub.url(), "");
  run(client->with_notifications(soon()));
  EXPECT_EQ(hub.calls()[0].authorization, "");
}

TEST_F(ForeignClientTest, SlowHubsTimeOut) {
  hub.slow(5s);
  const auto error = error_of(client->with_notifications(Deadline::in(300ms)));
  EXPECT_EQ(error.code(), errc::timeout);
  EXPECT_THAT(error.message(), HasSubstr("GET /agents"));
}

}  // namespace
}  // namespace botburrow::hubapi
