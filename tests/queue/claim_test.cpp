#include "base/error.hpp"
#include "base/hash.hpp"
#include "queue_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <set>

namespace botburrow::queue {
namespace {

using testing::HasSubstr;

class ClaimTest : public QueueTest {
 protected:
  std::vector<std::string> claim_all(RunnerMode mode = RunnerMode::hybrid) {
    std::vector<std::string> agents;
    while (const auto claimed = claim(mode))
      agents.push_back(claimed->item.agent_id.str());
    return agents;
  }
  static std::string foreign(const std::string& agent, const std::string& more = "") {
    return fmt::format(R"({{"agent_id":"{0}","agent_name":"{0}","task_type":"inbox"{1}}})", agent,
                       more);
  }
};

TEST_F(ClaimTest, WritesEverythingOperatorsRead) {
  enqueue(inbox("scribe"));
  ClaimRequest asked = request();
  const Claim claimed = run(queue.claim(asked)).value();

  EXPECT_EQ(claimed.item.agent_id.str(), "scribe");
  EXPECT_EQ(claimed.attempt, 1);
  EXPECT_EQ(claimed.fence, (Fence{1, 1}));
  EXPECT_EQ(claimed.queue, Priority::high);
  EXPECT_EQ(claimed.activation_id, asked.activation_id);
  EXPECT_EQ(claimed.work_id.str(), asked.activation_id.str());
  EXPECT_EQ(claimed.lease, 10s);
  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "0");
  EXPECT_EQ(ask({"HLEN", "work:queued"}), "0");
  EXPECT_EQ(ask({"HGETALL", "work:active"}), "scribe runner-1");
  EXPECT_EQ(ask({"HGETALL", "work:leases"}), "scribe 1:0:10000");
  EXPECT_EQ(ask({"GET", "agent_lock:scribe"}), "runner-1");
  const std::string id = asked.activation_id.str();
  EXPECT_THAT(
      ask({"HGET", "work:processing", "scribe"}),
      testing::StartsWith(fmt::format("1 1 work:queue:high runner-1 {0} {0}\n{{\"agent_id\"", id)));
  const auto record = parse_json(ask({"GET", "agent:activation:scribe"}), "record");
  EXPECT_EQ(string_field(record, "activation_id"), id);
  EXPECT_EQ(string_field(record, "task_type"), "inbox");
  EXPECT_TRUE(parse_rfc3339(string_field(record, "started_at").value()));
  EXPECT_TRUE(parse_rfc3339(string_field(record, "deadline").value()));
  EXPECT_EQ(ask({"GET", "activation:" + id}), ask({"GET", "agent:activation:scribe"}));
  EXPECT_EQ(lines->count("work_claimed"), 1u);
}

TEST_F(ClaimTest, TakesHighThenNormalThenLowEachInOrder) {
  for (const char* agent : {"l1", "l2"})
    enqueue(discovery(agent, Priority::low));
  for (const char* agent : {"n1", "n2"})
    enqueue(discovery(agent));
  for (const char* agent : {"h1", "h2"})
    enqueue(inbox(agent));
  EXPECT_THAT(claim_all(), testing::ElementsAre("h1", "h2", "n1", "n2", "l1", "l2"));
}

TEST_F(ClaimTest, ModesTakeOnlyTheirTaskType) {
  enqueue(inbox("reader", Priority::normal));
  enqueue(discovery("explorer", Priority::high));
  EXPECT_THAT(claim_all(RunnerMode::notification), testing::ElementsAre("reader"));
  EXPECT_FALSE(claim(RunnerMode::notification));
  EXPECT_THAT(claim_all(RunnerMode::exploration), testing::ElementsAre("explorer"));
}

TEST_F(ClaimTest, AnItemThatWaitedTooLongGoesFirst) {
  const double now = server_now();
  const auto aged = [now](WorkItem item, double age) {
    item.created_at = now - age;
    return item;
  };
  enqueue(aged(discovery("older", Priority::low), 800));
  enqueue(aged(discovery("young", Priority::low), 590));
  enqueue(aged(discovery("old"), 700));
  enqueue(aged(inbox("fresh"), 0));
  EXPECT_THAT(claim_all(), testing::ElementsAre("older", "old", "fresh", "young"));
}

TEST_F(ClaimTest, TheAgeRuleObeysTheModeAndLooksPastTheQueuesHead) {
  WorkItem explore = discovery("explore");
  explore.created_at = server_now() - 900;
  WorkItem read = inbox("read", Priority::normal);
  read.created_at = server_now() - 800;
  enqueue(explore);
  enqueue(read);
  enqueue(inbox("fresh"));
  EXPECT_THAT(claim_all(RunnerMode::notification), testing::ElementsAre("read", "fresh"));
}

TEST_F(ClaimTest, AClockThatWasSetBackStarvesNobody) {
  const double now = server_now();
  WorkItem of_tomorrow = discovery("of-tomorrow");
  of_tomorrow.created_at = now + 86'400;
  WorkItem soon = discovery("soon", Priority::low);
  soon.created_at = now + 3000;
  enqueue(of_tomorrow);
  enqueue(soon);
  enqueue(inbox("fresh"));
  EXPECT_THAT(claim_all(), testing::ElementsAre("of-tomorrow", "fresh", "soon"))
      << "an hour at most, not the day until the clock has caught up";
}

TEST_F(ClaimTest, OrderInsideAQueueAsksNoClock) {
  const double now = server_now();
  for (const double age : {5.0, 500.0, -500.0, 50.0}) {
    WorkItem item = inbox(fmt::format("{}", age));
    item.created_at = now - age;
    enqueue(item);
  }
  EXPECT_THAT(claim_all(), testing::ElementsAre("5", "500", "-500", "50"));
}

TEST_F(ClaimTest, NothingThatDecidesHasATimeToLive) {
  enqueue(inbox("a"));
  enqueue(inbox("b"));
  const Claim claimed = claim_now();
  enqueue(inbox("a"), {.mark = true});
  renew(claimed);
  run(queue.hand_back({.lease = ref_of(claim_now()), .reason = HandBackReason::hub_away}));
  const auto keys = reply({"KEYS", "*"});
  EXPECT_GE(keys.array().size(), 13u);
  for (const auto& key : keys.array())
    EXPECT_EQ(ask({"PTTL", key.str()}), "-1") << key.str();
}

TEST_F(ClaimTest, TheAgeRuleCanBeOff) {
  RedisWorkQueue strict(redis, waits, system_clock(), log, nullptr, {.max_wait = 0s});
  WorkItem old = discovery("old");
  old.created_at = 1000;
  enqueue(old);
  enqueue(inbox("fresh"));
  EXPECT_EQ(run(strict.claim(request()))->item.agent_id.str(), "fresh");
}

TEST_F(ClaimTest, PassesOverActiveExcludedAndPausedAgents) {
  for (const char* agent : {"active", "excluded", "paused", "free"})
    enqueue(inbox(agent));
  ask({"HSET", "work:active", "active", "python-runner"});
  run(view.pause(AgentId("paused")));
  ClaimRequest asked = request();
  asked.exclude = {AgentId("excluded")};
  EXPECT_EQ(run(queue.claim(asked))->item.agent_id.str(), "free");
  asked.activation_id = ActivationId(random.uuid4());
  EXPECT_FALSE(run(queue.claim(asked)));
  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "3");
}

