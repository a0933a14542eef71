#include "tests/coordinator/coordinator_fixture.hpp"
#include "tests/runner/runner_fixture.hpp"
#include "tests/support/hung_folder.hpp"

namespace botburrow::runner {
namespace {

using ::testing::ElementsAre;

/// Runners beside a coordinator, on a Redis that keeps its data over a crash.
class FaultTest : public RunnerTest {
 protected:
  FaultTest()
      : RunnerTest({.appendonly = true}),
        proxy(test::FaultProxy::to_unix(ioc.get_executor(), redis.address().path)) {}
  ~FaultTest() override {
    // Before the wire they hang on goes.
    for (auto& one : nodes)
      run(one->stop());
    nodes.clear();
    if (coordinator) run(coordinator->stop());
  }
  void coordinate() {
    ask({"DEL", "work:generation"});  // The Hub's own will be the first.
    coordinator = std::make_unique<coordinator::Replica>(
        ioc, "c-1", coordinator::Place{redis.url(), hub().url(), hub().service_key});
    coordinator->start();
  }
  Place through_proxy() {
    auto there = place();
    there.redis_url = proxy.redis_url();
    return there;
  }
  test::FaultProxy proxy;
  std::unique_ptr<coordinator::Replica> coordinator;
};

TEST_F(FaultTest, RedisKilledAndRestartedInAnActivationGivesOneAnswer) {
  const auto post = mention("ada");
  think_for(800ms);
  auto& one = node(place());
  enqueue("ada");
  ASSERT_TRUE(until([&] { return llm.requests() == 1; }));
  redis.kill9();
  pass(200ms);
  EXPECT_EQ(one.runner.not_ready(), "redis");
  redis.start();
  ASSERT_TRUE(until([&] { return !results().empty(); }));
  EXPECT_EQ(results()[0].status, "success");
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
  EXPECT_EQ(results().size(), 1U);
  EXPECT_EQ(hub().unread("ada"), 0U);
  EXPECT_EQ(integer({"HLEN", "work:active"}), 0);
  EXPECT_TRUE(until([&] { return integer({"HLEN", "work:outbox"}) == 0; }));
}

TEST_F(FaultTest, AwayFromRedisNothingIsWrittenAndTheItemRunsAgain) {
  const auto post = mention("ada");
  // The first answer would come after trust has ended, and before the wire is mended.
  llm.queue(slowly(1300ms));
  auto& one = node(through_proxy());
  enqueue("ada");
  ASSERT_TRUE(until([&] { return llm.requests() == 1; }));
  proxy.pause();
  ASSERT_TRUE(until([&] { return one.lines->count("lease_trust_ended") == 1; }, 1500ms));
  pass(1500ms);
  EXPECT_THAT(hub().answers(post), ElementsAre()) << "fenced: nothing is posted";
  EXPECT_EQ(results().size(), 0U);
  proxy.resume();
  ASSERT_TRUE(until([&] { return !results().empty(); }));
  EXPECT_EQ(one.lines->count("work_requeued", "\"reason\":\"fenced\""), 1U);
  EXPECT_EQ(one.lines->count("work_claimed", "\"attempt\":1"), 2U) << "no attempt was counted";
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
  EXPECT_EQ(results().at(0).status, "success");
}

TEST_F(FaultTest, AFrozenRunnersWorkGoesToAnotherAndItWritesNothingAfterwards) {
  const auto post = mention("ada");
  coordinate();
  ASSERT_TRUE(until([&] { return coordinator->leads(); }));
  // A process of its own, which stops in the middle of everything.
  boost::asio::io_context frozen_ioc;
  Node frozen(frozen_ioc, place(), quick_options("frozen"));
  llm.queue(slowly(500ms));
  frozen.start();
  const auto both = [&](std::function<bool()> condition) {
    return until([&] {
      if (frozen_ioc.stopped()) frozen_ioc.restart();
      frozen_ioc.poll();
      return condition();
    });
  };
  ASSERT_TRUE(both([&] { return llm.requests() == 1; }));
  auto& second = node(place(), quick_options("second"));
  const auto begun = BootClock::now();
  ASSERT_TRUE(until([&] { return !results().empty(); }));
  EXPECT_LT(BootClock::now() - begun, 6s) << "its lease, and two seconds";
  EXPECT_EQ(results().at(0).runner_id.str(), "second");
  EXPECT_EQ(second.lines->count("work_claimed", "\"attempt\":2"), 1U);
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
  // It wakes up, with an answer of its model waiting.
  ASSERT_TRUE(both([&] { return frozen.runner.active() == 0; }));
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
  EXPECT_EQ(frozen.lines->count("created_comment"), 0U);
  bool stopped = false;
  boost::asio::co_spawn(frozen_ioc, frozen.stop(), [&](std::exception_ptr) { stopped = true; });
  ASSERT_TRUE(both([&] { return stopped; }));
}

TEST_F(FaultTest, AClaimWhoseAnswerWasLostIsFoundAgain) {
  const auto post = mention("ada");
  nodes.push_back(std::make_unique<Node>(ioc, place(), quick_options()));
  auto& one = *nodes.back();
  one.spy.lose_claims = 1;
  one.start();
  enqueue("ada");
  ASSERT_TRUE(until([&] { return !results().empty(); }, 3s)) << "nobody reaps here";
  EXPECT_EQ(results().at(0).status, "success");
  EXPECT_EQ(results().at(0).activation_id.str(), results().at(0).work_id.str())
      << "the first claim";
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
}

TEST_F(FaultTest, FencesThatGoBackAreNotWorkedUnder) {
  mention("ada");
  const auto post = mention("bob");
  auto options = quick_options();
  options.rollback_patience = 100ms;
  auto& one = node(place(), options);
  ask({"SET", "work:fence", "100"});
  enqueue("ada");
  ASSERT_TRUE(until([&] { return results().size() == 1; }));
  ask({"SET", "work:fence", "40"});
  enqueue("bob");
  ASSERT_TRUE(until([&] { return one.lines->count("redis_rolled_back") == 1; }));
  pass(1500ms);
  EXPECT_EQ(one.lines->count("redis_rolled_back"), 1U);
  EXPECT_EQ(llm.requests(), 1U) << "however long it takes: our Hub keeps generations";
  EXPECT_EQ(one.runner.not_ready(), "generation");
  EXPECT_EQ(ask({"HGET", "work:queued", "bob"}), "high:inbox");
  // What the leader does when it notices.
  ask({"SET", "work:fence", "0"});
  ask({"SET", "work:generation", "new:2"});
  ASSERT_TRUE(until([&] { return results().size() == 2; }));
  EXPECT_THAT(hub().answers(post), ElementsAre("bob"));
}

TEST_F(FaultTest, AHubThatKeepsNoGenerationsLetsARunnerGoOnAfterAWhile) {
  auto& there = foreign_hub();
  const auto author = there.add_agent("author");
  std::vector<std::string> ids;
  for (const auto* name : {"ada", "bob"}) {
    define(name);
    ids.push_back(there.add_agent(name));
    there.notify(ids.back(), "mention", there.add_post(author, "hello"));
  }
  auto options = quick_options();
  options.rollback_patience = 100ms;
  auto& one = node(foreign_place(), options);
  ask({"SET", "work:fence", "100"});
  enqueue(ids[0], queue::TaskType::inbox, "ada");
  ASSERT_TRUE(until([&] { return results().size() == 1; }));
  ask({"SET", "work:fence", "40"});
  enqueue(ids[1], queue::TaskType::inbox, "bob");
  ASSERT_TRUE(until([&] { return results().size() == 2; }));
  EXPECT_EQ(one.lines->count("redis_rolled_back"), 1U);
  EXPECT_EQ(there.comments().size(), 2U);
}

// A backup of yesterday is put in place of today's data.
TEST_F(FaultTest, UnderARestoredBackupNothingRunsBeforeANewGeneration) {
  coordinate();
  auto& one = node(place());
  std::vector<std::string> posts;
  const auto answer_one = [&](const std::string& name) {
    posts.push_back(mention(name));
    ASSERT_TRUE(until([&] { return hub().unread(name) == 0 && !active(name); })) << name;
  };
  answer_one("ada-0");
  const auto data = redis.folder() / "appendonlydir";
  const auto backup = redis.folder() / "backup";
  std::filesystem::copy(data, backup, std::filesystem::copy_options::recursive);
  for (const auto* name : {"ada-1", "ada-2", "ada-3"})
    answer_one(name);
  const auto begun = [&](const char* fence) {
    return one.lines->count("activation_starting", fmt::format("\"fence\":\"{}.", fence));
  };
  const auto under_the_first = begun("1");
  ASSERT_GE(under_the_first, 4U);

  redis.kill9();
  std::filesystem::remove_all(data);
  std::filesystem::rename(backup, data);
  redis.start();
  answer_one("ada-4");

  EXPECT_TRUE(ask({"GET", "work:generation"}).ends_with(":2"));
  EXPECT_EQ(begun("1"), under_the_first);
  EXPECT_GE(begun("2"), 1U);
  for (std::size_t i = 0; i < posts.size(); ++i)
    EXPECT_THAT(hub().answers(posts[i]), ElementsAre(fmt::format("ada-{}", i)));
}

TEST_F(FaultTest, AHubThatIsAwayBurnsNoAttempt) {
  auto& there = foreign_hub();
  define("ada");
  const auto id = there.add_agent("ada");
  const auto post = there.add_post(there.add_agent("author"), "hello");
  there.notify(id, "mention", post);
  there.fail("/notifications", 500, 3);
  auto& one = node(foreign_place());
  enqueue(id, queue::TaskType::inbox, "ada");
  ASSERT_TRUE(until([&] { return integer({"ZCARD", "work:deferred"}) == 1; }));
  EXPECT_TRUE(
      until([&] { return one.lines->count("work_requeued", "\"reason\":\"hub_away\"") == 1; }));
  EXPECT_EQ(integer({"HEXISTS", "work:failures", id}), 0);
  EXPECT_EQ(llm.requests(), 0U);
}

TEST_F(FaultTest, AFileSystemThatHangsCostsASlotOnlyAWhile) {
  if (!test::HungFolder::possible()) GTEST_SKIP() << "needs root and /dev/fuse";
  const auto post = mention("ada");
  auto options = quick_options();
  options.definition_time = 300ms;
  auto& one = node(place(), options);
  {
    const test::HungFolder hung((folder / "agents").string());
    enqueue("ada");
    ASSERT_TRUE(until([&] { return one.lines->count("definitions_hang") == 1; }));
    ASSERT_TRUE(until([&] { return one.runner.active() == 0; }));
    EXPECT_EQ(one.lines->count("work_requeued", "no_executor"), 1U) << "for another runner";
    EXPECT_EQ(ask({"HGET", "work:queued", "ada"}), "high:inbox");
    EXPECT_FALSE(one.runner.unhealthy());
  }
  node(place(), quick_options("second"));
  ASSERT_TRUE(until([&] { return !results().empty(); }));
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
}

TEST_F(FaultTest, AFileSystemThatHangsDoesNotHoldUpADrain) {
  if (!test::HungFolder::possible()) GTEST_SKIP() << "needs root and /dev/fuse";
  mention("ada");
  auto& one = node(place());
  const test::HungFolder hung((folder / "agents").string());
  enqueue("ada");
  ASSERT_TRUE(until([&] { return one.lines->count("work_claimed") == 1; }));
  ASSERT_TRUE(until([&] { return one.pool.under_way() == 1; }));
  run(one.runner.drain(30s), 3s);
  EXPECT_EQ(one.pool.under_way(), 1U) << "it hangs still";
  EXPECT_EQ(ask({"HGET", "work:queued", "ada"}), "high:inbox");
  EXPECT_EQ(one.lines->count("work_requeued", "drain"), 1U);
}

TEST_F(FaultTest, TheWholeHouseLosesAllOfRedisAndAnswersOnce) {
  coordinate();
  std::vector<std::string> posts;
  think_for(150ms);
  auto options = quick_options();
  options.slots = 3;
  node(place(), options);
  for (int i = 0; i < 12; ++i)
    posts.push_back(mention(fmt::format("ada-{}", i)));
  ASSERT_TRUE(until([&] { return llm.requests() >= 4; }));
  redis.flush();
  ASSERT_TRUE(until(
      [&] {
        for (const auto& name : std::filesystem::directory_iterator(folder / "agents")) {
          if (hub().unread(name.path().filename().string()) > 0) return false;
        }
        return true;
      },
      25s));
  for (int i = 0; i < 12; ++i)
    EXPECT_THAT(hub().answers(posts[static_cast<std::size_t>(i)]),
                ElementsAre(fmt::format("ada-{}", i)));
}

// Redis dies, a runner is cut off beyond its lease, the Hub is not to be reached: afterwards there
// is an answer each, and no trace.
TEST_F(FaultTest, OnceFaultsStopNothingIsStuck) {
  coordinate();
  auto hub_wire = test::FaultProxy::to_tcp(ioc.get_executor(), hub().port());
  auto there = through_proxy();
  there.hub_url = hub_wire.http_url();
  auto options = quick_options("cut-off");
  options.slots = 3;
  node(there, options);
  options.runner_id = RunnerId("sound");
  node(place(), options);
  think_for(400ms);
  std::vector<std::string> posts;
  const auto mention_some = [&] {
    for (int i = 0; i < 4; ++i)
      posts.push_back(mention(fmt::format("ada-{}", posts.size())));
    const auto asked = llm.requests();
    ASSERT_TRUE(until([&] { return llm.requests() > asked; }));
  };
  mention_some();
  redis.restart();
  mention_some();
  hub_wire.refuse(true);
  hub_wire.cut();
  proxy.pause();
  pass(options.lease + 500ms);
  mention_some();
  proxy.resume();
  proxy.cut();
  hub_wire.refuse(false);

  const auto left = [&] {
    std::int64_t sum = 0;
    for (const auto* key : {"work:active", "work:leases", "work:processing", "work:queued",
                            "work:dirty", "work:outbox"})
      sum += integer({"HLEN", key});
    return sum + integer({"ZCARD", "work:deferred"});
  };
  EXPECT_TRUE(until(
      [&] {
        for (std::size_t i = 0; i < posts.size(); ++i) {
          if (hub().unread(fmt::format("ada-{}", i)) > 0) return false;
        }
        return left() == 0;
      },
      30s));
  for (const auto* pattern : {"agent_lock:*", "agent:activation:*"})
    EXPECT_TRUE(redis.ask({"KEYS", pattern}).array().empty()) << pattern;
  EXPECT_EQ(redis.ask({"KEYS", "activation:*"}).array().size(), 1U) << "the results";
  EXPECT_EQ(integer({"EXISTS", "work:backoff", "work:failures", "work:dead"}), 0);
  for (std::size_t i = 0; i < posts.size(); ++i)
    EXPECT_THAT(hub().answers(posts[i]), ElementsAre(fmt::format("ada-{}", i)));
  for (const auto& one : nodes) {
    EXPECT_TRUE(until([&] { return one->runner.active() == 0 && one->http.active() == 0; }));
    EXPECT_FALSE(one->runner.not_ready());
    EXPECT_FALSE(one->runner.unhealthy());
  }
  queue::OperatorView view(hand().redis, Log::none());
  EXPECT_TRUE(run(view.census()).closes());
}

}  // namespace
}  // namespace botburrow::runner
