#include "queue/agent_sentence.hpp"
#include "queue_fixture.hpp"

#include <set>

namespace botburrow::queue {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// The commands of the guides, and our own views of the same.
class Operators : public QueueTest {
 protected:
  void kill_item(const std::string& agent) {
    enqueue(inbox(agent), {.force = true});
    claim_now();
    ASSERT_EQ(reap(agent, 1, 1), ReapResult::dead);
  }
};

TEST_F(Operators, QueueLengthsCountEachWaitingAgentOnce) {
  for (const char* lane : {"high", "normal", "low"}) {
    EXPECT_EQ(ask({"LLEN", fmt::format("work:queue:{}", lane)}), "0");
  }
  for (int i = 0; i < 3; ++i)
    run(queue.enqueue({inbox("a"), discovery("b"), discovery("c", Priority::low)}, {}));
  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "1");
  EXPECT_EQ(ask({"LLEN", "work:queue:normal"}), "1");
  EXPECT_EQ(ask({"LLEN", "work:queue:low"}), "1");
}

TEST_F(Operators, ElementsShowNewestFirstAndNoAgentTwice) {
  for (const char* agent : {"a", "b", "a", "c"})
    enqueue(inbox(agent));
  std::vector<std::string> agents;
  for (const std::string& element : list("work:queue:high"))
    agents.push_back(decode_item(element)->agent_id.str());
  EXPECT_THAT(agents, ElementsAre("c", "b", "a"));
  agents.clear();
  for (const Waiting& waiting : run(view.waiting(std::nullopt, 2)))
    agents.push_back(waiting.item->agent_id.str());
  EXPECT_THAT(agents, ElementsAre("a", "b"));
}

TEST_F(Operators, SnapshotsAgreeWithTheKeys) {
  enqueue(inbox("a"));
  WorkItem old = discovery("b");
  old.created_at = server_now() - 50;
  enqueue(old);
  claim_now();
  const double now = server_now();
  ask({"HSET", "work:backoff", "c", fmt::format("{:.6f}", now + 100), "over",
       fmt::format("{:.6f}", now - 1)});
  ask({"HSET", "work:failures", "c", "5"});
  ask({"SET", "coordinator:leader", "pod-1"});
  run(view.pause(AgentId("d")));
  const QueueSnapshot snapshot = run(view.snapshot());
  EXPECT_EQ(snapshot.high.length, 0);
  EXPECT_EQ(snapshot.high.oldest_age_seconds, 0);
  EXPECT_EQ(snapshot.normal.length, 1);
  EXPECT_NEAR(snapshot.normal.oldest_age_seconds, 50, 2);
  EXPECT_THAT(snapshot.active, ElementsAre(std::pair("a", "runner-1")));
  EXPECT_EQ(snapshot.backoff.size(), 1u);
  EXPECT_NEAR(snapshot.backoff.at("c"), 100, 2);
  EXPECT_EQ(snapshot.failures.at("c"), 5);
  EXPECT_THAT(snapshot.paused, ElementsAre("d"));
  EXPECT_EQ(snapshot.generation, "set:1");
  EXPECT_EQ(snapshot.epoch, 1);
  EXPECT_EQ(snapshot.leader, "pod-1");
  EXPECT_EQ(snapshot.enqueued_total, 2);
  // R7 after the sweep: the gauge and HLEN agree.
  run(queue.sweep(1, true));
  EXPECT_EQ(ask({"HLEN", "work:backoff"}), std::to_string(run(view.snapshot()).backoff.size()));
}

TEST_F(Operators, DeletingTheBackOffFreesAgentsAtOnce) {
  ask({"HSET", "work:backoff", "a", fmt::format("{:.6f}", server_now() + 100)});
  EXPECT_EQ(enqueue(inbox("a")), EnqueueResult::backoff);
  EXPECT_EQ(ask({"DEL", "work:backoff"}), "1");
  EXPECT_EQ(enqueue(inbox("a")), EnqueueResult::enqueued);
  EXPECT_EQ(ask({"DEL", "work:backoff"}), "0");
}

