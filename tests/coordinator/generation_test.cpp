#include "coordinator/generation_check.hpp"
#include "tests/coordinator/coordinator_fixture.hpp"

namespace botburrow::coordinator {
namespace {

TEST(GenerationFault, Table) {
  const auto seen = [](const char* dataset, std::int64_t number, std::int64_t fence) {
    return queue::GenerationSeen{
        .generation = queue::Generation{.dataset = dataset, .number = number},
        .raw = "x",
        .fence = fence};
  };
  const hubapi::Generation hub{.dataset = "set", .generation = 3, .fence = "3.17"};
  EXPECT_FALSE(generation_fault(seen("set", 3, 17), hub));
  EXPECT_FALSE(generation_fault(seen("set", 3, 18), hub));
  EXPECT_FALSE(
      generation_fault(seen("set", 3, 0), {.dataset = "set", .generation = 3, .fence = "2.99"}));
  EXPECT_FALSE(
      generation_fault(seen("set", 3, 0), {.dataset = "set", .generation = 3, .fence = ""}));
  EXPECT_TRUE(generation_fault(seen("set", 3, 16), hub));
  EXPECT_TRUE(generation_fault(seen("other", 3, 17), hub));
  EXPECT_TRUE(generation_fault(seen("set", 2, 17), hub));
  EXPECT_TRUE(generation_fault(seen("set", 3, 17), {}));
  EXPECT_TRUE(generation_fault({}, hub));
}

class GenerationTest : public CoordinatorTest {
 protected:
  GenerationTest() : proxy(test::FaultProxy::to_unix(ioc.get_executor(), redis.address().path)) {}
  ~GenerationTest() override {
    // Before the wire they hang on goes.
    for (auto& one : replicas)
      run(one->stop());
    replicas.clear();
  }
  Replica& begin(Place place) {
    place.redis_url = proxy.redis_url();
    auto& one = replica("c-1", place);
    EXPECT_TRUE(until([&] { return one.leads() && generation() != "(nil)"; }));
    return one;
  }
  bool number_becomes(int number) {
    return until([&] { return generation().ends_with(fmt::format(":{}", number)); });
  }
  hubapi::Generation at_hub(Replica& one) { return *run(one.hub.generation(Deadline::in(5s))); }
  test::FaultProxy proxy;
};

TEST_F(GenerationTest, AFreshRedisGetsTheHubsFirstGeneration) {
  auto& one = begin(at_live());
  EXPECT_TRUE(generation().ends_with(":1"));
  EXPECT_EQ(generation(), at_hub(one).dataset + ":1");
  EXPECT_EQ(one.lines->count("generation_begun"), 1U);
  proxy.cut();
  ASSERT_TRUE(until([&] { return one.redis.connections() == 2; }));
  pass(1200ms);
  EXPECT_TRUE(generation().ends_with(":1")) << "a reconnect alone changes nothing";
}

TEST_F(GenerationTest, AnEmptiedRedisBeginsANewOneAndWorkComesBack) {
  auto& hub = live_hub();
  hub.agent("scribe");
  hub.post("@scribe hello");
  begin(at_live());
  const auto before = generation();
  ASSERT_TRUE(until([&] { return integer({"LLEN", "work:queue:high"}) == 1; }));
  redis.flush();
  ASSERT_TRUE(number_becomes(2));
  EXPECT_NE(generation().substr(0, 8), before.substr(0, 8)) << "another data set";
  EXPECT_TRUE(until([&] { return integer({"LLEN", "work:queue:high"}) == 1; }))
      << "found again by the list, whatever the poll leased";
}

TEST_F(GenerationTest, ARolledBackFenceIsNoticedAtTheReconnect) {
  auto& hub = live_hub();
  hub.agent("scribe");
  auto& one = begin(at_live());
  const auto post = hub.post("hello");
  ask({"SET", "work:fence", "50"});
  run(one.hub.create_comment(AgentId("scribe"), {.post_id = post, .content = "x"},
                             {.fence = "1.50"}, Deadline::in(5s)));
  ask({"SET", "work:fence", "20"});
  proxy.cut();
  ASSERT_TRUE(number_becomes(2));
  EXPECT_EQ(ask({"GET", "work:fence"}), "0");
  EXPECT_EQ(at_hub(one).generation, 2);
  EXPECT_EQ(one.lines->count("generation_begun", "rolled back"), 1U);
}

TEST_F(GenerationTest, AnotherDataSetIsNoticedAtTheReconnect) {
  begin(at_live());
  ask({"SET", "work:generation", "somebody-elses:1"});
  proxy.cut();
  ASSERT_TRUE(number_becomes(2));
}

TEST_F(GenerationTest, AHubThatWasSetBackGoesAboveWhatRedisHasHad) {
  auto& one = begin(at_live());
  ask({"SET", "work:generation", at_hub(one).dataset + ":4"});
  proxy.cut();
  ASSERT_TRUE(number_becomes(5)) << "fences of generation 4 may still be shown";
  EXPECT_EQ(at_hub(one).generation, 5);
  // A number that is a time is left alone.
  ask({"SET", "work:generation", "foreign:1770000000"});
  proxy.cut();
  ASSERT_TRUE(number_becomes(6));
}

TEST_F(GenerationTest, AHubThatIsAwayKeepsWorkFromBeingClaimed) {
  auto& hub = foreign_hub();
  hub.fail("/agents", 500, 1000);
  auto& one = replica("c-1", {proxy.redis_url(), "http://127.0.0.1:1", "key"});
  ASSERT_TRUE(until([&] { return one.lines->count("generation_check_failed") == 1; }));
  EXPECT_EQ(generation(), "(nil)");
  EXPECT_TRUE(one.leads());
}

TEST_F(GenerationTest, AHubWithoutGenerationsLeavesItToRedis) {
  auto& one = begin(at_foreign());
  const auto number = std::stoll(generation().substr(generation().rfind(':') + 1));
  EXPECT_NEAR(static_cast<double>(number), to_unix(system_clock().wall()), 30);
  const auto first = generation();
  proxy.cut();
  ASSERT_TRUE(until([&] { return one.redis.connections() == 2; }));
  pass(1200ms);
  EXPECT_EQ(generation(), first);
}

TEST_F(GenerationTest, AStaleLeaderCannotSetIt) {
  Replica parts(ioc, "c-1", at_foreign());
  parts.redis.start();
  ask({"SET", "coordinator:epoch", "5"});
  GenerationCheck check(parts.queue, parts.redis, parts.hub, 4, system_clock(), parts.random,
                        parts.log);
  run(check.check());
  EXPECT_EQ(generation(), "(nil)");
  run(parts.redis.stop());
}

}  // namespace
}  // namespace botburrow::coordinator
