#include "tests/chaos/queue_sample.hpp"

#include "tests/chaos/failovers.hpp"
#include "tests/support/private_redis.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::chaos {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// One item of `anna` that runner-1 works on, one of `bert` that waits.
QueueSample sample() {
  QueueSample one{.enqueued = 5, .done = 2, .dead_items = 1, .waiting = 1};
  one.queued = 1;
  one.leases = one.active = 1;
  one.fence = 9;
  one.epoch = 2;
  one.generation = "d:1";
  one.held["anna"] = {
      .runner = "runner-1", .activation = "a1", .work = "w1", .fence = 8, .attempt = 1};
  one.waiting_agents = {"bert"};
  return one;
}

TEST(Invariants, HoldForASoundQueue) {
  Invariants invariants;
  invariants.see(sample());
  invariants.see(sample());
  EXPECT_THAT(invariants.complaints(), IsEmpty());
  EXPECT_EQ(invariants.samples(), 2);
  EXPECT_EQ(invariants.attempts_most(), 1);
}
TEST(Invariants, EachBreachIsToldOnce) {
  const auto told = [](void (*spoil)(QueueSample&)) {
    Invariants invariants;
    invariants.see(sample());
    auto spoiled = sample();
    spoil(spoiled);
    invariants.see(spoiled);
    invariants.see(spoiled);
    return invariants.complaints().size();
  };
  EXPECT_EQ(told([](QueueSample& s) { ++s.enqueued; }), 1u) << "an item is nowhere";
  EXPECT_EQ(told([](QueueSample& s) { ++s.queued; }), 1u);
  EXPECT_EQ(told([](QueueSample& s) { ++s.leases; }), 1u);
  EXPECT_EQ(told([](QueueSample& s) { ++s.active; }), 1u);
  EXPECT_EQ(told([](QueueSample& s) { ++s.twice; }), 1u);
  EXPECT_EQ(told([](QueueSample& s) { --s.epoch; }), 1u);
  EXPECT_EQ(told([](QueueSample& s) { --s.fence; }), 1u);
  EXPECT_EQ(told([](QueueSample& s) { s.held["anna"].fence = 10; }), 1u);
}
TEST(Invariants, NewGenerationCountsFencesAnew) {
  Invariants invariants;
  auto one = sample();
  one.held.clear();
  one.leases = one.active = 0;
  one.enqueued = 4;
  invariants.see(one);
  one.generation = "e:2";
  one.fence = 0;
  invariants.see(one);
  EXPECT_THAT(invariants.complaints(), IsEmpty());
}

TEST(Invariants, AfterARollbackCountersMayStandLower) {
  Invariants invariants;
  invariants.see(sample());
  auto older = sample();
  older.epoch = 1;
  older.fence = 8;
  invariants.forget();
  invariants.see(older);
  EXPECT_THAT(invariants.complaints(), IsEmpty());
}

TEST(Recoveries, LastFromTheKillToTheNextClaim) {
  Recoveries recoveries;
  auto now = sample();
  recoveries.killed("runner-1", now, 100);
  EXPECT_TRUE(recoveries.is_orphan("anna"));
  recoveries.see(now, 105);
  now.held.clear();
  now.waiting_agents.insert("anna");
  recoveries.see(now, 110);
  now.held["anna"] = {
      .runner = "runner-2", .activation = "a2", .work = "w1", .fence = 10, .attempt = 2};
  recoveries.see(now, 110.5);
  recoveries.see(now, 111);
  ASSERT_EQ(recoveries.all().size(), 1u);
  EXPECT_DOUBLE_EQ(recoveries.all()[0].seconds, 10.5);
  EXPECT_EQ(recoveries.all()[0].crashes, 1);
  EXPECT_FALSE(recoveries.is_orphan("anna"));
}
TEST(Recoveries, OfOthersDoNotCount) {
  Recoveries recoveries;
  recoveries.killed("runner-7", sample(), 100);
  EXPECT_FALSE(recoveries.is_orphan("anna"));
}
TEST(Recoveries, CompletedInTheLastMomentIsNone) {
  Recoveries recoveries;
  auto now = sample();
  recoveries.killed("runner-1", now, 100);
  now.held.clear();
  recoveries.see(now, 100.1);
  EXPECT_FALSE(recoveries.is_orphan("anna"));
  // Neither is the agent's next piece of work.
  recoveries.killed("runner-1", sample(), 200);
  auto next = sample();
  next.held["anna"] = {.runner = "runner-2", .activation = "a3", .work = "w2", .attempt = 1};
  recoveries.see(next, 200.1);
  EXPECT_THAT(recoveries.all(), IsEmpty());
}

TEST(HeldOf, ReadsTheFirstLineOfAClaim) {
  const auto held = held_of("12 3 work:queue:high runner-4 act-1 work-1");
  EXPECT_EQ(held.fence, 12);
  EXPECT_EQ(held.attempt, 3);
  EXPECT_EQ(held.runner, "runner-4");
  EXPECT_EQ(held.activation, "act-1");
  EXPECT_EQ(held.work, "work-1");
}

TEST(SampleScript, CountsWhatStandsInTheLists) {
  test::PrivateRedis redis;
  redis.ask({"LPUSH", "work:queue:high", R"({"agent_id": "anna"})", R"({"agent_id": "anna"})"});
  redis.ask({"ZADD", "work:deferred", "1", R"({"agent_id": "bert"})"});
  redis.ask({"LPUSH", "work:dead", R"({"id": "1", "kind": "item"})",
             R"({"id": "2", "kind": "notification"})"});
  redis.ask({"HSET", "work:processing", "carl", "12 3 work:queue:high r a w\n{}"});
  redis.ask({"HSET", "work:stats", "enqueued", "7", "done", "2"});
  redis.ask({"SET", "work:fence", "12"});
  const auto reply = redis.ask({"EVAL", std::string(sample_script()), "0"});
  std::vector<std::string> numbers;
  for (const auto& number : reply.array().at(0).array())
    numbers.push_back(number.str());
  EXPECT_THAT(numbers, ElementsAre("7", "2", "1", "1", "0", "0", "0", "12", "0", ""));
  EXPECT_EQ(reply.array().at(1).array().at(0).str(), "carl");
  EXPECT_EQ(reply.array().at(1).array().at(1).str(), "12 3 work:queue:high r a w");
  EXPECT_EQ(reply.array().at(2).array().size(), 3u);
}

TEST(Failovers, LastUntilTheNextEpochAndUntilSomebodyActs) {
  Failovers failovers;
  QueueSample now{.epoch = 4};
  failovers.leader_ended("kill", 4, "mention-000007", 50);
  failovers.see(now, 51);
  EXPECT_EQ(failovers.open(), 1);
  now.epoch = 5;
  failovers.see(now, 56);
  failovers.see(now, 57);
  failovers.model_asked("mention-000006", 56.5);
  failovers.model_asked("mention-000007", 56.75);
  EXPECT_THAT(failovers.elected("kill"), ElementsAre(6));
  EXPECT_THAT(failovers.acted("kill"), ElementsAre(6.75));
  EXPECT_THAT(failovers.elected("term"), IsEmpty());
  EXPECT_EQ(failovers.open(), 0);
}

}  // namespace
}  // namespace botburrow::chaos
