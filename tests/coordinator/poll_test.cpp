#include "coordinator/hub_poll.hpp"
#include "tests/coordinator/coordinator_fixture.hpp"

namespace botburrow::coordinator {
namespace {

TEST_F(CoordinatorTest, OurHubsLongPollFillsTheQueueAtOnce) {
  auto& hub = live_hub();
  hub.agent("scribe");
  auto options = quick_options();
  options.poll.poll_interval = 60s;
  options.poll.staleness_interval = 60s;
  options.poll.min_staleness = 24h;
  auto& only = replica("c-1", at_live(), options);
  ASSERT_TRUE(until([&] { return only.leads() && only.hub_calls() >= 3; }));
  pass(200ms);
  hub.post("@scribe hello");
  const auto begun = BootClock::now();
  ASSERT_TRUE(until([&] { return integer({"LLEN", "work:queue:high"}) == 1; }));
  EXPECT_LT(BootClock::now() - begun, 500ms);
  EXPECT_EQ(ask({"HGET", "work:queued", "scribe"}), "high:inbox");
  EXPECT_GE(only.lines->count("poll_completed"), 1U);
}

TEST_F(CoordinatorTest, AForeignHubIsPolledByLists) {
  auto& hub = foreign_hub();
  std::string first, last;
  for (int i = 0; i < 130; ++i) {
    last = hub.add_agent(fmt::format("agent-{}", i));
    if (first.empty()) first = last;
    hub.notify(last, "mention", "p");
  }
  auto& only = replica("c-1", at_foreign());
  ASSERT_TRUE(until([&] { return integer({"LLEN", "work:queue:high"}) == 130; }));
  const auto element = ask({"LINDEX", "work:queue:high", "-1"});
  EXPECT_NE(element.find("\"agent_name\": \"agent-"), std::string::npos) << element;
  EXPECT_EQ(ask({"HGET", "work:queued", first}), "high:inbox");
  const auto late = hub.add_agent("late");
  hub.notify(late, "mention", "p");
  EXPECT_TRUE(until([&] { return integer({"LLEN", "work:queue:high"}) == 131; }, 3s))
      << "the next list poll";
  pass(1s);
  EXPECT_EQ(only.lines->count("long_poll_not_available_falling_back"), 1U);
  EXPECT_EQ(only.metrics.counter("botburrow_hub_requests_total", "", {"endpoint", "code"})
                .with({"poll", "404"})
                .value(),
            1)
      << "asked again after ten minutes only";
  EXPECT_EQ(integer({"LLEN", "work:queue:high"}), 131) << "one element an agent";
}

TEST_F(CoordinatorTest, AgentsWithImpossibleNamesDoNotSpoilTheList) {
  foreign_hub().garble(
      "/agents",
      R"({"agents":[{"id":"good","name":"good"},{"id":"bad\nid","name":"x"},{"id":"odd","name":"a\u0000b"}]})",
      2);
  auto& only = replica("c-1", at_foreign());
  ASSERT_TRUE(until([&] { return integer({"HLEN", "work:queued"}) == 2; }));
  EXPECT_NE(ask({"LINDEX", "work:queue:high", "0"}).find("\"agent_name\": \"odd\""),
            std::string::npos)
      << "named by its id";
  EXPECT_GE(only.lines->count("work_item_invalid"), 1U);
}

TEST_F(CoordinatorTest, AHubThatDoesNotWaitIsNotHammered) {
  net::HttpServer eager(ioc.get_executor(), {}, Log::none());
  int polls = 0;
  std::string agents = R"([{"id":"a","name":"a","notification_count":1}])";
  eager.route("GET", "/api/v1/notifications/poll",
              [&](net::ServerRequest) -> Task<net::ServerResponse> {
                ++polls;
                co_return net::ServerResponse::json(200, R"({"agents":)" + agents + "}");
              });
  eager.route("GET", "/api/v1/agents", [](net::ServerRequest) -> Task<net::ServerResponse> {
    co_return net::ServerResponse::json(200, R"({"agents":[]})");
  });
  eager.start();
  auto& only = replica("c-1", {redis.url(), eager.url(), "key"});
  ASSERT_TRUE(until([&] { return only.leads() && polls > 0; }));
  pass(4s);
  EXPECT_GE(polls, 2);
  EXPECT_LE(polls, 7) << "the same agent again and again: a few at once, then 1, 2, 4, 5 s apart";
  run(only.coordinator.stop());
  run(eager.stop(0s));
}

TEST_F(CoordinatorTest, RetryAfterOfAPollIsObeyed) {
  foreign_hub().fail("/agents", 429, 2, "2");
  auto& only = replica("c-1", at_foreign());
  ASSERT_TRUE(until([&] { return foreign_hub().count("GET", "/agents") >= 2; }));
  const auto calls = foreign_hub().count("GET", "/agents");
  EXPECT_FALSE(until([&] { return foreign_hub().count("GET", "/agents") > calls; }, 1900ms));
  EXPECT_TRUE(until([&] { return foreign_hub().count("GET", "/agents") > calls; }, 2s));
  EXPECT_GE(only.lines->count("hub_backoff"), 1U);
  EXPECT_TRUE(only.leads());
}

TEST_F(CoordinatorTest, ARefusedKeyIsSaidAndSurvived) {
  foreign_hub().fail("/agents", 401, 1000);
  auto& only = replica("c-1", at_foreign());
  ASSERT_TRUE(until(
      [&] { return only.lines->count("hub_auth_error", "401 Unauthorized from Hub API") == 1; }));
  EXPECT_TRUE(only.leads()) << "nobody else is there";
  EXPECT_TRUE(until([&] { return only.coordinator.not_ready() == "hub_key"; }));
  foreign_hub().forgive();
  foreign_hub().notify(foreign_hub().add_agent("a"), "mention", "p");
  EXPECT_TRUE(until([&] { return integer({"LLEN", "work:queue:high"}) == 1; }));
  EXPECT_TRUE(until([&] { return !only.coordinator.not_ready(); }));
}

TEST_F(CoordinatorTest, AStaleEpochEnqueuesNothingAndSaysSo) {
  auto& hub = foreign_hub();
  hub.notify(hub.add_agent("a"), "mention", "p");
  Replica parts(ioc, "c-1", at_foreign());
  parts.redis.start();
  ask({"SET", "coordinator:epoch", "2"});
  LoopTicks ticks;
  int deposed = 0;
  HubPoll poll(parts.hub, parts.queue, 1, quick_options().poll, system_clock(), parts.random, ticks,
               parts.log, parts.metrics, [&] { ++deposed; });
  const auto counts = run(poll.once());
  EXPECT_TRUE(counts.deposed);
  EXPECT_EQ(counts.enqueued, 0U);
  EXPECT_GE(deposed, 1);
  EXPECT_EQ(integer({"HLEN", "work:queued"}), 0);
  run(parts.redis.stop());
}

}  // namespace
}  // namespace botburrow::coordinator