TEST_F(ClaimTest, NothingIsClaimedWhileTheFleetIsPausedOrTheGenerationIsMissing) {
  enqueue(inbox("a"));
  run(view.pause(AgentId("*")));
  EXPECT_FALSE(claim());
  run(view.resume(AgentId("*")));
  for (const char* broken : {"", "set", "set:", "set:x"}) {
    ask({"SET", "work:generation", broken});
    EXPECT_FALSE(claim()) << broken;
  }
  ask({"DEL", "work:generation"});
  EXPECT_FALSE(claim());
  ask({"SET", "work:generation", "set:7"});
  EXPECT_EQ(claim()->fence, (Fence{7, 1}));
}

TEST_F(ClaimTest, FencesKeepEveryDigit) {
  ask({"SET", "work:fence", "9007199254740992"});
  enqueue(inbox("a"));
  const Claim claimed = claim_now();
  EXPECT_EQ(claimed.fence.counter, 9007199254740993);
  EXPECT_EQ(renew(claimed), RenewOutcome::renewed);
  EXPECT_TRUE(complete(claimed).ok);
}

TEST_F(ClaimTest, ARepeatWithTheSameActivationIdGivesTheSameClaim) {
  enqueue(inbox("a"));
  enqueue(inbox("b"));
  ClaimRequest asked = request();
  const Claim first = run(queue.claim(asked)).value();
  asked.retry = true;
  const Claim again = run(queue.claim(asked)).value();
  EXPECT_EQ(again.item.agent_id, first.item.agent_id);
  EXPECT_EQ(again.fence, first.fence);
  EXPECT_EQ(again.attempt, 1);
  EXPECT_EQ(again.lease, first.lease);
  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "1");
  // A first call that never arrived: the repeat claims.
  ClaimRequest fresh = request();
  fresh.retry = true;
  EXPECT_EQ(run(queue.claim(fresh))->item.agent_id.str(), "b");
}

