#include "coordinator/hub_standing.hpp"
#include "tests/coordinator/coordinator_fixture.hpp"

namespace botburrow::coordinator {
namespace {

TEST_F(CoordinatorTest, OneOfThreeLeadsAndTheOthersLeaveTheHubAlone) {
  for (const auto* name : {"c-1", "c-2", "c-3"})
    replica(name, at_foreign());
  ASSERT_TRUE(until([&] { return leaders() == 1; }));
  ASSERT_TRUE(until([&] { return leader()->hub_calls() >= 3; }));
  const auto* first = leader();
  ASSERT_FALSE(until([&] { return leaders() != 1 || leader() != first; }, 2s))
      << "it keeps leading";
  for (const auto& one : replicas) {
    const bool leads = one.get() == first;
    EXPECT_EQ(one->hub_calls() > 0, leads);
    EXPECT_EQ(one->metrics.gauge("botburrow_coordinator_is_leader", "", {"instance_id"})
                  .series()
                  .begin()
                  ->second.value(),
              leads ? 1 : 0);
    EXPECT_EQ(one->lines->count("became_leader", "is_leader:true"), leads ? 1U : 0U);
    EXPECT_GE(one->lines->count("not_leader_skipping_poll"), 1U);
    EXPECT_FALSE(one->coordinator.not_ready());
    EXPECT_FALSE(one->coordinator.unhealthy());
  }
  EXPECT_EQ(ask({"GET", "coordinator:epoch"}), "1");
  EXPECT_EQ(
      ask({"GET", "coordinator:leader"}),
      "c-" + std::to_string(1 + (first == replicas[1].get()) + 2 * (first == replicas[2].get())));
  EXPECT_GT(integer({"TTL", "coordinator:leader"}), 0);
}

TEST_F(CoordinatorTest, StoppingHandsOverAtOnce) {
  auto options = quick_options();
  options.leader_lease = 6s;  // as in production
  replica("c-1", at_foreign(), options);
  ASSERT_TRUE(until([&] { return leaders() == 1; }));
  auto& second = replica("c-2", at_foreign(), options);
  ASSERT_TRUE(until([&] { return second.redis.connected(); }));
  pass(300ms);
  const auto begun = BootClock::now();
  run(replicas[0]->coordinator.stop());
  EXPECT_FALSE(replicas[0]->leads());
  EXPECT_EQ(replicas[0]->coordinator.not_ready(), "draining");
  ASSERT_TRUE(until([&] { return second.leads(); }));
  EXPECT_LT(BootClock::now() - begun, 1500ms);
  EXPECT_EQ(replicas[0]->lines->count("released_leadership"), 1U);
  EXPECT_EQ(replicas[0]->lines->count("lost_leadership"), 1U);
  EXPECT_EQ(ask({"GET", "coordinator:epoch"}), "2");
}

TEST_F(CoordinatorTest, ABlockedLeaderStopsBeforeAnotherBegins) {
  auto proxy = test::FaultProxy::to_unix(ioc.get_executor(), redis.address().path);
  auto& first = replica("c-1", {proxy.redis_url(), foreign_hub().url(), "key"});
  ASSERT_TRUE(until([&] { return first.leads(); }));
  auto& second = replica("c-2", at_foreign());
  ASSERT_TRUE(until([&] { return second.redis.connected(); }));
  pass(500ms);
  proxy.pause();
  const auto begun = BootClock::now();
  std::optional<Instant> ended;
  bool both = false;
  ASSERT_TRUE(until([&] {
    both = both || (first.leads() && second.leads());
    if (!first.leads() && !ended) ended = BootClock::now();
    return second.leads();
  }));
  EXPECT_FALSE(both);
  ASSERT_TRUE(ended);
  EXPECT_LT(*ended - begun, 1100ms) << "two thirds of the lease from the last good renewal";
  EXPECT_GE(BootClock::now() - begun, 1000ms);
  EXPECT_LT(BootClock::now() - begun, 2500ms);
  const auto calls = first.hub_calls();
  pass(500ms);
  EXPECT_EQ(first.hub_calls(), calls) << "a follower does not call the Hub";
  proxy.resume();
  ASSERT_TRUE(until([&] { return first.lines->count("not_leader_skipping_poll") >= 2; }));
  EXPECT_TRUE(second.leads());
  EXPECT_FALSE(first.leads());
}

/// A leadership nobody else wants, whose renewals are answered late and in the end not at all.
class SlowElection final : public queue::Election {
 public:
  explicit SlowElection(std::chrono::nanoseconds late) : late_(late) {}
  Task<queue::LeaderSeen> observe() override { co_return queue::LeaderSeen{}; }
  Task<std::optional<std::int64_t>> take(queue::LeaderSeen) override { co_return 1; }
  Task<bool> renew(std::int64_t, Deadline deadline) override {
    const auto sent = BootClock::now();
    co_await sleep_for(silent ? deadline.left() : late_);
    if (silent) throw Error(errc::redis_unavailable, "no answer", Retry::after_backoff);
    last_good = sent;
    co_return true;
  }
  Task<bool> release(std::int64_t) override { co_return true; }
  Task<> offer(std::chrono::milliseconds) override { co_return; }
  Task<std::string> offered(Deadline) override { co_return ""; }
  Task<> announce_hub(std::string, Deadline) override { co_return; }
  Task<std::optional<std::string>> announced_hub() override { co_return std::nullopt; }
  std::optional<Instant> last_good;  ///< when it was sent
  bool silent = false;

