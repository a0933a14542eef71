#include "queue/agent_state.hpp"

#include "queue/heartbeats.hpp"
#include "queue/metrics.hpp"
#include "queue/redis_agent_state.hpp"
#include "queue_fixture.hpp"

namespace botburrow::queue {
namespace {

class AgentStateTest : public QueueTest {
 protected:
  RedisAgentState state{redis, log};
  AgentId a{"a"};
  WallTime day = parse_rfc3339("2026-02-07T23:59:59Z").value();

  UsageAnswer charge(Usage amount, UsageLimits limits = {}) {
    return run(state.charge(a, amount, limits, day));
  }
};

TEST_F(AgentStateTest, LimitsHoldOnBothSidesOfTheirEdge) {
  EXPECT_TRUE(charge({.posts = 2}, {.daily_posts = 3}).granted());
  EXPECT_TRUE(charge({.posts = 1}, {.daily_posts = 3}).granted());
  const auto refused = charge({.posts = 1}, {.daily_posts = 3});
  EXPECT_EQ(refused.refused_by, UsageLimit::daily_posts);
  EXPECT_EQ(refused.day.posts, 3);
  EXPECT_TRUE(charge({.posts = 1}).granted());
  EXPECT_EQ(charge({.comments = 1}, {.daily_comments = 0}).refused_by, UsageLimit::daily_comments);
}

TEST_F(AgentStateTest, EachLimitIsNamed) {
  const Usage amount{.posts = 1, .comments = 1, .tokens = 10, .cost_micros = 10};
  EXPECT_EQ(charge(amount, {.daily_tokens = 9}).refused_by, UsageLimit::daily_tokens);
  EXPECT_EQ(charge(amount, {.daily_cost_micros = 9}).refused_by, UsageLimit::daily_cost);
  EXPECT_EQ(charge(amount, {.monthly_tokens = 9}).refused_by, UsageLimit::monthly_tokens);
  EXPECT_EQ(charge(amount, {.monthly_cost_micros = 9}).refused_by, UsageLimit::monthly_cost);
  EXPECT_EQ(charge(amount, {.daily_posts = 0, .monthly_tokens = 9}).refused_by,
            UsageLimit::daily_posts);
  // None of it was charged.
  EXPECT_EQ(run(state.usage(a, day)).month, Usage{});
}

TEST_F(AgentStateTest, GivingBackIsNeverRefusedAndNeverBelowZero) {
  charge({.tokens = 100});
  EXPECT_EQ(charge({.tokens = -40}, {.daily_tokens = 1}).day.tokens, 60);
  EXPECT_EQ(charge({.tokens = -400}).day.tokens, 0);
}

TEST_F(AgentStateTest, DaysAndMonthsAreKeptApartAndFade) {
  charge({.comments = 1, .cost_micros = 9007199254});
  const auto next = run(state.charge(a, {.comments = 1}, {}, day + 2s));
  EXPECT_EQ(next.day.comments, 1);
  EXPECT_EQ(next.month.comments, 2);
  EXPECT_EQ(ask({"HGET", "agent:usage:a:2026-02-07", "cost_micros"}), "9007199254");
  EXPECT_NEAR(std::stoi(ask({"TTL", "agent:usage:a:2026-02-08"})), 3 * 86400, 5);
  EXPECT_NEAR(std::stoi(ask({"TTL", "agent:usage:a:2026-02"})), 40 * 86400, 5);
}

TEST_F(AgentStateTest, ActionSlotsKeepTheInterval) {
  EXPECT_EQ(run(state.take_action_slot(a, 0s, day)), 0ms);
  EXPECT_EQ(run(state.action_wait(a)), 0ms);
  EXPECT_EQ(run(state.take_action_slot(a, 60s, day)), 0ms);
  const auto wait = run(state.take_action_slot(a, 60s, day));
  EXPECT_GT(wait, 58s);
  EXPECT_LE(wait, 60s);
  EXPECT_GT(run(state.action_wait(a)), 58s);
  run(state.release_action_slot(a));
  EXPECT_EQ(run(state.take_action_slot(a, 60s, day)), 0ms);
}

TEST_F(AgentStateTest, TriesCountAndAreForgotten) {
  EXPECT_EQ(run(state.begin_notification(a, "n")), 1);
  EXPECT_EQ(run(state.begin_notification(a, "n")), 2);
  EXPECT_EQ(run(state.begin_notification(a, "m")), 1);
  EXPECT_NEAR(std::stoi(ask({"TTL", "agent:tries:a:n"})), 7 * 86400, 5);
  run(state.forget_tries(a, "n"));
  EXPECT_EQ(run(state.begin_notification(a, "n")), 1);
}

TEST_F(AgentStateTest, HandledNotificationsAreRemembered) {
  EXPECT_FALSE(run(state.find_handled(a, "n")));
  run(state.set_handled(a, "n", "comment-1"));
  EXPECT_EQ(run(state.find_handled(a, "n")), "comment-1");
  EXPECT_NEAR(std::stoi(ask({"TTL", "agent:handled:a:n"})), 7 * 86400, 5);
}

TEST_F(AgentStateTest, TheLastDiscoveryIsRemembered) {
  EXPECT_FALSE(run(state.last_discovery(a)));
  run(state.set_last_discovery(a, day));
  EXPECT_EQ(run(state.last_discovery(a)), day);
}

TEST_F(AgentStateTest, APoisonedNotificationIsBuriedOnceAndMayBeRetried) {
  for (int i = 0; i < 3; ++i)
    run(state.begin_notification(a, "n"));
  Metrics metrics;
  RedisAgentState counting(redis, log, &metrics);
  for (int i = 0; i < 2; ++i)
    run(counting.bury_notification(a, "A", "n", "begun 3 times", 3));
  EXPECT_EQ(QueueMetrics(metrics).dead.with({}).value(), 1) << "buried once, counted once";
  EXPECT_EQ(lines->count("notification_poisoned"), 1u);
  const auto dead = run(view.dead(0, 10));
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].kind, "notification");
  EXPECT_EQ(dead[0].notification_id, "n");
  EXPECT_EQ(dead[0].attempts, 3);

