#include "base/error.hpp"
#include "queue_fixture.hpp"

namespace botburrow::queue {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using enum EnqueueResult;

class Enqueue : public QueueTest {};

TEST_F(Enqueue, WritesOneElementWithTheServersTime) {
  const double before = server_now();
  EXPECT_EQ(enqueue(inbox("scribe")), enqueued);

  const auto elements = list("work:queue:high");
  ASSERT_EQ(elements.size(), 1u);
  EXPECT_THAT(
      elements[0],
      testing::StartsWith(
          R"({"agent_id": "scribe", "agent_name": "scribe", "task_type": "inbox", "priority": "high", "inbox_count": 1, "created_at": )"));
  const auto item = decode_item(elements[0]);
  ASSERT_TRUE(item);
  EXPECT_GE(item->created_at, before - 0.001);
  EXPECT_LE(item->created_at, server_now() + 0.001);
  EXPECT_EQ(ask({"HGETALL", "work:queued"}), "scribe high:inbox");
  EXPECT_EQ(ask({"LLEN", "work:bell:inbox"}), "1");
}

TEST_F(Enqueue, AFreshItemTakesAtMost300BytesWithItsIndexEntry) {
  WorkItem item = inbox("claude-coder-1");
  item.inbox_count = 3;
  enqueue(item);
  EXPECT_LE(list("work:queue:high")[0].size() + ask({"HGETALL", "work:queued"}).size(), 300u);
}

TEST_F(Enqueue, ASecondTriggerOfAWaitingAgentAddsNothing) {
  EXPECT_EQ(enqueue(inbox("a")), enqueued);
  EXPECT_EQ(enqueue(inbox("a")), dup_queued);
  EXPECT_EQ(enqueue(inbox("a"), {.force = true}), dup_queued);
  EXPECT_EQ(enqueue(discovery("a")), dup_queued);
  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "1");
  EXPECT_EQ(ask({"LLEN", "work:queue:normal"}), "0");
}

TEST_F(Enqueue, AnInboxTriggerTurnsAWaitingDiscoveryItemIntoAnInboxItem) {
  WorkItem old = discovery("a");
  old.created_at = 1770500000.5;
  EXPECT_EQ(enqueue(old), enqueued);
  EXPECT_EQ(enqueue(discovery("b")), enqueued);
  EXPECT_EQ(enqueue(inbox("a")), upgraded);

  EXPECT_EQ(ask({"LLEN", "work:queue:normal"}), "1");
  const auto item = decode_item(list("work:queue:high").at(0));
  ASSERT_TRUE(item);
  EXPECT_EQ(item->task_type, TaskType::inbox);
  EXPECT_EQ(item->priority, Priority::high);
  EXPECT_EQ(item->created_at, 1770500000.5);
  EXPECT_EQ(ask({"HGET", "work:queued", "a"}), "high:inbox");
  EXPECT_EQ(enqueue(inbox("a")), dup_queued);
}

TEST_F(Enqueue, AnUpgradeKeepsWhatHappenedToTheItem) {
  enqueue(discovery("a"));
  const Claim crashed = claim_now();
  EXPECT_EQ(reap("a"), ReapResult::requeued);
  EXPECT_EQ(enqueue(inbox("a")), upgraded);
  const Claim again = claim_now();
  EXPECT_EQ(again.work_id, crashed.work_id);
  EXPECT_EQ(again.attempt, 2);
  EXPECT_EQ(again.item.history.size(), 1u);
  EXPECT_EQ(again.item.task_type, TaskType::inbox);
}

TEST_F(Enqueue, ADeferredItemIsUpgradedWhereItWaits) {
  enqueue(discovery("a"));
  EXPECT_TRUE(
      run(queue.hand_back({.lease = ref_of(claim_now()), .reason = HandBackReason::hub_away})));
  EXPECT_EQ(enqueue(discovery("a")), dup_queued);
  EXPECT_EQ(enqueue(inbox("a")), upgraded);
  EXPECT_EQ(ask({"ZCARD", "work:deferred"}), "1");
  EXPECT_THAT(ask({"ZRANGE", "work:deferred", "0", "-1"}), HasSubstr("\"task_type\": \"inbox\""));
}

TEST_F(Enqueue, AnUpgradeOfAnItemSomebodyElseTookIsANewItem) {
  enqueue(discovery("a"));
  ask({"RPOP", "work:queue:normal"});
  EXPECT_EQ(enqueue(inbox("a")), enqueued);
  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "1");
}

TEST_F(Enqueue, ARunningAgentIsADuplicateAndOnlyAMarkIsRemembered) {
  enqueue(inbox("a"));
  claim_now();
  EXPECT_EQ(enqueue(inbox("a")), dup_active);
  EXPECT_EQ(enqueue(inbox("a"), {.force = true}), dup_active);
  EXPECT_EQ(ask({"HLEN", "work:dirty"}), "0");
  EXPECT_EQ(enqueue(discovery("a"), {.mark = true}), dup_active);
  EXPECT_EQ(enqueue(inbox("a"), {.mark = true}), dup_active);
  EXPECT_EQ(enqueue(discovery("a"), {.mark = true}), dup_active);
  EXPECT_EQ(ask({"HLEN", "work:dirty"}), "1");
  EXPECT_THAT(ask({"HGET", "work:dirty", "a"}), HasSubstr("\"priority\": \"high\""));
}

