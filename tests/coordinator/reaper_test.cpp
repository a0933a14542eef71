#include "tests/coordinator/coordinator_fixture.hpp"

namespace botburrow::coordinator {
namespace {

/// A leader, and a hand that claims like a runner would.
class ReaperTest : public CoordinatorTest {
 protected:
  ReaperTest() : leader(replica("c-1", at_foreign())) {
    EXPECT_TRUE(until([&] { return leader.leads() && generation() != "(nil)"; }));
  }
  queue::Claim claim(const std::string& agent, std::chrono::milliseconds lease) {
    const queue::WorkItem item{
        .agent_id = AgentId(agent), .agent_name = agent, .priority = queue::Priority::high};
    run(leader.queue.enqueue({item}, {}));
    return *run(leader.queue.claim({.runner_id = RunnerId("r-1"),
                                    .lease = lease,
                                    .activation_id = ActivationId(leader.random.uuid4())}));
  }
  std::string parked() {
    return redis.ask({"ZRANGE", "work:deferred", "0", "0"}).array().at(0).str();
  }
  double due() { return std::stod(ask({"ZSCORE", "work:deferred", parked()})); }
  void make_due() { ask({"ZADD", "work:deferred", "1", parked()}); }
  Replica& leader;
};

TEST_F(ReaperTest, WhatNobodyRenewsComesBackAndWhatIsRenewedStays) {
  const auto alive = claim("alive", 1s);
  const auto dead = claim("dead", 1s);
  const auto begun = BootClock::now();
  std::optional<Instant> renewed;
  ASSERT_TRUE(until([&] {
    if (!renewed || BootClock::now() - *renewed > 200ms) {
      renewed = BootClock::now();
      EXPECT_EQ(run(leader.queue.renew({queue::ref_of(alive)})).front(),
                queue::RenewOutcome::renewed);
    }
    return integer({"HEXISTS", "work:active", "dead"}) == 0;
  }));
  const auto took = BootClock::now() - begun;
  EXPECT_GE(took, 1s) << "never before its lease is over";
  EXPECT_LE(took, 3500ms);
  EXPECT_TRUE(
      until([&] { return leader.lines->count("work_requeued", "\"agent_id\":\"dead\"") == 1; }));
  EXPECT_EQ(integer({"HEXISTS", "work:active", "alive"}), 1);
  const auto again = *run(
      leader.queue.claim({.runner_id = RunnerId("r-2"), .activation_id = ActivationId("second")}));
  EXPECT_EQ(again.item.agent_id.str(), "dead");
  EXPECT_EQ(again.attempt, 2);
  EXPECT_EQ(again.work_id, dead.work_id);
}

TEST_F(ReaperTest, TimeInWhichRedisWasAwayDoesNotCount) {
  auto proxy = test::FaultProxy::to_unix(ioc.get_executor(), redis.address().path);
  run(leader.coordinator.stop());
  auto& second = replica("c-2", {proxy.redis_url(), foreign_hub().url(), "key"});
  ASSERT_TRUE(until([&] { return second.leads(); }));
  claim("slow", 2s);
  pass(1200ms);
  proxy.cut();
  const auto cut = BootClock::now();
  ASSERT_TRUE(until([&] { return integer({"HEXISTS", "work:active", "slow"}) == 0; }));
  EXPECT_GE(BootClock::now() - cut, 2s) << "timed anew after a reconnect";
}

TEST_F(ReaperTest, TheThirdCrashIsTheLast) {
  for (int crash = 1; crash <= 2; ++crash) {
    const auto taken = claim("poison", 1s);
    EXPECT_EQ(taken.attempt, crash);
    ASSERT_TRUE(until([&] { return integer({"HEXISTS", "work:active", "poison"}) == 0; }));
  }
  // The second one waits five seconds before it may be taken again.
  ASSERT_EQ(integer({"ZCARD", "work:deferred"}), 1);
  EXPECT_NEAR(due(), to_unix(system_clock().wall()) + 5, 2);
  make_due();
  std::optional<queue::Claim> third;
  ASSERT_TRUE(until([&] {
    third = run(leader.queue.claim({.runner_id = RunnerId("r-1"),
                                    .lease = 1s,
                                    .activation_id = ActivationId(leader.random.uuid4())}));
    return third.has_value();
  }));
  EXPECT_EQ(third->attempt, 3);
  ASSERT_TRUE(until([&] { return integer({"LLEN", "work:dead"}) == 1; }));
  EXPECT_TRUE(until([&] { return leader.lines->count("work_dead") == 1; }));
  EXPECT_EQ(integer({"HEXISTS", "work:backoff", "poison"}), 1);
}

TEST_F(ReaperTest, SweepBringsBackWhatIsDueAndForgetsEndedBackoffs) {
  const auto taken = claim("parked", 10s);
  ASSERT_TRUE(run(leader.queue.hand_back(
      {.lease = queue::ref_of(taken), .reason = queue::HandBackReason::hub_away, .defer = 1s})));
  EXPECT_EQ(integer({"LLEN", "work:queue:high"}), 0);
  ask({"HSET", "work:backoff", "old", "1000.5"});
  EXPECT_TRUE(until([&] { return integer({"LLEN", "work:queue:high"}) == 1; }, 4s));
  // The whole sweep comes every 15 s; a new term begins with one.
  run(leader.coordinator.stop());
  replica("c-2", at_foreign());
  EXPECT_TRUE(until([&] { return integer({"HEXISTS", "work:backoff", "old"}) == 0; }));
}

}  // namespace
}  // namespace botburrow::coordinator
