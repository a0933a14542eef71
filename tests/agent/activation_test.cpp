// What stands around the work: definition, status, budget, deadline, cancellation.
#include "tests/agent/activation_world.hpp"
#include "tests/support/llm_simulator.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

namespace botburrow::agent {
namespace {

using queue::TaskType;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class ActivationTest : public ::testing::Test {
 protected:
  void hub_says(std::string method, std::string part, HubFront::Act act) {
    world.front->rule(
        [=](const auto& exchange) { return exchange.is(method, part) ? act : HubFront::pass(); });
  }
  static HubFront::Act budget(double used, double limit) {
    return HubFront::answer(
        200,
        fmt::format(
            R"({{"healthy":{},"daily_limit":{},"daily_used":{},"monthly_limit":0,"monthly_used":0}})",
            used < limit, limit, used));
  }
  ActivationWorld world;
};

TEST_F(ActivationTest, MissingDefinitionFails) {
  auto claim = world.claim();
  claim.item.agent_name = "nobody";
  const auto ran = world.activate(claim);
  EXPECT_EQ(ran.outcome(), "failure");
  EXPECT_THAT(ran.ending.reason, HasSubstr("Agent config not found"));
}

TEST_F(ActivationTest, InvalidDefinitionFails) {
  world.write("agents/broken/config.yaml", "name: [broken");
  auto claim = world.claim();
  claim.item.agent_name = "broken";
  const auto ran = world.activate(claim);
  EXPECT_EQ(ran.outcome(), "failure");
  EXPECT_THAT(ran.ending.reason, HasSubstr("Agent config invalid"));
}

TEST_F(ActivationTest, PausedAgentIsSkipped) {
  world.new_post("@ada hello");
  ASSERT_LT(world.call("POST", "/agents/ada/pause", world.owner_key).status, 300);
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "skipped");
  EXPECT_EQ(ran.ending.reason, "the Hub says that this agent is paused");
  EXPECT_THAT(world.unread("ada"), SizeIs(1));
}

TEST_F(ActivationTest, HubThatDoesNotTellTheStatusPausesNobody) {
  for (const int status : {403, 404, 400}) {
    hub_says("GET", "/agents/ada", HubFront::answer(status));
    EXPECT_EQ(world.inbox().ending.reason, "No unread notifications") << status;
  }
}

TEST_F(ActivationTest, BudgetDecides) {
  struct Row {
    double used;
    TaskType task;
    const char* outcome;
    const char* reason;
    std::chrono::seconds hold_off;
  };
  const Row rows[] = {{0.5, TaskType::inbox, "skipped", "No unread notifications", 0s},
                      {0.85, TaskType::inbox, "skipped", "No unread notifications", 0s},
                      {0.95, TaskType::inbox, "skipped", "No unread notifications", 0s},
                      {0.95, TaskType::discovery, "skipped",
                       "Budget throttled: no discovery until it recovers", 0s},
                      {1.0, TaskType::inbox, "over_budget", "Daily budget exceeded", 300s},
                      {1.0, TaskType::discovery, "over_budget", "Daily budget exceeded", 300s}};
  for (const auto& row : rows) {
    hub_says("GET", "/system/budget-health", budget(row.used, 1));
    const auto ran = world.activate(world.claim(row.task));
    EXPECT_EQ(ran.outcome(), row.outcome) << row.used;
    EXPECT_EQ(ran.ending.reason, row.reason) << row.used;
    EXPECT_EQ(ran.ending.hold_off, row.hold_off) << row.used;
  }
  EXPECT_EQ(world.lines->count("budget_warning"), 1u);
  EXPECT_EQ(world.lines->count("agent_budget_exceeded"), 2u);
  EXPECT_EQ(world.lines->count("budget_refused"), 3u);
  EXPECT_THAT(world.metrics.expose(),
              HasSubstr("botburrow_budget_health_ratio{agent_id=\"ada\",period=\"daily\"} 1"));
}

TEST_F(ActivationTest, UnknownBudgetFollowsTheFailMode) {
  hub_says("GET", "/system/budget-health", HubFront::answer(400));
  EXPECT_EQ(world.inbox().ending.reason, "No unread notifications");
  EXPECT_EQ(world.lines->count("budget_check_failed"), 1u);
  world.settings.budget_fails_closed = true;
  EXPECT_EQ(world.inbox().outcome(), "handed back: hub_away");
  const auto looked = world.discovery();
  EXPECT_EQ(looked.outcome(), "skipped");
  EXPECT_EQ(looked.ending.hold_off, 60s);
}

TEST_F(ActivationTest, HubWithoutBudgetsIsNoReasonToStop) {
  world.settings.budget_fails_closed = true;
  hub_says("GET", "/system/budget-health", HubFront::answer(404));
  EXPECT_EQ(world.inbox().ending.reason, "No unread notifications");
}

TEST_F(ActivationTest, BudgetLineReachesThePrompt) {
  hub_says("GET", "/system/budget-health", budget(0.25, 1));
  world.new_post("@ada hello");
  world.model->then(says("hi"));
  world.inbox();
  EXPECT_THAT(world.model->requests.at(0).messages.at(0).text,
              HasSubstr("Budget: today: $0.25 of $1.00 used"));
}

TEST_F(ActivationTest, PolicyRefusesGrantsAloud) {
  world.settings.policy = definitions::GrantPolicy::deny_all();
  world.new_post("@ada hello");
  world.model->then(says("hi"));
  world.inbox();
  // What stays needs no grant.
  for (const auto& tool : world.model->requests.at(0).tools)
    EXPECT_THAT(tool.name, Not(StartsWith("hub_")));
  // Once when its grants were worked out, and once for the answer that could not be posted.
  EXPECT_THAT(world.metrics.expose(),
              HasSubstr("botburrow_grant_denied_total{grant=\"hub:write\"} 2"));
}

TEST_F(ActivationTest, SkillsThatFitAreInThePrompt) {
  world.write("skills/fencing/SKILL.md",
              "---\nname: fencing\ndescription: About fences.\ntriggers:\n  keywords: "
              "[fence]\n---\nFences only grow.\n");
  world.new_post("@ada what is a fence?");
  world.model->then(says("hi"));
  world.inbox();
  EXPECT_THAT(world.model->requests.at(0).messages.at(0).text, HasSubstr("Fences only grow."));
}

TEST_F(ActivationTest, IterationsAreTheSmallerOfBothLimits) {
  world.define("ada", "  max_iterations: 4\n");
  world.settings.iterations_max = 2;
  world.new_post("@ada hello");
  int number = 0;
  world.model->always([&](const auto&) -> Task<llm::ModelAnswer> {
    co_return calls({{"hub_search", {{"query", std::to_string(++number)}}}});
  });
  const auto ran = world.inbox();
  EXPECT_EQ(ran.ending.reason, "Exceeded maximum iterations");
  EXPECT_EQ(ran.tally.iterations, 2);
  EXPECT_EQ(ran.tally.tool_calls, 1);
}

TEST_F(ActivationTest, WhatFailsBecauseTimeIsOverIsATimeout) {
  world.new_post("@ada hello");
  const auto deadline = Deadline::in(1s);
  world.model->then([deadline](const auto&) -> Task<llm::ModelAnswer> {
    while (!deadline.passed())
      co_await sleep_for(10ms);
    throw Error(errc::timeout, "scripted: timed out");
  });
  const auto ran = world.activate(world.claim(), deadline);
  EXPECT_EQ(ran.outcome(), "timeout");
  EXPECT_EQ(ran.ending.reason, "Execution timed out after 1 seconds");
}

TEST_F(ActivationTest, RedisAwayHandsBackAsFenced) {
  world.new_post("@ada hello");
  test::PrivateRedis own;
  net::Redis away(world.ioc.get_executor(), own.address(), {}, Log::none(), world.random);
  away.start();
  queue::RedisAgentState state(away, world.log);
  own.kill9();
  auto services = world.services();
  Activation activation({.hub = services.hub,
                         .state = state,
                         .journal = services.journal,
                         .catalog = services.catalog,
                         .skills = services.skills,
                         .models = services.models,
                         .prices = services.prices,
                         .clock = services.clock,
                         .metrics = services.metrics},
                        world.settings, world.claim(), {.may_write = [] { return true; }},
                        world.log);
  const auto ending = world.run(activation.run(Deadline::in(20s)));
  EXPECT_EQ(ending.way, Ending::Way::hand_back);
  EXPECT_EQ(ending.hand_back, queue::HandBackReason::fenced);
  world.run(away.stop());
}

TEST_F(ActivationTest, CancellationInMidCallKeepsTheTally) {
  const auto post = world.new_post("@ada hello");
  const auto id = world.unread("ada").at(0).id;
  world.model->then(calls({{"hub_post", {{"content", "elsewhere"}}}}));
  world.model->then([](const auto&) -> Task<llm::ModelAnswer> {
    co_await sleep_for(1h);
    co_return llm::ModelAnswer{};
  });
  Activation activation(world.services(), world.settings, world.claim(),
                        {.may_write = [] { return true; }}, world.log);
  boost::asio::cancellation_signal signal;
  std::exception_ptr failure;
  bool ended = false;
  boost::asio::co_spawn(
      world.ioc, test::detail::cancellable(activation.run(Deadline::in(2h))),
      boost::asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e, Ending) {
        failure = e;
        ended = true;
      }));
  ASSERT_TRUE(test::run_until(world.ioc, [&] { return world.model->requests.size() == 2; }));
  signal.emit(boost::asio::cancellation_type::all);
  ASSERT_TRUE(test::run_until(world.ioc, [&] { return ended; }));
  EXPECT_TRUE(is_cancellation(failure));
  const auto& tally = activation.tally();
  EXPECT_EQ(tally.usage.input, 100);
  EXPECT_EQ(tally.iterations, 1);
  EXPECT_EQ(tally.tool_calls, 1);
  EXPECT_EQ(tally.posts, 1);
  EXPECT_EQ(tally.notification_begun, id) << "who hands it back forgets this try";
  EXPECT_EQ(world.tries(id), "1");
  EXPECT_THAT(world.comments_by("ada", post), IsEmpty());
  EXPECT_THAT(world.metrics.expose(),
              HasSubstr("botburrow_budget_reserved_usd{agent_id=\"ada\"} 0"));
}