TEST_F(ClaimTest, ARepeatInANewGenerationHasAFenceOfThatGeneration) {
  ask({"SET", "work:fence", "500"});
  enqueue(inbox("a"));
  ClaimRequest asked = request();
  EXPECT_EQ(run(queue.claim(asked)).value().fence.to_string(), "1.501");
  // Before the lost answer is asked for again, a leader begins the next generation.
  ask({"SET", "work:generation", "set:2"});
  ask({"SET", "work:fence", "0"});
  asked.retry = true;
  const Claim again = run(queue.claim(asked)).value();
  EXPECT_EQ(again.fence.to_string(), "2.1") << "2.501 would stand above all fences to come";
  EXPECT_EQ(run(queue.claim(asked)).value().fence, again.fence);
  EXPECT_THAT(run(queue.renew({ref_of(again)})), testing::ElementsAre(RenewOutcome::renewed));
  complete(again);
  EXPECT_EQ(ask({"HLEN", "work:leases"}), "0");
}

TEST_F(ClaimTest, OneAgentNeverRunsTwiceAtATime) {
  ask({"LPUSH", "work:queue:high", foreign("a"), foreign("a", R"(,"inbox_count":2)")});
  const Claim first = claim_now();
  EXPECT_FALSE(claim());
  // Not even if somebody deletes the operators' view of it.
  ask({"HDEL", "work:active", "a"});
  EXPECT_FALSE(claim());
  complete(first);
  EXPECT_EQ(claim_now().item.inbox_count, 2);
}

TEST_F(ClaimTest, ForeignProducersNeedNoBookkeeping) {
  ask({"LPUSH", "work:queue:low",
       foreign("a",
               R"(,"priority":"high","inbox_count":2.0,"created_at":1770500000,"x":{"y":[]})")});
  const Claim claimed = claim_now();
  EXPECT_EQ(claimed.queue, Priority::low);
  EXPECT_EQ(claimed.item.inbox_count, 2);
  EXPECT_EQ(claimed.item.created_at, 1770500000);
  EXPECT_TRUE(complete(claimed).ok);
}

TEST_F(ClaimTest, UnreadableElementsGoToTheDeadLettersByteForByte) {
  const std::string binary("\x00\xff{broken\x80 bytes\n", 16);
  const std::string large = foreign("a", ",\"x\":\"" + std::string(1 << 20, 'y') + "\"");
  const std::vector<std::string> bad{
      binary,
      "",
      "x",
      "[1]",
      "{\"agent_id\":\"a\"}",
      large,
      "{\"agent_id\":\"a\",\"agent_name\":\"a\",\"task_type\":\"x\"}",
      foreign("a\xff"),
      std::string(4000, '[')};
  for (const std::string& element : bad)
    ask({"LPUSH", "work:queue:high", element});
  enqueue(inbox("good"));

  EXPECT_EQ(claim_now().item.agent_id.str(), "good");

  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "0");
  const auto dead = run(view.dead(0, 100));
  ASSERT_EQ(dead.size(), bad.size());
  std::set<std::string> ids;
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const DeadLetter& letter = dead[dead.size() - 1 - i];
    EXPECT_EQ(letter.kind, "unreadable");
    EXPECT_EQ(letter.raw, bad[i]);
    EXPECT_FALSE(letter.reason.empty());
    ids.insert(letter.id);
  }
  EXPECT_EQ(ids.size(), bad.size());
  EXPECT_EQ(lines->count("work_item_invalid"), bad.size());
  EXPECT_THAT(metrics.expose(),
              HasSubstr(fmt::format("botburrow_work_invalid_total {}", bad.size())));
}

