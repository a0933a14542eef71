#include "queue/breaker.hpp"
#include "queue_fixture.hpp"

namespace botburrow::queue {
namespace {

using testing::HasSubstr;

class LeaseEnd : public QueueTest {
 protected:
  Claim claimed(const std::string& agent = "a") {
    enqueue(inbox(agent), {.force = true});
    return claim_now();
  }
  void expect_free(const Claim& claim) {
    const std::string& agent = claim.item.agent_id.str();
    EXPECT_EQ(ask({"EXISTS", "agent_lock:" + agent, "agent:activation:" + agent,
                   "activation:" + claim.activation_id.str()}),
              "0");
    EXPECT_EQ(ask({"HEXISTS", "work:active", agent}), "0");
    EXPECT_EQ(ask({"HEXISTS", "work:leases", agent}), "0");
    EXPECT_EQ(ask({"HEXISTS", "work:processing", agent}), "0");
  }
  double backoff_left(const std::string& agent) {
    const std::string end = ask({"HGET", "work:backoff", agent});
    return end == "(nil)" ? 0 : std::stod(end) - server_now();
  }
};

TEST_F(LeaseEnd, RenewingMovesTheCounterOfTheOwnerOnly) {
  const Claim claim = claimed();
  EXPECT_EQ(renew(claim), RenewOutcome::renewed);
  EXPECT_EQ(renew(claim), RenewOutcome::renewed);
  EXPECT_EQ(ask({"HGET", "work:leases", "a"}), "1:2:10000");
  LeaseRef other = ref_of(claim);
  other.fence.counter = 2;
  LeaseRef stranger = ref_of(claim);
  stranger.activation_id = ActivationId("x");
  EXPECT_THAT(run(queue.renew({other, ref_of(claim), stranger})),
              testing::ElementsAre(RenewOutcome::lost, RenewOutcome::renewed, RenewOutcome::lost));
  EXPECT_EQ(ask({"HGET", "work:leases", "a"}), "1:3:10000");
}

TEST_F(LeaseEnd, ADeletedActivationCancelsTheRenewal) {
  const Claim claim = claimed();
  EXPECT_TRUE(run(view.stop_activation(claim.activation_id)));
  EXPECT_FALSE(run(view.stop_activation(claim.activation_id)));
  EXPECT_EQ(renew(claim), RenewOutcome::cancelled);
  EXPECT_EQ(ask({"HGET", "work:leases", "a"}), "1:0:10000");
  const auto answer = complete(claim, Outcome::cancelled, 60s, "stopped by an operator");
  EXPECT_TRUE(answer.ok);
  EXPECT_EQ(answer.failures, 0);
  EXPECT_EQ(answer.backoff, 60s);
  EXPECT_EQ(enqueue(inbox("a")), EnqueueResult::backoff);
  EXPECT_EQ(ask({"HLEN", "work:failures"}), "0");
  expect_free(claim);
}

TEST_F(LeaseEnd, RenewingAfterTheEndIsLost) {
  const Claim claim = claimed();
  complete(claim);
  EXPECT_EQ(renew(claim), RenewOutcome::lost);
}

TEST_F(LeaseEnd, CompletingFreesTheAgentAndKeepsTheResult) {
  const Claim claim = claimed();
  Completion completion{.lease = ref_of(claim), .outcome = Outcome::success};
  completion.result.agent_name = "A";
  completion.result.tokens_input = 7;
  completion.consumption = OutboxEntry{.key = "c:1",
                                       .agent_id = AgentId("a"),
                                       .path = "/system/consumption",
                                       .body = R"({"cost_usd":0.5})"};
  EXPECT_TRUE(run(queue.complete(completion)).ok);
  expect_free(claim);
  const auto results = run(view.results(10));
  ASSERT_EQ(results.size(), 1u);
  EXPECT_TRUE(results[0].success);
  EXPECT_EQ(results[0].status, "success");
  EXPECT_EQ(results[0].activation_id, claim.activation_id);
  EXPECT_TRUE(parse_rfc3339(results[0].timestamp));
  const auto outbox = run(queue.outbox(10));
  ASSERT_EQ(outbox.size(), 1u);
  EXPECT_EQ(outbox[0].key, "c:1");
  EXPECT_EQ(outbox[0].path, "/system/consumption");
  EXPECT_EQ(outbox[0].agent_id.str(), "a");
  EXPECT_EQ(number_field(parse_json(outbox[0].body, "body"), "cost_usd"), 0.5);
  run(queue.remove_outbox("c:1"));
  EXPECT_TRUE(run(queue.outbox(10)).empty());
}

TEST_F(LeaseEnd, CompletingTwiceChangesNothingMore) {
  const Claim claim = claimed();
  EXPECT_TRUE(complete(claim, Outcome::failure).ok);
  const auto again = complete(claim, Outcome::failure);
  EXPECT_FALSE(again.ok);
  EXPECT_EQ(ask({"HGET", "work:failures", "a"}), "1");
  EXPECT_EQ(ask({"LLEN", "activation:results"}), "1");
}

TEST_F(LeaseEnd, AStaleOwnerCannotEndTheNextActivation) {
  const Claim first = claimed();
  EXPECT_EQ(reap("a"), ReapResult::requeued);
  const Claim second = claim_now();
  EXPECT_GT(second.fence, first.fence);
  EXPECT_FALSE(complete(first).ok);
  EXPECT_FALSE(run(queue.hand_back({.lease = ref_of(first)})));
  EXPECT_EQ(renew(first), RenewOutcome::lost);
  EXPECT_EQ(renew(second), RenewOutcome::renewed);
}

TEST_F(LeaseEnd, TheBreakerFollowsTheFormula) {
  for (std::int64_t failures = 1; failures <= 12; ++failures) {
    ask({"DEL", "work:backoff"});
    const auto answer =
        complete(claimed(), failures % 2 == 0 ? Outcome::timeout : Outcome::failure, 0s, "boom");
    EXPECT_EQ(answer.failures, failures);
    EXPECT_EQ(answer.backoff, backoff_after(failures)) << failures;
    EXPECT_NEAR(backoff_left("a"), static_cast<double>(backoff_after(failures).count()), 2.0);
  }
  EXPECT_EQ(lines->count("agent_circuit_breaker"), 8u);
  EXPECT_EQ(enqueue(inbox("a")), EnqueueResult::backoff);
  EXPECT_TRUE(complete(claimed()).ok);
  EXPECT_EQ(ask({"EXISTS", "work:failures", "work:backoff", "work:why"}), "0");
}

TEST_F(LeaseEnd, DeletingTheBackOffKeepsTheCount) {
  for (int i = 0; i < 5; ++i)
    complete(claimed(), Outcome::failure);
  EXPECT_EQ(ask({"DEL", "work:backoff"}), "1");
  EXPECT_EQ(complete(claimed(), Outcome::failure).backoff, 120s);
  EXPECT_EQ(run(view.clear_backoff(AgentId("a"))), 1);
  EXPECT_EQ(run(view.clear_backoff(AgentId("a"))), 0);
  EXPECT_EQ(complete(claimed(), Outcome::failure).failures, 1);
  EXPECT_EQ(lines->count("backoff_cleared"), 1u);
}

TEST_F(LeaseEnd, SkipsCountAsNeitherAndMayHoldOff) {
  complete(claimed(), Outcome::failure, 0s, "first");
  for (const auto outcome : {Outcome::skipped, Outcome::cancelled, Outcome::over_budget}) {
    const auto answer = complete(claimed(), outcome);
    EXPECT_EQ(answer.failures, 1);
    EXPECT_EQ(answer.backoff, 0s);
  }
  EXPECT_THAT(ask({"HGET", "work:why", "a"}), HasSubstr("first"));
  EXPECT_EQ(complete(claimed(), Outcome::over_budget, 300s, "Daily budget exceeded").backoff, 300s);
  EXPECT_NEAR(backoff_left("a"), 300, 2);
  const auto why = ask({"HGET", "work:why", "a"});
  EXPECT_THAT(why, HasSubstr("Daily budget exceeded"));
  EXPECT_THAT(why, HasSubstr("\"failed_at\""));
  EXPECT_EQ(run(view.results(1)).at(0).status, "skipped");
}

TEST_F(LeaseEnd, HoldOffsAreAtMostAnHourAndNeverShortenALaterEnd) {
  EXPECT_EQ(complete(claimed(), Outcome::skipped, 24h).backoff, 3600s);
  EXPECT_EQ(complete(claimed(), Outcome::skipped, 60s).backoff, 3600s);
  ask({"HSET", "work:backoff", "a", fmt::format("{:.6f}", server_now() + 1e6)});
  EXPECT_EQ(complete(claimed(), Outcome::skipped, 60s).backoff, 3600s);
}

TEST_F(LeaseEnd, ReasonsAreCutWithoutBreakingCharacters) {
  std::string reason;
  for (int i = 0; i < 150; ++i)
    reason += "é";
  complete(claimed(), Outcome::failure, 0s, reason);
  const auto why = run(view.why(AgentId("a")));
  EXPECT_EQ(why.last_reason->size(), 200u);
  EXPECT_EQ(why.last_outcome, "failure");
}

TEST_F(LeaseEnd, ATriggerDuringTheRunGivesExactlyOneFollowUp) {
  const Claim claim = claimed();
  for (int i = 0; i < 3; ++i)
    enqueue(inbox("a"), {.epoch = 1, .mark = true});
  const auto answer = complete(claim);
  EXPECT_TRUE(answer.follow_up);
  EXPECT_EQ(ask({"HGET", "work:queued", "a"}), "high:inbox");
  EXPECT_EQ(ask({"LLEN", "work:bell:inbox"}), "2");
  const Claim follow_up = claim_now();
  EXPECT_EQ(follow_up.attempt, 1);
  EXPECT_NE(follow_up.work_id, claim.work_id);
  EXPECT_FALSE(complete(follow_up).follow_up);
  EXPECT_FALSE(this->claim());
}

TEST_F(LeaseEnd, AnAgentHeldOffGetsNoFollowUp) {
  const Claim claim = claimed();
  enqueue(inbox("a"), {.mark = true});
  EXPECT_FALSE(complete(claim, Outcome::cancelled, 60s).follow_up);
  EXPECT_EQ(ask({"EXISTS", "work:dirty", "work:queue:high"}), "0");
}

TEST_F(LeaseEnd, CompletingCanClaimTheNextInTheSameCall) {
  const Claim first = claimed("a");
  enqueue(inbox("b"));
  ClaimRequest next = request();
  const Completion completion{.lease = ref_of(first), .next = next};
  const auto answer = run(queue.complete(completion));
  ASSERT_TRUE(answer.next);
  EXPECT_EQ(answer.next->item.agent_id.str(), "b");

  // The answer was lost: the repeat finds the end done, and the claim again.
  Completion repeat = completion;
  repeat.next->retry = true;
  const auto again = run(queue.complete(repeat));
  EXPECT_FALSE(again.ok);
  ASSERT_TRUE(again.next);
  EXPECT_EQ(again.next->fence, answer.next->fence);
}

TEST_F(LeaseEnd, AFollowUpMayBeTheNextClaim) {
  const Claim first = claimed("a");
  enqueue(inbox("a"), {.mark = true});
  const auto answer = run(queue.complete({.lease = ref_of(first), .next = request()}));
  EXPECT_TRUE(answer.follow_up);
  ASSERT_TRUE(answer.next);
  EXPECT_EQ(answer.next->item.agent_id.str(), "a");
}

TEST_F(LeaseEnd, OnlyAThousandResultsAreKept) {
  for (int i = 0; i < 1001; ++i)
    ask({"RPUSH", "activation:results", "{}"});
  complete(claimed());
  EXPECT_EQ(ask({"LLEN", "activation:results"}), "1000");
}

TEST_F(LeaseEnd, AHandBackGivesTheItemBackInFrontWithoutAnAttempt) {
  for (const auto reason : {HandBackReason::drain, HandBackReason::fenced}) {
    const Claim claim = claimed("a");
    enqueue(inbox("b"));
    EXPECT_TRUE(run(queue.hand_back({.lease = ref_of(claim), .reason = reason})));
    EXPECT_FALSE(run(queue.hand_back({.lease = ref_of(claim), .reason = reason})));
    expect_free(claim);
    const Claim again = claim_now();
    EXPECT_EQ(again.item.agent_id.str(), "a");
    EXPECT_EQ(again.attempt, 1);
    EXPECT_EQ(again.work_id, claim.work_id);
    EXPECT_EQ(again.item.created_at, claim.item.created_at);
    complete(again);
    complete(claim_now());
  }
  EXPECT_EQ(ask({"EXISTS", "activation:results"}), "1");
}

TEST_F(LeaseEnd, WithoutAnExecutorTheItemGoesBehindTheOthers) {
  const Claim claim = claimed("a");
  enqueue(inbox("b"));
  EXPECT_TRUE(
      run(queue.hand_back({.lease = ref_of(claim), .reason = HandBackReason::no_executor})));
  EXPECT_EQ(claim_now().item.agent_id.str(), "b");
  EXPECT_EQ(claim_now().item.agent_id.str(), "a");
}

TEST_F(LeaseEnd, WithTheHubAwayTheItemWaitsForATime) {
  const Claim claim = claimed("a");
  enqueue(inbox("a"), {.mark = true});
  HandBack back{.lease = ref_of(claim), .reason = HandBackReason::hub_away};
  back.consumption = OutboxEntry{.key = "k", .agent_id = AgentId("a"), .path = "/p", .body = "{}"};
  EXPECT_TRUE(run(queue.hand_back(back)));
  EXPECT_FALSE(this->claim());
  EXPECT_EQ(ask({"HLEN", "work:dirty"}), "0");
  EXPECT_EQ(ask({"HLEN", "work:outbox"}), "1");
  const auto deferred = run(view.deferred(10));
  ASSERT_EQ(deferred.size(), 1u);
  EXPECT_NEAR(*deferred[0].due - server_now(), 5, 1);
  ask({"ZADD", "work:deferred", "1", deferred[0].element});
  EXPECT_EQ(run(queue.sweep(1, false)).due, 1);
  EXPECT_EQ(claim_now().work_id, claim.work_id);
}

TEST_F(LeaseEnd, AHandBackKeepsCrashesThatHappenedBefore) {
  const Claim first = claimed();
  reap("a");
  const Claim second = claim_now();
  EXPECT_EQ(second.attempt, 2);
  run(queue.hand_back({.lease = ref_of(second)}));
  const Claim third = claim_now();
  EXPECT_EQ(third.attempt, 2);
  ASSERT_EQ(third.item.history.size(), 1u);
  EXPECT_EQ(third.item.history[0].activation_id, first.activation_id.str());
}

TEST_F(LeaseEnd, FieldsOfOtherProducersSurviveEveryReturn) {
  const std::string element =
      R"({"agent_id":"a","agent_name":"a","task_type":"inbox","created_at":1770500000.123456,"colour":["red",{}]})";
  ask({"LPUSH", "work:queue:high", element});
  for (int i = 0; i < 3; ++i)
    run(queue.hand_back({.lease = ref_of(claim_now())}));
  const std::string back = list("work:queue:high").at(0);
  EXPECT_THAT(back, testing::StartsWith(element.substr(0, element.size() - 1)));
  EXPECT_EQ(back.find("work_id"), back.rfind("work_id"));
}

}  // namespace
}  // namespace botburrow::queue