TEST_F(Enqueue, AnAgentAnotherProgramRunsIsADuplicateWithoutAMark) {
  ask({"HSET", "work:active", "a", "python-runner"});
  EXPECT_EQ(enqueue(inbox("a"), {.mark = true}), dup_active);
  EXPECT_EQ(ask({"HLEN", "work:dirty"}), "0");
}

TEST_F(Enqueue, BackOffRefusesUnlessForced) {
  ask({"HSET", "work:backoff", "a", fmt::format("{:.6f}", server_now() + 30)});
  EXPECT_EQ(enqueue(inbox("a")), backoff);
  EXPECT_EQ(enqueue(inbox("a"), {.force = true}), enqueued);
}

TEST_F(Enqueue, AnEndedBackOffIsRemovedAndTheFailuresStay) {
  ask({"HSET", "work:backoff", "a", fmt::format("{:.6f}", server_now() - 0.5)});
  ask({"HSET", "work:failures", "a", "6"});
  EXPECT_EQ(enqueue(inbox("a")), enqueued);
  EXPECT_EQ(ask({"HLEN", "work:backoff"}), "0");
  EXPECT_EQ(ask({"HGET", "work:failures", "a"}), "6");
}

TEST_F(Enqueue, PausedAgentsAndFleetsAreRefusedUnlessForced) {
  run(view.pause(AgentId("a")));
  EXPECT_EQ(enqueue(inbox("a")), paused);
  EXPECT_EQ(enqueue(inbox("b")), enqueued);
  run(view.pause(AgentId("*")));
  EXPECT_EQ(enqueue(inbox("c")), paused);
  EXPECT_EQ(enqueue(inbox("c"), {.force = true}), enqueued);
}

TEST_F(Enqueue, AnotherEpochIsRefusedAndAnOperatorIsNot) {
  EXPECT_EQ(enqueue(inbox("a"), {.epoch = 1}), enqueued);
  for (const std::int64_t epoch : {0, 2})
    EXPECT_EQ(enqueue(inbox("b"), {.epoch = epoch}), stale_leader);
  EXPECT_EQ(enqueue(inbox("b")), enqueued);
}

TEST_F(Enqueue, ABatchAnswersEachItemInOrder) {
  ask({"HSET", "work:backoff", "c", fmt::format("{:.6f}", server_now() + 30)});
  EXPECT_THAT(run(queue.enqueue({inbox("a"), inbox("b"), inbox("a"), inbox("c"), discovery("d")},
                                {.epoch = 1})),
              ElementsAre(enqueued, enqueued, dup_queued, backoff, enqueued));
}

TEST_F(Enqueue, ThousandsGoInPieces) {
  std::vector<WorkItem> items;
  for (int i = 0; i < 2500; ++i)
    items.push_back(discovery(fmt::format("agent-{}", i)));
  const auto results = run(queue.enqueue(items, {.epoch = 1}));
  EXPECT_EQ(std::ranges::count(results, enqueued), 2500);
  for (WorkItem& item : items) {
    item.priority = Priority::high;
    item.task_type = TaskType::inbox;
  }
  EXPECT_EQ(std::ranges::count(run(queue.enqueue(items, {.epoch = 1})), upgraded), 2500);
  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "2500");
  EXPECT_EQ(ask({"LLEN", "work:queue:normal"}), "0");
  EXPECT_LE(std::stoi(ask({"LLEN", "work:bell:inbox"})), 64);
}

TEST_F(Enqueue, IdsAndSizesOutOfBoundsAreNamed) {
  EXPECT_THROW(enqueue(inbox("")), Error);
  EXPECT_THROW(enqueue(inbox("a\nb")), Error);
  WorkItem huge = inbox("a");
  huge.notification_id.assign(kItemBytesMax, 'x');
  EXPECT_THROW(enqueue(huge), Error);
  EXPECT_EQ(ask({"DBSIZE"}), "2");
}

TEST_F(Enqueue, QuotesAndUnicodeInNamesSurvive) {
  WorkItem item = inbox(R"(a"b\c/é)");
  EXPECT_EQ(enqueue(item), enqueued);
  EXPECT_EQ(enqueue(item), dup_queued);
  const Claim claimed = claim_now();
  EXPECT_EQ(claimed.item.agent_id, item.agent_id);
  EXPECT_EQ(complete(claimed).ok, true);
}

TEST_F(Enqueue, AFullServerRefusesTheCallWhole) {
  enqueue(inbox("busy"));
  const Claim claimed = claim_now();
  ask({"HSET", "work:backoff", "a", "1"});
  ask({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_THROW(enqueue(inbox("a")), Error);
  // Ends and renewals of leases still pass.
  EXPECT_EQ(renew(claimed), RenewOutcome::renewed);
  EXPECT_TRUE(complete(claimed, Outcome::failure).ok);
  ask({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(ask({"HLEN", "work:queued"}), "0");
  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "0");
  EXPECT_EQ(ask({"HLEN", "work:backoff"}), "1");
}

}  // namespace
}  // namespace botburrow::queue
