// What backup takes and restore puts back, on real servers.
#include "queue/backup.hpp"

#include "base/error.hpp"
#include "queue/election.hpp"
#include "queue_fixture.hpp"
#include "tests/support/private_redis.hpp"

#include <gmock/gmock.h>

namespace botburrow::queue {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Backup : public QueueTest {
 protected:
  RedisDump dump() { return run(dump_keys(redis, Deadline::in(std::chrono::seconds(20)))); }
  RestoreAnswer restore(const RedisDump& from, const std::string& id = "id", bool force = false) {
    return run(restore_keys(redis, from, id, force, Deadline::in(std::chrono::seconds(20))));
  }
  Census census() { return run(view.census()); }
};

TEST_F(Backup, HoldsOneMomentWithItsCensus) {
  enqueue(inbox("a"));
  enqueue(inbox("b"));
  const auto claim = claim_now();
  const auto taken = dump();
  EXPECT_TRUE(taken.census.closes());
  EXPECT_EQ(taken.census, census());
  EXPECT_EQ(taken.census.leased, 1);
  EXPECT_THAT(taken.keys, Contains(Field(&KeyDump::key, "work:queue:high")));
  EXPECT_THAT(taken.keys, Not(Contains(Field(&KeyDump::key, "work:generation"))));
  EXPECT_THAT(taken.keys, Not(Contains(Field(&KeyDump::key, StartsWith("work:bell")))));
  EXPECT_FALSE(taken.generation.empty());
}

TEST_F(Backup, RestoredServerHasEveryItemAndNothingIsClaimedYet) {
  enqueue(inbox("a"));
  enqueue(inbox("b"));
  const auto claim = claim_now();
  ask({"SET", "agent:tries:a:n1", "2", "EX", "600"});
  const auto taken = dump();
  server().flush();

  EXPECT_EQ(restore(taken).result, RestoreResult::done);
  EXPECT_EQ(census(), (Census{.enqueued = 2, .waiting = 2, .leased = 0, .dead = 0, .done = 0}));
  EXPECT_EQ(ask({"GET", "agent:tries:a:n1"}), "2");
  EXPECT_GT(std::stoi(ask({"TTL", "agent:tries:a:n1"})), 0);
  EXPECT_EQ(ask({"EXISTS", "work:generation"}), "0");
  EXPECT_FALSE(run(queue.claim(request()))) << "nothing before a leader has compared";
  ask({"SET", "work:generation", "set:2"});
  const auto again = run(queue.claim(request()));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->item.agent_id, claim.item.agent_id) << "what was worked on comes first";
  EXPECT_EQ(again->attempt, 1) << "and nothing was counted";
}

TEST_F(Backup, RunnerOfBeforeOwnsNothingAfterwards) {
  enqueue(inbox("a"));
  const auto claim = claim_now();
  const auto taken = dump();
  EXPECT_EQ(restore(taken, "id", true).result, RestoreResult::done);
  const auto outcomes = run(queue.renew({ref_of(claim)}));
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0], RenewOutcome::lost);
  EXPECT_TRUE(census().closes());
}

TEST_F(Backup, WhoeverLedIsDeposed) {
  RedisElection election(redis, "incarnation", "pod");
  const auto taken = dump();
  const auto epoch = run(election.take(run(election.observe())));
  ASSERT_TRUE(epoch);
  EXPECT_EQ(restore(taken, "id", true).result, RestoreResult::done);
  EXPECT_FALSE(run(election.renew(*epoch, Deadline::in(std::chrono::seconds(5)))));
  EXPECT_GT(run(election.observe()).epoch, *epoch) << "no epoch is given out twice";
  const auto result = run(queue.enqueue({inbox("z")}, {.epoch = *epoch}));
  EXPECT_EQ(result.at(0), EnqueueResult::stale_leader);
}

TEST_F(Backup, KeysThatAreThereStayUnlessForced) {
  enqueue(inbox("a"));
  const auto taken = dump();
  enqueue(inbox("late"));
  const auto refused = restore(taken);
  EXPECT_EQ(refused.result, RestoreResult::not_empty);
  EXPECT_THAT(refused.detail, Not(testing::IsEmpty()));
  EXPECT_EQ(census().waiting, 2);
  EXPECT_EQ(restore(taken, "id", true).result, RestoreResult::done);
  EXPECT_EQ(census().waiting, 1);
}

TEST_F(Backup, KeysOfOthersAreLeftAlone) {
  enqueue(inbox("a"));
  ask({"SET", "somebody:else", "1"});
  const auto taken = dump();
  EXPECT_THAT(taken.keys, Not(Contains(Field(&KeyDump::key, "somebody:else"))));
  EXPECT_EQ(restore(taken, "id", true).result, RestoreResult::done);
  EXPECT_EQ(ask({"GET", "somebody:else"}), "1");
}

TEST_F(Backup, FormThatTheServerDoesNotKnowChangesNothing) {
  enqueue(inbox("a"));
  auto taken = dump();
  for (auto& key : taken.keys)
    key.payload[key.payload.size() - 10] = '\x7f';  // of a version far ahead
  const auto refused = restore(taken, "id", true);
  EXPECT_EQ(refused.result, RestoreResult::refused);
  EXPECT_THAT(refused.detail, HasSubstr("DUMP payload"));
  EXPECT_EQ(census().waiting, 1);
}

TEST_F(Backup, MoreKeysThanCanBePutBackAreNoBackup) {
  const auto keys = dump().keys.size();
  ask({"SET", "agent:tries:a:n1", "1"});
  const auto take = [&](std::size_t most) {
    return run(dump_keys(redis, Deadline::in(std::chrono::seconds(20)), most));
  };
  EXPECT_EQ(take(keys + 1).keys.size(), keys + 1);
  try {
    take(keys);
    FAIL() << "it was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::limit);
    EXPECT_THAT(error.message(), HasSubstr(std::to_string(keys + 1) + " keys are more than"));
    EXPECT_THAT(error.message(), HasSubstr("dump.rdb"));
  }
}

TEST_F(Backup, GenerationOfTheServerIsFoundBeforeItGoes) {
  const auto number = [&] {
    return run(find_generation_number(redis, Deadline::in(std::chrono::seconds(20))));
  };
  ask({"SET", "work:generation", "a:set:1003"});
  EXPECT_EQ(number(), 1003);
  ask({"SET", "work:generation", "nonsense"});
  EXPECT_EQ(number(), std::nullopt);
  ask({"DEL", "work:generation"});
  EXPECT_EQ(number(), std::nullopt);
}

TEST_F(Backup, BytesThatAreNoTextComeBackAsTheyWere) {
  const std::string bytes("\0\xff\r\n\x80", 5);
  ask({"HSET", "journal:w:blobs", "1", bytes});
  const auto taken = dump();
  server().flush();
  restore(taken);
  EXPECT_EQ(ask({"HGET", "journal:w:blobs", "1"}), bytes);
}

}  // namespace
}  // namespace botburrow::queue