  EXPECT_EQ(run(view.retry_dead(dead[0].id)), RetryResult::queued);
  const Claim claimed = claim_now();
  EXPECT_EQ(claimed.item.notification_id, "n");
  EXPECT_EQ(claimed.item.agent_name, "A");
  EXPECT_EQ(claimed.item.task_type, TaskType::inbox);
  EXPECT_EQ(ask({"EXISTS", "agent:tries:a:n", "work:dead"}), "0");
}

TEST_F(AgentStateTest, HeartbeatsShowLiveRunners) {
  Heartbeats heartbeats(redis);
  Heartbeat one{.runner_id = RunnerId("r-1"),
                .status = RunnerStatus::busy,
                .timestamp = day,
                .mode = RunnerMode::notification,
                .version = "0.1.0",
                .active = 2,
                .capacity = 4,
                .incarnation = "i1"};
  EXPECT_FALSE(run(heartbeats.beat(one)));
  EXPECT_FALSE(run(heartbeats.beat(one)));
  ask({"SET", "runner:heartbeat:python",
       R"({"runner_id":"python","status":"active","timestamp":"2026-02-07T10:00:00.123456+00:00"})"});
  ask({"SET", "runner:heartbeat:junk", "junk"});
  const auto live = run(heartbeats.live());
  ASSERT_EQ(live.size(), 2u);
  EXPECT_EQ(live[0].status, RunnerStatus::other);
  EXPECT_FALSE(live[0].mode);
  EXPECT_EQ(encode(live[1]), encode(one));
  EXPECT_NEAR(std::stoi(ask({"TTL", "runner:heartbeat:r-1"})), 60, 2);

  Heartbeat twin = one;
  twin.incarnation = "i2";
  EXPECT_EQ(run(heartbeats.beat(twin))->incarnation, "i1");
  run(heartbeats.remove(RunnerId("r-1"), "i1"));
  EXPECT_EQ(run(heartbeats.live()).size(), 2u);
  run(heartbeats.remove(RunnerId("r-1"), "i2"));
  EXPECT_EQ(run(heartbeats.live()).size(), 1u);
}

}  // namespace
}  // namespace botburrow::queue
