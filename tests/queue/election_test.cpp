#include "queue/election.hpp"

#include "queue_fixture.hpp"

namespace botburrow::queue {
namespace {

class RedisElectionTest : public QueueTest {
 protected:
  RedisElectionTest() { server().flush(); }
  void SetUp() override {
    redis.start();
    waits.start();
  }
  bool renew(RedisElection& election, std::int64_t epoch) {
    return run(election.renew(epoch, Deadline::in(2s)));
  }
  RedisElection a{redis, "incarnation-a", "pod-a"};
  RedisElection b{redis, "incarnation-b", "pod-b"};
};

TEST_F(RedisElectionTest, TheFirstTakesAFreeLeadership) {
  const LeaderSeen seen = run(a.observe());
  EXPECT_EQ(seen, LeaderSeen{});
  EXPECT_EQ(run(a.take(seen)), 1);
  EXPECT_EQ(ask({"GET", "coordinator:leader"}), "pod-a");
  const int ttl = std::stoi(ask({"TTL", "coordinator:leader"}));
  EXPECT_GE(ttl, 29);
  EXPECT_LE(ttl, 30);
  EXPECT_EQ(run(b.observe()),
            (LeaderSeen{.epoch = 1, .holder = "incarnation-a", .seq = 0, .instance_id = "pod-a"}));
}

TEST_F(RedisElectionTest, OfTwoThatSawTheSameOnlyOneTakes) {
  const LeaderSeen seen = run(a.observe());
  EXPECT_TRUE(run(a.take(seen)));
  EXPECT_FALSE(run(b.take(seen)));
  EXPECT_EQ(ask({"GET", "coordinator:leader"}), "pod-a");
}

TEST_F(RedisElectionTest, ARepeatedTakeAnswersTheSameEpoch) {
  const LeaderSeen seen = run(a.observe());
  EXPECT_EQ(run(a.take(seen)), 1);
  EXPECT_EQ(run(a.take(seen)), 1);
  EXPECT_EQ(ask({"GET", "coordinator:epoch"}), "1");
}

TEST_F(RedisElectionTest, ARenewalBetweenLookingAndTakingKeepsTheLeader) {
  const auto epoch = run(a.take(run(a.observe())));
  const LeaderSeen seen = run(b.observe());
  EXPECT_TRUE(renew(a, *epoch));
  EXPECT_FALSE(run(b.take(seen)));
  EXPECT_EQ(run(b.observe()).seq, 1);
}

TEST_F(RedisElectionTest, ADeposedLeaderIsRefusedEverywhere) {
  const auto epoch = run(a.take(run(a.observe())));
  EXPECT_EQ(run(b.take(run(b.observe()))), 2);
  EXPECT_FALSE(renew(a, *epoch));
  EXPECT_FALSE(run(a.release(*epoch)));
  EXPECT_EQ(enqueue(inbox("x"), {.epoch = *epoch}), EnqueueResult::stale_leader);
  EXPECT_TRUE(run(queue.sweep(*epoch, true)).stale_leader);
  EXPECT_EQ(ask({"GET", "coordinator:leader"}), "pod-b");
}

TEST_F(RedisElectionTest, ReleasingLeavesItFree) {
  const auto epoch = run(a.take(run(a.observe())));
  EXPECT_TRUE(run(a.release(*epoch)));
  EXPECT_FALSE(run(a.release(*epoch)));
  EXPECT_FALSE(renew(a, *epoch));
  EXPECT_EQ(ask({"EXISTS", "coordinator:leader"}), "0");
  const LeaderSeen seen = run(b.observe());
  EXPECT_TRUE(seen.free());
  EXPECT_EQ(run(b.take(seen)), 2);
}

TEST_F(RedisElectionTest, TwoOfOneInstanceNameAreTwo) {
  RedisElection twin(redis, "incarnation-c", "pod-a");
  const auto epoch = run(a.take(run(a.observe())));
  EXPECT_FALSE(renew(twin, *epoch));
}

TEST_F(RedisElectionTest, TheGenerationIsSetByTheLeaderOnly) {
  const auto epoch = run(a.take(run(a.observe())));
  const auto missing = run(queue.generation());
  EXPECT_FALSE(missing.generation);
  ask({"SET", "work:fence", "41"});
  EXPECT_FALSE(run(queue.set_generation(*epoch + 1, missing.raw, {"data", 1})));
  EXPECT_FALSE(run(queue.set_generation(*epoch, "other:1", {"data", 1})));
  EXPECT_EQ(run(queue.generation()).fence, 41);
  EXPECT_TRUE(run(queue.set_generation(*epoch, missing.raw, {"data", 1})));
  const auto seen = run(queue.generation());
  EXPECT_EQ(seen.generation, (Generation{"data", 1}));
  EXPECT_EQ(seen.raw, "data:1");
  EXPECT_EQ(seen.fence, 0);
  // A repeat leaves the fences given out since alone.
  enqueue(inbox("a"));
  claim_now();
  EXPECT_TRUE(run(queue.set_generation(*epoch, missing.raw, {"data", 1})));
  EXPECT_EQ(run(queue.generation()).fence, 1);
  EXPECT_TRUE(run(queue.set_generation(*epoch, "data:1", {"data", 2})));
}

TEST_F(RedisElectionTest, WhoLeadsAndForHowLongIsKnownAfterTheNameHasEnded) {
  RedisElection named(redis, "incarnation-n", "pod-n", 30s);
  run(named.take(run(named.observe())));
  ask({"DEL", "coordinator:leader"});
  const auto seen = run(b.observe());
  EXPECT_EQ(seen.instance_id, "pod-n");
  EXPECT_EQ(seen.lease, 30s);
  FollowerWatch watch(3s);
  EXPECT_FALSE(watch.may_take(seen, Instant(100s)));
  EXPECT_FALSE(watch.may_take(seen, Instant(129s))) << "the leader's lease, not ours";
  EXPECT_TRUE(watch.may_take(seen, Instant(130s)));
  // A version that does not say so leaves the words of the one before.
  ask({"INCR", "coordinator:epoch"});
  ask({"HSET", "coordinator:term", "holder", "old", "seq", "0"});
  EXPECT_EQ(run(b.observe()).instance_id, "");
  EXPECT_EQ(run(b.observe()).lease, 0ms);
}

TEST_F(RedisElectionTest, AnOfferIsSeenWhileItHolds) {
  EXPECT_EQ(run(a.offered(Deadline::in(2s))), "");
  run(b.offer(60s));
  EXPECT_EQ(run(a.offered(Deadline::in(2s))), "pod-b");
  EXPECT_LE(std::stoi(ask({"PTTL", "coordinator:candidate"})), 60000);
  EXPECT_GT(std::stoi(ask({"PTTL", "coordinator:candidate"})), 0) << "it ends by itself";
  EXPECT_FALSE(run(a.announced_hub()));
  run(b.announce_hub("set", Deadline::in(2s)));
  EXPECT_EQ(run(a.announced_hub()), "set");
}

}  // namespace
}  // namespace botburrow::queue
