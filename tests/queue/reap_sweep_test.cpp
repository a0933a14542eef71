#include "queue_fixture.hpp"

namespace botburrow::queue {
namespace {

using testing::HasSubstr;

class Reap : public QueueTest {};

TEST_F(Reap, TheFirstCrashGivesTheItemBackInFront) {
  enqueue(inbox("a"));
  const Claim first = claim_now();
  enqueue(inbox("b"));
  enqueue(inbox("a"), {.mark = true});

  EXPECT_EQ(reap("a"), ReapResult::requeued);

  EXPECT_EQ(ask({"HLEN", "work:dirty"}), "0");
  EXPECT_EQ(ask({"EXISTS", "agent_lock:a", "agent:activation:a",
                 "activation:" + first.activation_id.str(), "work:active", "work:leases",
                 "work:processing"}),
            "0");
  const Claim again = claim_now();
  EXPECT_EQ(again.item.agent_id.str(), "a");
  EXPECT_EQ(again.attempt, 2);
  EXPECT_EQ(again.work_id, first.work_id);
  ASSERT_EQ(again.item.history.size(), 1u);
  EXPECT_EQ(again.item.history[0].activation_id, first.activation_id.str());
  EXPECT_EQ(again.item.history[0].runner_id, "runner-1");
  EXPECT_TRUE(parse_rfc3339(again.item.history[0].at));
  EXPECT_EQ(lines->count("work_requeued"), 1u);
  EXPECT_EQ(ask({"HLEN", "work:failures"}), "0");
}

TEST_F(Reap, PoisonReachesTheDeadLettersAfterThreeCrashes) {
  enqueue(inbox("a"));
  enqueue(inbox("innocent"));
  const Claim first = claim_now();
  EXPECT_EQ(reap("a"), ReapResult::requeued);
  claim_now();
  EXPECT_EQ(reap("a"), ReapResult::deferred);
  EXPECT_EQ(ask({"HGET", "work:queued", "a"}), "high:inbox");
  const auto deferred = run(view.deferred(10)).at(0);
  EXPECT_NEAR(*deferred.due - server_now(), 5, 1);
  ask({"ZADD", "work:deferred", "1", deferred.element});
  EXPECT_EQ(run(queue.sweep(1, false)).due, 1);
  const Claim third = claim_now();
  EXPECT_EQ(third.item.agent_id.str(), "a");
  EXPECT_EQ(third.attempt, 3);
  EXPECT_EQ(reap("a"), ReapResult::dead);

  const auto dead = run(view.dead(0, 10));
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].kind, "item");
  EXPECT_EQ(dead[0].id, third.activation_id.str());
  EXPECT_EQ(dead[0].agent_id, "a");
  EXPECT_EQ(dead[0].attempts, 3);
  ASSERT_EQ(dead[0].history.size(), 3u);
  EXPECT_EQ(dead[0].history[0].activation_id, first.activation_id.str());
  ASSERT_TRUE(dead[0].item);
  EXPECT_EQ(dead[0].item->agent_id.str(), "a");
  EXPECT_EQ(ask({"HGET", "work:failures", "a"}), "5");
  EXPECT_EQ(enqueue(inbox("a")), EnqueueResult::backoff);
  EXPECT_EQ(lines->count("work_dead"), 1u);
  EXPECT_EQ(lines->count("agent_circuit_breaker"), 1u);
  EXPECT_THAT(ask({"HGET", "work:why", "a"}), HasSubstr("crashed its runner 3 times"));
  EXPECT_EQ(claim_now().item.agent_id.str(), "innocent");
}

TEST_F(Reap, ADeadItemAddsToEarlierFailures) {
  ask({"HSET", "work:failures", "a", "8"});
  enqueue(inbox("a"));
  claim_now();
  EXPECT_EQ(reap("a", 1, 1), ReapResult::dead);
  EXPECT_EQ(ask({"HGET", "work:failures", "a"}), "9");
  EXPECT_NEAR(std::stod(ask({"HGET", "work:backoff", "a"})) - server_now(), 960, 2);
}

TEST_F(Reap, WhatMovedIsLeftAlone) {
  enqueue(inbox("a"));
  const Claim claim = claim_now();
  const LeaseSeen seen = run(queue.leases()).at(0);
  EXPECT_EQ(seen.value, "1:0:10000");
  EXPECT_EQ(run(queue.reap({.epoch = 2, .lease = seen})), ReapResult::moved);
  renew(claim);
  EXPECT_EQ(run(queue.reap({.epoch = 1, .lease = seen})), ReapResult::moved);
  EXPECT_EQ(renew(claim), RenewOutcome::renewed);
  complete(claim);
  EXPECT_EQ(run(queue.reap({.epoch = 1, .lease = seen})), ReapResult::moved);
  EXPECT_EQ(ask({"EXISTS", "work:queue:high"}), "0");
}