TEST_F(Operators, AForceStopByHandIsFoundThroughTheAgentsRecord) {
  enqueue(inbox("a"));
  const Claim claim = claim_now();
  const auto id =
      string_field(parse_json(ask({"GET", "agent:activation:a"}), "record"), "activation_id");
  EXPECT_EQ(ask({"DEL", "activation:" + *id}), "1");
  EXPECT_EQ(renew(claim), RenewOutcome::cancelled);
  EXPECT_FALSE(run(view.stop_activation(ActivationId("results"))));
}

TEST_F(Operators, ActivationsShowWhoRunsWhat) {
  enqueue(inbox("a"));
  const Claim claim = claim_now();
  ask({"HSET", "work:active", "foreign", "python"});
  const auto all = run(view.activations());
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].activation_id, claim.activation_id);
  EXPECT_EQ(all[0].task_type, "inbox");
  EXPECT_EQ(all[1].runner_id.str(), "python");
  EXPECT_TRUE(all[1].activation_id.empty());
  ask({"HDEL", "work:active", "foreign"});
  complete(claim);
  EXPECT_EQ(ask({"HLEN", "work:active"}), "0");
}

TEST_F(Operators, TheKeysOfOldGuidesAreNeverWritten) {
  enqueue(inbox("a"));
  complete(claim_now());
  run(queue.sweep(1, true));
  for (const char* pattern : {"config:*", "backoff:*", "lock:*", "agent:a:lock", "agent:lock:*",
                              "leader:*", "runner:work", "work:high", "queue:*"}) {
    EXPECT_EQ(ask({"KEYS", pattern}), "") << pattern;
  }
}

TEST_F(Operators, ADeadItemIsFoundRetriedAndStartsAfresh) {
  kill_item("a");
  kill_item("b");
  const auto dead = run(view.dead(0, 10));
  ASSERT_EQ(dead.size(), 2u);
  EXPECT_EQ(dead[0].agent_id, "b");
  EXPECT_EQ(run(view.find_dead(dead[1].id))->agent_id, "a");
  EXPECT_FALSE(run(view.find_dead("none")));
  EXPECT_EQ(run(view.retry_dead("none")), RetryResult::not_found);

  EXPECT_EQ(run(view.retry_dead(dead[1].id)), RetryResult::queued);
  EXPECT_EQ(run(view.retry_dead(dead[1].id)), RetryResult::not_found);
  const Claim again = claim_now();
  EXPECT_EQ(again.item.agent_id.str(), "a");
  EXPECT_EQ(again.attempt, 1);
  EXPECT_EQ(again.work_id, dead[1].item->work_id);
  EXPECT_TRUE(again.item.history.empty());
}

TEST_F(Operators, ADeadItemOfAWaitingOrRunningAgentStaysDead) {
  kill_item("a");
  enqueue(inbox("a"), {.force = true});
  EXPECT_EQ(run(view.retry_dead(run(view.dead(0, 1)).at(0).id)), RetryResult::dup_queued);
  claim_now();
  EXPECT_EQ(run(view.retry_dead(run(view.dead(0, 1)).at(0).id)), RetryResult::dup_active);
  EXPECT_EQ(ask({"LLEN", "work:dead"}), "1");
}

TEST_F(Operators, UnreadableDeadLettersCannotBeRetriedButCleared) {
  ask({"LPUSH", "work:queue:high", "junk"});
  EXPECT_FALSE(claim());
  kill_item("a");
  const auto dead = run(view.dead(0, 10));
  EXPECT_EQ(run(view.retry_dead(dead[1].id)), RetryResult::unreadable);
  EXPECT_TRUE(run(view.clear_dead(dead[1].id)));
  EXPECT_FALSE(run(view.clear_dead(dead[1].id)));
  EXPECT_FALSE(run(view.clear_dead("*")));
  EXPECT_EQ(run(view.clear_all_dead()), 1);
  EXPECT_EQ(run(view.clear_all_dead()), 0);
}

TEST_F(Operators, WaitingItemsCanBeDropped) {
  enqueue(inbox("a"));
  enqueue(inbox("ab"));
  EXPECT_TRUE(run(view.drop_waiting(AgentId("a"))));
  EXPECT_FALSE(run(view.drop_waiting(AgentId("a"))));
  EXPECT_EQ(claim_now().item.agent_id.str(), "ab");
}