TEST_F(ActivationTest, CancellationAtAnyMomentLeavesNoSecondAnswer) {
  // Cut after n exchanges with the Hub, for every n, then run again to the end.
  for (int cut = 1; cut <= 8; ++cut) {
    const auto post = world.new_post(fmt::format("@ada round {}", cut));
    world.model->always(says("an answer"));
    world.front->seen.clear();
    Activation activation(world.services(), world.settings,
                          world.claim(TaskType::inbox, 10 * cut, fmt::format("w-{}", cut)),
                          {.may_write = [] { return true; }}, world.log);
    boost::asio::cancellation_signal signal;
    bool ended = false;
    boost::asio::co_spawn(world.ioc, test::detail::cancellable(activation.run(Deadline::in(20s))),
                          boost::asio::bind_cancellation_slot(
                              signal.slot(), [&](std::exception_ptr, Ending) { ended = true; }));
    ASSERT_TRUE(test::run_until(world.ioc, [&] {
      return ended || world.front->seen.size() >= static_cast<std::size_t>(cut);
    }));
    signal.emit(boost::asio::cancellation_type::all);
    ASSERT_TRUE(test::run_until(world.ioc, [&] { return ended; }));
    world.activate(world.claim(TaskType::inbox, 10 * cut + 1, fmt::format("w-{}", cut)));
    EXPECT_THAT(world.comments_by("ada", post), SizeIs(1)) << cut;
    EXPECT_THAT(world.unread("ada"), IsEmpty()) << cut;
  }
}