TEST_F(Reap, ARepeatChangesNothing) {
  enqueue(inbox("a"));
  claim_now();
  const LeaseSeen seen = run(queue.leases()).at(0);
  EXPECT_EQ(run(queue.reap({.epoch = 1, .lease = seen})), ReapResult::requeued);
  EXPECT_EQ(run(queue.reap({.epoch = 1, .lease = seen})), ReapResult::moved);
  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "1");
}

TEST_F(Reap, AnActivationStoppedByAnOperatorIsNotRunAgain) {
  enqueue(inbox("a"));
  const Claim claim = claim_now();
  run(view.stop_activation(claim.activation_id));
  EXPECT_EQ(reap("a"), ReapResult::cancelled);
  EXPECT_EQ(ask({"EXISTS", "work:queue:high", "work:deferred", "work:failures"}), "0");
  EXPECT_NEAR(std::stod(ask({"HGET", "work:backoff", "a"})) - server_now(), 60, 2);
  EXPECT_EQ(lines->count("activation_cancelled"), 1u);
}

TEST_F(Reap, AClaimWhoseElementWasDeletedLeavesNoTraces) {
  enqueue(inbox("a"));
  claim_now();
  ask({"DEL", "work:processing"});
  EXPECT_EQ(reap("a"), ReapResult::moved);
  EXPECT_EQ(ask({"HLEN", "work:active"}), "0");
  EXPECT_EQ(enqueue(inbox("a")), EnqueueResult::enqueued);
}

TEST_F(Reap, AnItemOfALaterVersionIsGivenBackWithItsFields) {
  // Claimed by a newer runner, reaped by this leader.
  const std::string element =
      R"({"agent_id": "a", "agent_name": "a", "task_type": "review", "v": 2, "x": [1]})";
  ask({"HSET", "work:processing", "a", "7 1 work:queue:normal r act w\n" + element});
  ask({"HSET", "work:leases", "a", "7:0:10000"});
  ask({"HSET", "work:active", "a", "r"});
  ask({"SET", "activation:act", "{}"});
  ask({"HINCRBY", "work:stats", "enqueued", "1"});
  EXPECT_EQ(reap("a"), ReapResult::requeued);
  EXPECT_THAT(list("work:queue:normal").at(0),
              testing::StartsWith(element.substr(0, element.size() - 1) +
                                  R"(, "work_id": "w", "attempt": 1, "history": [)"));
  EXPECT_FALSE(claim());
}

TEST_F(Reap, TheDeadLettersAreBoundedAndWhatFallsOutIsLoggedWhole) {
  for (int i = 0; i < 10'000; i += 1000) {
    std::vector<std::string> push{"RPUSH", "work:dead"};
    for (int j = 0; j < 1000; ++j)
      push.push_back(fmt::format(R"({{"id": "old-{}", "kind": "unreadable"}})", i + j));
    ask(push);
  }
  enqueue(inbox("a"));
  claim_now();
  EXPECT_EQ(reap("a", 1, 1), ReapResult::dead);
  EXPECT_EQ(ask({"LLEN", "work:dead"}), "10000");
  ASSERT_EQ(lines->count("work_dead_dropped"), 1u);
  EXPECT_THAT(lines->lines, testing::Contains(HasSubstr("old-9999")));
}

class Sweep : public QueueTest {
 protected:
  SweepCounts sweep(bool full = true) { return run(queue.sweep(1, full)); }
};

TEST_F(Sweep, AnotherEpochChangesNothing) {
  ask({"HSET", "work:backoff", "a", "1"});
  EXPECT_TRUE(run(queue.sweep(2, true)).stale_leader);
  EXPECT_EQ(ask({"HLEN", "work:backoff"}), "1");
}

TEST_F(Sweep, DueItemsComeBackInTheOrderOfTheirTimes) {
  for (const char* agent : {"second", "first"}) {
    ask({"ZADD", "work:deferred", agent[0] == 'f' ? "1" : "2", encode(inbox(agent))});
  }
  ask({"ZADD", "work:deferred", fmt::format("{:.6f}", server_now() + 60), encode(inbox("later"))});
  EXPECT_EQ(sweep(false).due, 2);
  EXPECT_EQ(ask({"ZCARD", "work:deferred"}), "1");
  EXPECT_EQ(claim_now().item.agent_id.str(), "first");
  EXPECT_EQ(claim_now().item.agent_id.str(), "second");
  sweep();
}

