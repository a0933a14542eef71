#include "tests/runner/runner_fixture.hpp"

namespace botburrow::runner {
namespace {

constexpr auto kLease = 600ms;

/// A keeper whose queue is reached through a wire that can fail.
class LeaseKeeperTest : public RunnerTest {
 protected:
  LeaseKeeperTest()
      : proxy(test::FaultProxy::to_unix(ioc.get_executor(), redis.address().path)),
        parts(ioc, {proxy.redis_url(), "http://127.0.0.1:1", "", llm.url(), folder},
              quick_options()),
        keeper(ioc.get_executor(), kLease, parts.queue, system_clock(), ticks, parts.log),
        loops(ioc.get_executor()) {
    parts.redis.start();
    loops.spawn("renew", [this] { return keeper.renew_loop(); });
    loops.spawn("fence", [this] { return keeper.fence_loop(); });
  }
  ~LeaseKeeperTest() override {
    run(loops.stop());
    run(parts.redis.stop());
  }
  std::shared_ptr<HeldLease> take(const std::string& agent) {
    enqueue(agent);
    const auto sent = BootClock::now();
    claim = *run(parts.queue.claim({.runner_id = RunnerId("r-1"),
                                    .lease = kLease,
                                    .activation_id = ActivationId(parts.random.uuid4())}));
    return keeper.hold(claim, sent);
  }
  test::FaultProxy proxy;
  Node parts;
  LoopTicks ticks;
  LeaseKeeper keeper;
  TaskGroup loops;
  queue::Claim claim;
};

TEST_F(LeaseKeeperTest, TrustIsCountedFromTheSending) {
  const auto sent = BootClock::now() - 300ms;
  HeldLease lease(ioc.get_executor(), {.lease = 1000ms}, sent);
  EXPECT_EQ(lease.trusted_until(), sent + 700ms);
  EXPECT_TRUE(lease.trusted(sent + 699ms));
  EXPECT_FALSE(lease.trusted(sent + 700ms));
  lease.renewed(sent + 200ms);
  EXPECT_EQ(lease.trusted_until(), sent + 900ms);
  lease.renewed(sent + 100ms);
  EXPECT_EQ(lease.trusted_until(), sent + 900ms) << "an earlier one takes nothing back";
  lease.stop(StopReason::drain);
  lease.stop(StopReason::lost);
  EXPECT_EQ(lease.stop_reason(), StopReason::drain) << "the first reason stays";
  EXPECT_FALSE(lease.trusted(sent)) << "whoever is told to stop writes nothing more";
}

TEST_F(LeaseKeeperTest, RenewsInTime) {
  const auto lease = take("a");
  const auto other = take("b");
  EXPECT_EQ(keeper.held(), 2U);
  ASSERT_FALSE(
      until([&] { return !lease->trusted(BootClock::now()) || !other->trusted(BootClock::now()); },
            kLease * 3));
  const auto value = ask({"HGET", "work:leases", "a"});
  const auto renewals = std::stoi(value.substr(value.find(':') + 1));
  EXPECT_GE(renewals, 9);
  EXPECT_LE(renewals, 16) << "every fifth of a lease";
  keeper.release(claim.activation_id);
  EXPECT_EQ(keeper.held(), 1U);
}

TEST_F(LeaseKeeperTest, ALostLeaseStopsItsActivation) {
  const auto lease = take("a");
  ask({"HDEL", "work:processing", "a"});
  ASSERT_TRUE(until([&] { return lease->stop_reason().has_value(); }, kLease / 2));
  EXPECT_EQ(lease->stop_reason(), StopReason::lost);
  EXPECT_TRUE(lease->stop_source().stopped());
}

TEST_F(LeaseKeeperTest, DeletingTheHandleCancels) {
  const auto lease = take("a");
  EXPECT_EQ(integer({"DEL", "activation:" + claim.activation_id.str()}), 1);
  ASSERT_TRUE(until([&] { return lease->stop_reason().has_value(); }, kLease / 2));
  EXPECT_EQ(lease->stop_reason(), StopReason::cancelled);
}

TEST_F(LeaseKeeperTest, WithoutRedisTrustEndsOnOurOwnClock) {
  const auto lease = take("a");
  pass(kLease);
  proxy.pause();
  const auto paused = BootClock::now();
  ASSERT_TRUE(until([&] { return lease->stop_reason().has_value(); }, kLease));
  EXPECT_EQ(lease->stop_reason(), StopReason::fenced);
  const auto took = BootClock::now() - paused;
  EXPECT_LT(took, kLease * 7 / 10 + 20ms);
  EXPECT_GT(took, kLease * 4 / 10);
  EXPECT_EQ(parts.lines->count("lease_trust_ended"), 1U);
  proxy.resume();
  pass(kLease / 2);
  EXPECT_EQ(lease->stop_reason(), StopReason::fenced);
  EXPECT_TRUE(
      run(parts.queue.hand_back({.lease = lease->ref(), .reason = queue::HandBackReason::fenced})))
      << "still ours to give back";
}

/// A clock that only a test moves: however busy the machine is, no time passes beside it.
class HandClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  WallTime wall() const override { return system_clock().wall(); }
  void advance(std::chrono::nanoseconds by) { now_ += by; }

 private:
  Instant now_ = BootClock::now();
};

TEST_F(LeaseKeeperTest, ASlowAnswerNeverStretchesTrust) {
  constexpr auto kOnTheWay = 300ms;
  HandClock clock;
  LoopTicks own_ticks;
  LeaseKeeper slow(ioc.get_executor(), kLease, parts.queue, clock, own_ticks, parts.log);
  take("a");
  keeper.release(claim.activation_id);
  const auto lease = slow.hold(claim, clock.now());
  proxy.tap([&](std::size_t, test::Way way, std::string_view) -> test::Fate {
    if (way == test::Way::forth) clock.advance(kOnTheWay);
    return {};
  });
  TaskGroup loop(ioc.get_executor());
  loop.spawn("renew", [&slow] { return slow.renew_loop(); });
  int renewals = 0;
  bool stretched = false;
  auto before = lease->trusted_until();
  ASSERT_TRUE(until([&] {
    if (lease->trusted_until() != before) ++renewals;
    before = lease->trusted_until();
    if (renewals > 0 && before + kOnTheWay > clock.now() + kLease * 7 / 10) stretched = true;
    return renewals >= 3;
  }));
  EXPECT_FALSE(stretched) << "every answer came that long after its question was sent";
  run(loop.stop());
}

TEST_F(LeaseKeeperTest, StopsAll) {
  const auto one = take("a");
  const auto other = take("b");
  keeper.stop_all(StopReason::drain);
  EXPECT_EQ(one->stop_reason(), StopReason::drain);
  EXPECT_EQ(other->stop_reason(), StopReason::drain);
  const auto value = ask({"HGET", "work:leases", "a"});
  EXPECT_TRUE(until([&] { return ask({"HGET", "work:leases", "a"}) != value; }, kLease))
      << "still renewed, until it is given back";
}

}  // namespace
}  // namespace botburrow::runner