TEST_F(ActivationTest, WholeWayThroughAVendor) {
  test::LlmSimulator vendor(world.ioc.get_executor(), {});
  vendor.start();
  const auto post = world.new_post("@ada please search for fences");
  world.new_post("A fence only grows.", "On fences");
  vendor.queue(test::LlmSimulator::Answer::call("hub_search", {{"query", "fence"}}));
  vendor.queue(test::LlmSimulator::Answer::say("I found one post."));
  llm::ConfiguredModels models({.key = [](std::string_view) { return Secret("simulated-key"); },
                                .anthropic_base_url = vendor.url()},
                               *world.http, world.random, world.log, &world.metrics);
  auto services = world.services();
  Activation activation({.hub = services.hub,
                         .state = services.state,
                         .journal = services.journal,
                         .catalog = services.catalog,
                         .skills = services.skills,
                         .models = models,
                         .prices = services.prices,
                         .clock = services.clock,
                         .metrics = services.metrics},
                        world.settings, world.claim(), {.may_write = [] { return true; }},
                        world.log);
  const auto ending = world.run(activation.run(Deadline::in(20s)));
  EXPECT_EQ(ending.outcome, queue::Outcome::success) << ending.reason;
  EXPECT_EQ(vendor.rejected(), 0u);
  EXPECT_EQ(vendor.requests(), 2u);
  EXPECT_THAT(vendor.last().raw_body, HasSubstr("On fences"));
  EXPECT_EQ(activation.tally().usage.input, 22);
  EXPECT_EQ(activation.tally().provider, "anthropic");
  ASSERT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_EQ(world.comments_by("ada", post)[0].content, "I found one post.");

  vendor.queue(test::LlmSimulator::Answer::error(401, "invalid x-api-key"));
  world.new_post("@ada again");
  EXPECT_EQ(world
                .run(Activation({.hub = services.hub,
                                 .state = services.state,
                                 .journal = services.journal,
                                 .catalog = services.catalog,
                                 .skills = services.skills,
                                 .models = models,
                                 .prices = services.prices,
                                 .clock = services.clock,
                                 .metrics = services.metrics},
                                world.settings, world.claim(TaskType::inbox, 6),
                                {.may_write = [] { return true; }}, world.log)
                         .run(Deadline::in(20s)))
                .outcome,
            queue::Outcome::failure);
  EXPECT_THAT(world.lines->find("llm_auth_error"), HasSubstr("Invalid API key (anthropic)"));
  world.run(vendor.stop());
}

}  // namespace
}  // namespace botburrow::agent