TEST_F(Operators, PausingAndResumingSayWhetherItChanged) {
  EXPECT_TRUE(run(view.pause(AgentId("a"))));
  EXPECT_FALSE(run(view.pause(AgentId("a"))));
  EXPECT_TRUE(run(view.resume(AgentId("a"))));
  EXPECT_FALSE(run(view.resume(AgentId("a"))));
}

TEST_F(Operators, ClearingAllBackOffsResetsEveryCount) {
  ask({"HSET", "work:backoff", "a", "1", "b", "2"});
  ask({"HSET", "work:failures", "b", "3", "c", "4"});
  ask({"HSET", "work:why", "c", R"({"at":"x","outcome":"failure","reason":"LLM error"})"});
  EXPECT_EQ(run(view.clear_all_backoffs()), 3);
  EXPECT_EQ(ask({"EXISTS", "work:backoff", "work:failures", "work:why"}), "0");
  EXPECT_EQ(run(view.clear_all_backoffs()), 0);
}

TEST_F(Operators, WhyTellsEachReason) {
  const auto why = [this](const std::string& agent) {
    return to_sentence(run(view.why(AgentId(agent))));
  };
  EXPECT_EQ(why("nobody"), "nobody has nothing to do.");
  enqueue(inbox("first"));
  enqueue(inbox("second"));
  EXPECT_THAT(why("second"), HasSubstr("is queued behind 1 in work:queue:high"));
  const Claim claim = claim_now();
  EXPECT_THAT(why("first"), HasSubstr("activation " + claim.activation_id.str()));
  complete(claim, Outcome::skipped, 60s, "min_interval_seconds");
  EXPECT_THAT(why("first"), HasSubstr("is held off until"));
  EXPECT_THAT(why("first"), HasSubstr("last: skipped, min_interval_seconds"));
  run(queue.hand_back({.lease = ref_of(claim_now()), .reason = HandBackReason::hub_away}));
  EXPECT_THAT(why("second"), HasSubstr("waits until"));
  ask({"DEL", "work:generation"});
  EXPECT_THAT(why("second"), HasSubstr("work:generation is missing"));
}

TEST_F(Operators, WhatIsTakenFirstStandsAhead) {
  for (const char* agent : {"h1", "h2", "h3"})
    enqueue(inbox(agent));
  enqueue(discovery("n1"));
  enqueue(discovery("l1", Priority::low));
  enqueue(discovery("l2", Priority::low));
  const auto ahead = [this](const char* agent) { return run(view.why(AgentId(agent))).ahead; };
  EXPECT_EQ(ahead("h1"), 0);
  EXPECT_EQ(ahead("h3"), 2);
  EXPECT_EQ(ahead("n1"), 3);
  EXPECT_EQ(ahead("l1"), 4);
  EXPECT_EQ(ahead("l2"), 5);
}

TEST_F(Operators, ADeferredItemIsFoundBehindThousandsOfOthers) {
  std::vector<std::string> args{"ZADD", "work:deferred"};
  for (int i = 0; i < 2500; ++i) {
    args.push_back(std::to_string(1'800'000'000 + i));
    args.push_back(encode(inbox(fmt::format("agent-{}", i))));
  }
  ask(args);
  ask({"HSET", "work:queued", "agent-2345", "high:inbox"});
  const auto facts = run(view.why(AgentId("agent-2345")));
  ASSERT_TRUE(facts.waiting);
  EXPECT_EQ(facts.waiting->due, 1'800'002'345);
  EXPECT_EQ(run(view.deferred(7)).size(), 7u);
  ask({"DEL", "work:deferred", "work:queued"});  // Nobody ever enqueued them: the census is kept.
}

TEST_F(Operators, WhetherSomebodyLeadsIsTold) {
  EXPECT_FALSE(run(view.why(AgentId("a"))).led);
  ask({"SET", "coordinator:leader", "c-1"});
  EXPECT_TRUE(run(view.why(AgentId("a"))).led);
}

}  // namespace
}  // namespace botburrow::queue