TEST_F(Sweep, JunkInDeferredIsBuried) {
  ask({"ZADD", "work:deferred", "1", "junk"});
  sweep();
  EXPECT_EQ(run(view.dead(0, 1)).at(0).raw, "junk");
}

TEST_F(Sweep, EndsBackOffsAndCutsThoseAfterAClockJump) {
  const double now = server_now();
  ask({"HSET", "work:backoff", "over", fmt::format("{:.6f}", now - 1), "held",
       fmt::format("{:.6f}", now + 100), "late", fmt::format("{:.6f}", now + 1e7), "junk", "soon"});
  EXPECT_EQ(sweep(false).backoffs_ended, 0);
  EXPECT_EQ(sweep().backoffs_ended, 2);
  EXPECT_EQ(ask({"HLEN", "work:backoff"}), "2");
  EXPECT_NEAR(std::stod(ask({"HGET", "work:backoff", "late"})), now + 3600, 2);
  ask({"ZADD", "work:deferred", fmt::format("{:.6f}", now + 1e7), encode(inbox("x"))});
  sweep();
  EXPECT_NEAR(*run(view.deferred(1)).at(0).due, now + 3600, 2);
}

TEST_F(Sweep, FailuresDecayADayAfterTheLastOne) {
  const auto why = [](double age, double now) {
    const std::string at = to_rfc3339(from_unix(now - age));
    return fmt::format(
        R"({{"at": "{0}", "outcome": "failure", "reason": "x", "failed_at": "{0}"}})", at);
  };
  const double now = server_now();
  ask({"HSET", "work:failures", "old", "4", "recent", "4", "foreign", "4", "ahead", "4"});
  ask({"HSET", "work:why", "old", why(86'401, now), "recent", why(86'390, now), "gone",
       why(90'000, now), "ahead", why(-1e6, now)});
  EXPECT_EQ(sweep().failures_decayed, 1);
  // The clock was set back since: not a day until it has caught up, and another.
  const auto ahead = parse_json(ask({"HGET", "work:why", "ahead"}), "why");
  EXPECT_NEAR(to_unix(*parse_rfc3339(*string_field(ahead, "failed_at"))), now, 2);
  EXPECT_EQ(string_field(ahead, "reason"), "x");
  EXPECT_EQ(ask({"HEXISTS", "work:failures", "old"}), "0");
  EXPECT_EQ(ask({"HEXISTS", "work:why", "old"}), "0");
  EXPECT_EQ(ask({"HEXISTS", "work:why", "gone"}), "0");
  EXPECT_EQ(ask({"HGET", "work:failures", "recent"}), "4");
  // Counted by another program: its day begins now.
  EXPECT_EQ(ask({"HGET", "work:failures", "foreign"}), "4");
  EXPECT_EQ(ask({"HEXISTS", "work:why", "foreign"}), "1");
}

TEST_F(Sweep, RebuildsTheIndexAfterForeignPushesAndPops) {
  enqueue(inbox("taken"));
  enqueue(discovery("stays"));
  ask({"RPOP", "work:queue:high"});
  ask({"LPUSH", "work:queue:high", R"({"agent_id":"foreign","agent_name":"f","task_type":"inbox"})",
       "junk"});
  ask({"LPUSH", "work:queue:low", encode(discovery("f\"2"))});
  const auto counts = sweep();
  EXPECT_EQ(counts.adopted, 2);
  EXPECT_EQ(counts.vanished, 1);
  EXPECT_EQ(ask({"HGET", "work:queued", "foreign"}), "high:inbox");
  EXPECT_EQ(ask({"HGET", "work:queued", "f\"2"}), "low:discovery");
  EXPECT_EQ(ask({"HGET", "work:queued", "stays"}), "normal:discovery");
  EXPECT_EQ(enqueue(inbox("foreign")), EnqueueResult::dup_queued);
  EXPECT_EQ(enqueue(inbox("taken")), EnqueueResult::enqueued);
}

TEST_F(Sweep, AClaimWhoseLeaseWasDeletedCanBeReapedAgain) {
  enqueue(inbox("a"));
  claim_now();
  ask({"DEL", "work:leases"});
  sweep();
  EXPECT_EQ(ask({"HGET", "work:leases", "a"}), "1:0:10000");
  EXPECT_EQ(reap("a"), ReapResult::requeued);
}

}  // namespace
}  // namespace botburrow::queue
