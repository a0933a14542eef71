#include "runner/hub_gate.hpp"

#include "tests/runner/runner_fixture.hpp"

namespace botburrow::runner {
namespace {

using hubapi::KeyStanding;
using ::testing::ElementsAre;

TEST(HubGateRule, ARefusedKeyClosesAndSilenceOnlyAtFirst) {
  const Instant start{100s};
  const HubGateRule rule(start, 10s);
  for (const auto now : {start, start + 10s, start + 1h}) {
    EXPECT_EQ(rule.closed_because(KeyStanding::refused, now), "hub_key");
    EXPECT_EQ(rule.closed_because(KeyStanding::accepted, now), std::nullopt);
  }
  EXPECT_EQ(rule.closed_because(KeyStanding::unknown, start), "hub");
  EXPECT_EQ(rule.closed_because(KeyStanding::unknown, start + 10s - 1ns), "hub");
  EXPECT_EQ(rule.closed_because(KeyStanding::unknown, start + 10s), std::nullopt);
}

using HubGateTest = RunnerTest;

TEST_F(HubGateTest, AWrongKeyClaimsNothingUntilTheHubTakesIt) {
  const auto post = mention("ada");
  auto there = place();
  there.hub_key = "botburrow_service_wrong";
  enqueue("ada");
  auto& one = node(there);
  ASSERT_TRUE(until([&] { return one.runner.not_ready() == "hub_key"; }));
  EXPECT_EQ(one.lines->count("hub_auth_error", "401 Unauthorized from Hub API"), 1U);
  EXPECT_EQ(one.lines->count("hub_auth_error", "\"setting\":\"HUB_API_KEY\""), 1U);
  EXPECT_EQ(one.lines->count("hub_auth_error", there.hub_key), 0U);
  EXPECT_FALSE(one.runner.unhealthy());
  ASSERT_TRUE(until([&] { return one.hub.key_standing() == KeyStanding::refused; }));
  EXPECT_EQ(one.spy.claims, 0);
  EXPECT_EQ(ask({"HGET", "work:queued", "ada"}), "high:inbox");

  run(hub().server->ensure_key("late", "service", there.hub_key));
  ASSERT_TRUE(until([&] { return !results().empty(); }));
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
  EXPECT_EQ(one.lines->count("hub_key_accepted"), 1U);
  EXPECT_EQ(one.lines->count("work_requeued"), 0U) << "nothing was claimed in vain";
  EXPECT_FALSE(one.runner.not_ready());
}

TEST_F(HubGateTest, APersonsKeyClaimsNothing) {
  mention("ada");
  auto there = place();
  there.hub_key = hub().owner_key;
  enqueue("ada");
  auto& one = node(there);
  ASSERT_TRUE(until([&] { return one.lines->count("hub_auth_error", "may not act for") == 1; }));
  EXPECT_TRUE(until([&] { return one.runner.not_ready() == "hub_key"; }));
  EXPECT_EQ(one.spy.claims, 0);
  EXPECT_EQ(ask({"HGET", "work:queued", "ada"}), "high:inbox");
}

TEST_F(HubGateTest, AKeyThatIsRevokedStopsTheClaiming) {
  mention("ada");
  const auto post = mention("bob");
  auto& one = node(place());
  ASSERT_TRUE(until([&] { return one.spy.claims > 0; }));
  hub().call("DELETE", "/keys/botburrow", hub().owner_key);
  enqueue("ada");
  ASSERT_TRUE(until([&] { return one.runner.not_ready() == "hub_key"; }));
  enqueue("bob");
  ASSERT_TRUE(until([&] { return one.lines->count("hub_auth_error", "HUB_API_KEY") > 0; }));
  EXPECT_EQ(one.lines->count("work_claimed"), 1U) << "one item ran into it, and no other";
  EXPECT_EQ(ask({"HGET", "work:queued", "bob"}), "high:inbox");
  EXPECT_EQ(integer({"HEXISTS", "work:failures", "ada"}), 0);

  run(hub().server->ensure_key("botburrow", "service", hub().service_key));
  ASSERT_TRUE(until([&] { return !results().empty(); }));
  EXPECT_THAT(hub().answers(post), ElementsAre("bob"));
}

TEST_F(HubGateTest, ARefusedKeyDoesNotHoldUpADrain) {
  auto there = place();
  there.hub_key = "botburrow_service_wrong";
  auto& one = node(there);
  ASSERT_TRUE(until([&] { return one.runner.not_ready() == "hub_key"; }));
  run(one.runner.drain(0s), 2s);
  EXPECT_EQ(one.spy.claims, 0);
}

TEST_F(HubGateTest, AHubThatIsAwayHoldsOffClaimingOnlyForAWhile) {
  define("ada");
  auto there = foreign_place();
  there.hub_url = "http://127.0.0.1:1";
  auto options = quick_options();
  options.hub_patience = 1500ms;
  enqueue("ada");
  auto& one = node(there, options);
  ASSERT_TRUE(until([&] { return one.redis.usable(); }));
  EXPECT_EQ(one.runner.not_ready(), "hub");
  EXPECT_EQ(one.spy.claims, 0);
  ASSERT_TRUE(until([&] { return one.lines->count("work_claimed") == 1; }));
  EXPECT_FALSE(one.runner.not_ready());
  EXPECT_EQ(one.lines->count("hub_auth_error"), 0U);
  EXPECT_TRUE(until([&] { return one.lines->count("work_requeued", "hub_away") == 1; }, 20s));
  EXPECT_EQ(integer({"HEXISTS", "work:failures", "ada"}), 0);
}

TEST_F(HubGateTest, AHubThatIsBackIsUsedAtOnce) {
  auto& there = foreign_hub();
  define("ada");
  const auto id = there.add_agent("ada");
  there.notify(id, "mention", there.add_post(there.add_agent("author"), "hello"));
  there.fail("/system/generation", 503, 2);
  auto options = quick_options();
  options.hub_patience = 1h;
  enqueue(id, queue::TaskType::inbox, "ada");
  auto& one = node(foreign_place(), options);
  ASSERT_TRUE(until([&] { return one.runner.not_ready() == "hub"; }));
  ASSERT_TRUE(until([&] { return !results().empty(); }));
  EXPECT_EQ(there.comments().size(), 1U);
}

}  // namespace
}  // namespace botburrow::runner