TEST_F(ClaimTest, AFloodOfUnreadableElementsIsMovedInPieces) {
  for (int i = 0; i < 40; ++i)
    ask({"LPUSH", "work:queue:high", fmt::format("junk {}", i)});
  enqueue(inbox("good"));
  EXPECT_EQ(claim_now().item.agent_id.str(), "good");
  EXPECT_EQ(ask({"LLEN", "work:dead"}), "16");
  EXPECT_FALSE(claim());
  EXPECT_FALSE(claim());
  EXPECT_EQ(ask({"LLEN", "work:dead"}), "40");
}

TEST_F(ClaimTest, OddJsonThatOnlyLuaReadsIsClaimedAllTheSame) {
  ask({"LPUSH", "work:queue:high",
       foreign("a",
               ",\"inbox_count\":0x10,\"created_at\":nan,\"attempt\":-3,\"work_id\":\"a b\"")});
  const Claim claimed = claim_now();
  EXPECT_EQ(claimed.attempt, 1);
  EXPECT_EQ(claimed.work_id.str(), claimed.activation_id.str());
  EXPECT_EQ(reap("a"), ReapResult::requeued);
  // Our own form now.
  EXPECT_TRUE(decode_item(list("work:queue:high").at(0)));
}

TEST_F(ClaimTest, ItemsOfALaterVersionAreLeftForANewerRunner) {
  ask({"LPUSH", "work:queue:high", foreign("new", R"(,"v":2)"), foreign("now", R"(,"v":1)")});
  EXPECT_EQ(claim_now().item.agent_id.str(), "now");
  EXPECT_FALSE(claim());
  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "1");
  EXPECT_EQ(ask({"LLEN", "work:dead"}), "0");
}

TEST_F(ClaimTest, LooksPastManyItemsItMayNotTake) {
  std::vector<WorkItem> items;
  for (int i = 0; i < 700; ++i)
    items.push_back(discovery(fmt::format("x{}", i), Priority::high));
  items.push_back(inbox("wanted"));
  run(queue.enqueue(items, {}));
  EXPECT_EQ(claim(RunnerMode::notification)->item.agent_id.str(), "wanted");
}

TEST_F(ClaimTest, WrongIdsAreNamed) {
  ClaimRequest asked = request();
  asked.runner_id = RunnerId("runner 1");
  EXPECT_THROW(run(queue.claim(asked)), Error);
  asked = request();
  asked.activation_id = ActivationId("results");
  EXPECT_THROW(run(queue.claim(asked)), Error);
}

TEST_F(ClaimTest, AnErrorInTheMiddleLosesNothing) {
  enqueue(inbox("a"));
  ask({"SET", "work:active", "not a hash"});
  EXPECT_THROW(claim(), Error);
  ask({"DEL", "work:active"});
  EXPECT_EQ(ask({"LLEN", "work:queue:high"}), "1");
}

TEST_F(ClaimTest, AnIdleRunnerIsWokenByAnEnqueue) {
  bool woken = false;
  bool done = false;
  std::chrono::steady_clock::time_point at;
  boost::asio::co_spawn(
      ioc,
      [](WorkQueue& queue, bool& woken, bool& done,
         std::chrono::steady_clock::time_point& at) -> Task<> {
        woken = co_await queue.wait_for_work(RunnerMode::notification, 1s);
        at = std::chrono::steady_clock::now();
        done = true;
      }(queue, woken, done, at),
      boost::asio::detached);
  ASSERT_TRUE(test::run_until(
      ioc, [this] { return ask({"CLIENT", "LIST"}).find("cmd=blpop") != std::string::npos; }));
  enqueue(discovery("not its kind"));
  EXPECT_FALSE(done);
  const auto before = std::chrono::steady_clock::now();
  enqueue(inbox("a"));
  ASSERT_TRUE(test::run_until(ioc, [&done] { return done; }));
  EXPECT_TRUE(woken);
  EXPECT_LT(at - before, 500ms);
}

TEST_F(ClaimTest, AWaitEndsByItself) {
  EXPECT_FALSE(run(queue.wait_for_work(RunnerMode::hybrid, 50ms)));
}

TEST_F(ClaimTest, RingsThatNobodyNeededAreForgotten) {
  enqueue(inbox("a"));
  complete(claim_now());
  EXPECT_FALSE(claim());
  EXPECT_EQ(ask({"EXISTS", "work:bell:inbox"}), "0");
}

}  // namespace
}  // namespace botburrow::queue