 private:
  std::chrono::nanoseconds late_;
};

TEST_F(CoordinatorTest, ASlowRenewalDoesNotStretchTheTerm) {
  constexpr auto kLease = 2400ms;
  Replica parts(ioc, "c-1", at_foreign());
  parts.redis.start();
  ask({"SET", "coordinator:epoch", "1"});
  SlowElection election(700ms);
  auto options = Replica::named(quick_options(), "c-1");
  options.leader_lease = kLease;
  Coordinator slow(ioc.get_executor(), options,
                   {.redis = parts.redis,
                    .election = election,
                    .queue = parts.queue,
                    .view = parts.view,
                    .heartbeats = parts.heartbeats,
                    .hub = parts.hub,
                    .clock = system_clock(),
                    .random = parts.random},
                   parts.log, parts.metrics);
  slow.start();
  ASSERT_TRUE(until([&] { return election.last_good.has_value(); }));
  election.silent = true;
  ASSERT_TRUE(until([&] { return !slow.is_leader(); }));
  EXPECT_LT(BootClock::now() - *election.last_good, kLease * 2 / 3 + 350ms)
      << "from its sending, not from its answer";
  run(slow.stop());
  run(parts.redis.stop());
}

TEST_F(CoordinatorTest, AfterAnOutageTheLastLeaderGoesOnWithoutWaiting) {
  auto options = quick_options();
  options.leader_lease = 3s;
  auto proxy = test::FaultProxy::to_unix(ioc.get_executor(), redis.address().path);
  auto& only = replica("c-1", {proxy.redis_url(), foreign_hub().url(), "key"}, options);
  ASSERT_TRUE(until([&] { return only.leads(); }));
  proxy.refuse(true);
  proxy.cut();
  ASSERT_TRUE(until([&] { return !only.leads(); }, 6s));
  EXPECT_EQ(only.coordinator.not_ready(), "redis");
  proxy.refuse(false);
  const auto back = BootClock::now();
  ASSERT_TRUE(until([&] { return only.leads(); }));
  EXPECT_LT(BootClock::now() - back, 2500ms);
  EXPECT_EQ(ask({"GET", "coordinator:epoch"}), "2");
}

TEST_F(CoordinatorTest, AnotherEpochDeposes) {
  auto& only = replica("c-1", at_foreign());
  ASSERT_TRUE(until([&] { return only.leads(); }));
  ask({"SET", "coordinator:epoch", "7"});
  ASSERT_TRUE(until([&] { return !only.leads(); }, 2s));
  ASSERT_TRUE(until([&] { return only.leads(); }, 5s));
  EXPECT_EQ(ask({"GET", "coordinator:epoch"}), "8");
}

TEST_F(CoordinatorTest, TheSameEpochOfAnEmptiedRedisIsSomebodyElses) {
  auto& only = replica("c-1", at_foreign());
  ASSERT_TRUE(until([&] { return only.leads(); }));
  // In one step: nobody is to find it empty.
  redis.ask({"EVAL",
             "redis.call('FLUSHALL') redis.call('SET', 'coordinator:epoch', ARGV[1]) "
             "redis.call('HSET', 'coordinator:term', 'holder', 'other', 'seq', '0')",
             "0", ask({"GET", "coordinator:epoch"})});
  ASSERT_TRUE(until([&] { return !only.leads(); }));
  EXPECT_FALSE(until([&] { return only.leads(); }, 1s)) << "the other one has its lease";
  EXPECT_TRUE(until([&] { return only.leads(); }));
  EXPECT_EQ(ask({"GET", "coordinator:epoch"}), "2");
}

TEST_F(CoordinatorTest, WaitsForRedis) {
  auto proxy = test::FaultProxy::to_unix(ioc.get_executor(), redis.address().path);
  proxy.refuse(true);
  auto& only = replica("c-1", {proxy.redis_url(), foreign_hub().url(), "key"});
  pass(500ms);
  EXPECT_FALSE(only.leads());
  EXPECT_EQ(only.coordinator.not_ready(), "redis");
  EXPECT_FALSE(only.coordinator.unhealthy());
  proxy.refuse(false);
  EXPECT_TRUE(until([&] { return only.leads() && !only.coordinator.not_ready(); }));
}

TEST_F(CoordinatorTest, OnlyTheLeaderShowsGauges) {
  const auto shows = [](Replica& one) {
    return one.metrics.expose().find("botburrow_queue_depth{priority=\"high\"}") !=
           std::string::npos;
  };
  auto& first = replica("c-1", at_foreign());
  ASSERT_TRUE(until([&] { return first.leads() && shows(first); }));
  auto& second = replica("c-2", at_foreign());
  ASSERT_TRUE(until([&] { return second.redis.connected(); }));
  pass(200ms);
  EXPECT_FALSE(shows(second));
  for (const auto* name :
       {"botburrow_queue_active_tasks", "botburrow_queue_agents_in_backoff",
        "botburrow_runners_active", "botburrow_work_queue_depth{queue=\"low\"}",
        "botburrow_queue_oldest_age_seconds{priority=\"normal\"}", "botburrow_work_dead_items",
        "botburrow_work_deferred_items", "botburrow_active_tasks"}) {
    EXPECT_NE(first.metrics.expose().find(std::string("\n") + name + " 0"), std::string::npos)
        << name;
    EXPECT_EQ(second.metrics.expose().find(std::string("\n") + name + " "), std::string::npos)
        << name;
  }
  EXPECT_EQ(first.lines->count("coordinator_stats", "\"is_leader\":true"), 1U);
  run(first.coordinator.stop());
  EXPECT_FALSE(shows(first));
  EXPECT_TRUE(until([&] { return second.leads() && shows(second); }));
}

TEST_F(CoordinatorTest, OnceLooksAndGivesBack) {
  auto& hub = foreign_hub();
  const auto agent = hub.add_agent("scribe");
  hub.notify(agent, "mention", hub.add_post(agent, "x"));
  hub.add_agent("idle");
  replicas.push_back(std::make_unique<Replica>(ioc, "c-1", at_foreign()));
  auto& one = *replicas.back();
  one.redis.start();
  const auto counts = run(one.coordinator.once(10s));
  EXPECT_EQ(counts.agents, 3U);  // one of them in both lists
  EXPECT_EQ(counts.enqueued, 2U);
  EXPECT_EQ(integer({"LLEN", "work:queue:high"}), 1);
  EXPECT_EQ(integer({"LLEN", "work:queue:normal"}), 1);
  EXPECT_NE(generation(), "(nil)");
  run(one.coordinator.stop());
  EXPECT_EQ(ask({"HGET", "coordinator:term", "holder"}), "");
}

TEST_F(CoordinatorTest, OnceSaysWhenTheHubIsAway) {
  replicas.push_back(
      std::make_unique<Replica>(ioc, "c-1", Place{redis.url(), "http://127.0.0.1:1", "key"}));
  replicas.back()->redis.start();
  EXPECT_THROW(run(replicas.back()->coordinator.once(10s)), Error);
}

TEST_F(CoordinatorTest, OnceDoesNotWaitForeverForALivingLeader) {
  auto& first = replica("c-1", at_foreign());
  ASSERT_TRUE(until([&] { return first.leads(); }));
  replicas.push_back(std::make_unique<Replica>(ioc, "c-2", at_foreign()));
  auto& second = *replicas.back();
  second.redis.start();
  try {
    run(second.coordinator.once(2s));
    ADD_FAILURE() << "another one leads";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::timeout);
    EXPECT_THAT(error.message(),
                ::testing::HasSubstr("\"c-1\" leads and goes on (2 s were waited)"));
  }
  EXPECT_TRUE(first.leads());
  EXPECT_EQ(second.hub_calls(), 0);
  run(second.coordinator.stop());
  EXPECT_EQ(ask({"GET", "coordinator:epoch"}), "1") << "nothing of the leader's was touched";
}

TEST_F(CoordinatorTest, OnceOutlastsALeaderThatDied) {
  {
    Replica dead(ioc, "c-1", at_foreign());
    dead.start();
    ASSERT_TRUE(until([&] { return dead.leads(); }));
    redis.freeze();  // It cannot say goodbye.
    run(dead.stop());
    redis.thaw();
  }
  replicas.push_back(std::make_unique<Replica>(ioc, "c-2", at_foreign()));
  auto& second = *replicas.back();
  second.redis.start();
  EXPECT_EQ(run(second.coordinator.once(3 * 1500ms)).deposed, false);
  EXPECT_TRUE(second.leads());
}

// Started and stopped at any moment, nothing is left: a task that is left would stop the program.
TEST_F(CoordinatorTest, StartAndStopAtAnyMoment) {
  auto& hub = foreign_hub();
  for (int i = 0; i < 20; ++i)
    hub.notify(hub.add_agent(fmt::format("a-{}", i)), "mention", "p");
  SeededRandom random(11);
  for (int round = 0; round < 50; ++round) {
    Replica one(ioc, fmt::format("c-{}", round), at_foreign());
    if (random.unit() < 0.9) one.start();
    pass(std::chrono::microseconds(static_cast<int>(random.unit() * random.unit() * 120'000)));
    if (random.unit() < 0.1) redis.freeze();
    const auto begun = BootClock::now();
    run(one.coordinator.stop());
    EXPECT_LT(BootClock::now() - begun, 2s);
    redis.thaw();
    if (random.unit() < 0.3) run(one.coordinator.stop());
    run(one.waits.stop());
    run(one.redis.stop());
    EXPECT_FALSE(one.leads());
    EXPECT_EQ(one.http.active(), 0U);
  }
  // Whoever could not give leadership back leaves it to be taken when its lease is over.
  EXPECT_TRUE(until([&, &last = replica("last", at_foreign())] { return last.leads(); }, 4s));
}

TEST(HubStandingRule, RefusedAtOnceUnheardAfterThree) {
  using hubapi::KeyAnswer;
  using hubapi::KeyStanding;
  HubStandingRule rule;
  EXPECT_FALSE(rule.unfit_because()) << "nothing is known yet";
  EXPECT_FALSE(rule.fit());
  rule.heard({.standing = KeyStanding::accepted});
  EXPECT_TRUE(rule.fit());
  for (int i = 0; i < 2; ++i) {
    rule.heard({.reason = "Connection refused"});
    EXPECT_FALSE(rule.unfit_because());
    EXPECT_FALSE(rule.fit());
  }
  rule.heard({.reason = "Connection refused"});
  EXPECT_TRUE(rule.unfit_because());
  EXPECT_FALSE(rule.refused());
  rule.heard({.standing = KeyStanding::refused, .reason = "401"});
  EXPECT_TRUE(rule.refused());
  rule.heard({.reason = "Connection refused"});
  EXPECT_TRUE(rule.refused()) << "silence takes nothing back";
  rule.heard({.standing = KeyStanding::accepted, .reason = "403"});
  EXPECT_TRUE(rule.refused()) << "a key of another type";
  rule.heard({.standing = KeyStanding::accepted});
  EXPECT_FALSE(rule.unfit_because());
  EXPECT_TRUE(rule.fit());
}

TEST(OtherHubRule, DifferingForLongIsAnotherHubUntilItIsGoneForLong) {
  OtherHubRule rule;
  const Instant start{100s};
  const auto see = [&](std::optional<std::string> leaders, std::optional<std::string> ours) {
    rule.saw(leaders, ours, start);
  };
  for (int i = 0; i < 5; ++i)
    see("a", "b");
  EXPECT_FALSE(rule.other(start)) << "a change that has not come to all yet";
  see("b", "b");
  for (int i = 0; i < 5; ++i)
    see("a", "");
  see(std::nullopt, "");
  see("a", std::nullopt);
  EXPECT_FALSE(rule.other(start));
  see("a", "");
  EXPECT_TRUE(rule.other(start)) << "a Hub that knows no data set yet is another, too";
  EXPECT_TRUE(rule.other(start + 9min)) << "its coordinators start anew";
  EXPECT_FALSE(rule.other(start + 10min)) << "they are gone";
  see("b", "b");
  EXPECT_FALSE(rule.other(start));
}

TEST_F(CoordinatorTest, ACoordinatorOfAnotherHubTakesNoLead) {
  live_hub().agent("scribe");
  test::LiveHub elsewhere(ioc);
  auto& ours = replica("ours", at_live());
  ASSERT_TRUE(until([&] { return ours.leads() && generation() != "(nil)"; }));
  const auto before = generation();
  auto& strange = replica("strange", {redis.url(), elsewhere.url(), elsewhere.service_key});
  ASSERT_TRUE(until([&] { return strange.coordinator.not_ready() == "redis_shared"; }, 90s));
  EXPECT_EQ(strange.lines->count("redis_shared", "database number"), 1U);
  EXPECT_FALSE(ours.coordinator.not_ready());
  run(ours.coordinator.stop());
  EXPECT_FALSE(until([&] { return strange.leads(); }, 4s));
  EXPECT_EQ(generation(), before);
  auto& again = replica("again", at_live());
  EXPECT_TRUE(until([&] { return again.leads(); }));
}

TEST_F(CoordinatorTest, ALeaderWhoseKeyIsRefusedGivesWayAndSaysWhy) {
  live_hub().agent("scribe");
  auto wrong = at_live();
  wrong.hub_key = "botburrow_service_wrong";
  auto& first = replica("c-1", wrong);
  ASSERT_TRUE(until([&] { return first.leads() && first.coordinator.not_ready() == "hub_key"; }));
  EXPECT_EQ(first.lines->count("hub_auth_error", "\"setting\":\"HUB_API_KEY\""), 1U);
  EXPECT_EQ(first.lines->count("hub_auth_error", wrong.hub_key), 0U);
  auto& second = replica("c-2", at_live());
  ASSERT_TRUE(until([&] { return second.leads(); }));
  EXPECT_FALSE(first.leads());
  EXPECT_EQ(first.lines->count("lost_leadership", "c-2 is ready to lead"), 1U);
  EXPECT_FALSE(second.coordinator.not_ready());
  live_hub().post("@scribe hello");
  EXPECT_TRUE(until([&] { return integer({"LLEN", "work:queue:high"}) == 1; }));

  // Nobody else is there any more: somebody must take back what dead runners held.
  run(second.coordinator.stop());
  EXPECT_TRUE(until([&] { return first.leads(); }));
  EXPECT_EQ(first.coordinator.not_ready(), "hub_key");
  // A key that the Hub learns is taken without a restart.
  run(live_hub().server->ensure_key("late", "service", wrong.hub_key));
  EXPECT_TRUE(until([&] { return !first.coordinator.not_ready(); }));
  EXPECT_EQ(first.lines->count("hub_key_accepted"), 1U);
}

TEST_F(CoordinatorTest, OfTwoThatStartTheOneWhoseKeyIsRefusedDoesNotKeepTheLead) {
  auto wrong = at_live();
  wrong.hub_key = live_hub().owner_key;  // a person's: known, and of no use
  auto& first = replica("c-1", wrong);
  auto& second = replica("c-2", at_live());
  ASSERT_TRUE(until([&] { return second.leads() && !first.leads(); }));
  EXPECT_FALSE(until([&] { return first.leads(); }, 3s));
  EXPECT_EQ(first.coordinator.not_ready(), "hub_key");
}

TEST_F(CoordinatorTest, AnotherLeaseOfTheLeaderIsWaitedForAndTold) {
  auto slow = quick_options();
  slow.leader_lease = 60s;
  auto& first = replica("c-1", at_foreign(), slow);
  ASSERT_TRUE(until([&] { return first.leads(); }));
  auto& second = replica("c-2", at_foreign());
  ASSERT_TRUE(until([&] { return second.lines->count("leader_lease_differs") == 1; }));
  EXPECT_FALSE(until([&] { return second.leads() || !first.leads(); }, 3s))
      << "twice its own lease, and far from the leader's";
}

}  // namespace
}  // namespace botburrow::coordinator
