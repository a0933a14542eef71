#include "base/task.hpp"
#include "queue/lease_watch.hpp"
#include "queue_fixture.hpp"

#include <map>
#include <set>

namespace botburrow::queue {
namespace {

class Races : public QueueTest {};

TEST_F(Races, ManyRunnersTakeEachItemOnce) {
  constexpr int kItems = 400;
  std::vector<WorkItem> items;
  for (int i = 0; i < kItems; ++i)
    items.push_back(i % 2 == 0 ? inbox(fmt::format("a{}", i)) : discovery(fmt::format("a{}", i)));
  run(queue.enqueue(items, {}));

  // Eight connections, eight runners on each: what interleaves is decided by the server.
  std::multiset<std::string> taken;
  std::set<std::int64_t> fences;
  std::vector<std::unique_ptr<net::Redis>> connections;
  std::vector<std::unique_ptr<RedisWorkQueue>> queues;
  TaskGroup group(ioc.get_executor());
  for (int i = 0; i < 8; ++i) {
    connections.push_back(std::make_unique<net::Redis>(ioc.get_executor(), server().address(),
                                                       net::Redis::Options{}, Log::none(), random));
    connections.back()->start();
    queues.push_back(std::make_unique<RedisWorkQueue>(*connections.back(), waits, system_clock(),
                                                      Log::none(), nullptr,
                                                      RedisWorkQueue::Options{}));
    for (int j = 0; j < 8; ++j) {
      group.spawn("runner", [&, i]() -> Task<> {
        const ClaimRequest first = request();
        auto claimed = co_await queues[i]->claim(first);
        while (claimed) {
          taken.insert(claimed->item.agent_id.str());
          fences.insert(claimed->fence.counter);
          Completion completion{.lease = ref_of(*claimed)};
          completion.next = request();
          const auto answer = co_await queues[i]->complete(completion);
          EXPECT_TRUE(answer.ok);
          claimed = answer.next;
        }
      });
    }
  }
  run(group.join());
  for (auto& connection : connections)
    run(connection->stop());

  EXPECT_EQ(taken.size(), static_cast<std::size_t>(kItems));
  EXPECT_EQ(std::set<std::string>(taken.begin(), taken.end()).size(),
            static_cast<std::size_t>(kItems));
  EXPECT_EQ(fences.size(), static_cast<std::size_t>(kItems));
  EXPECT_EQ(ask({"HGET", "work:stats", "done"}), std::to_string(kItems));
}

class RandomWalk : public QueueTest, public ::testing::WithParamInterface<int> {
 protected:
  std::uint64_t pick(std::uint64_t below) { return dice.next() % below; }
  std::string agent() { return fmt::format("agent-{}", pick(12)); }

  void check_invariants() {
    const Census census = run(view.census());
    ASSERT_TRUE(census.closes()) << fmt::format("enqueued {} waiting {} leased {} dead {} done {}",
                                                census.enqueued, census.waiting, census.leased,
                                                census.dead, census.done);
    // At most one waiting element an agent, and the index tells the same.
    std::multiset<std::string> waiting;
    for (const Waiting& entry : run(view.waiting(std::nullopt, 1000)))
      waiting.insert(entry.item->agent_id.str());
    for (const Waiting& entry : run(view.deferred(1000)))
      waiting.insert(entry.item->agent_id.str());
    ASSERT_EQ(waiting.size(), std::set<std::string>(waiting.begin(), waiting.end()).size());
    ASSERT_EQ(ask({"HLEN", "work:queued"}), std::to_string(waiting.size()));
    ASSERT_EQ(ask({"HLEN", "work:active"}), ask({"HLEN", "work:leases"}));
    ASSERT_EQ(ask({"HLEN", "work:active"}), std::to_string(held.size()));
  }

  void step() {
    switch (pick(9)) {
      case 0:
      case 1:
      case 2: {
        const WorkItem item =
            pick(2) == 0 ? inbox(agent())
                         : discovery(agent(), pick(2) == 0 ? Priority::normal : Priority::low);
        enqueue(item, {.force = pick(2) == 0, .mark = pick(2) == 0});
        break;
      }
      case 3:
      case 4: {
        ClaimRequest asked = request();
        auto claimed = run(queue.claim(asked));
        if (pick(2) == 0) {
          asked.retry = true;
          const auto again = run(queue.claim(asked));
          ASSERT_TRUE(!claimed || again->fence == claimed->fence);
          claimed = again;
        }
        if (claimed) {
          ASSERT_FALSE(held.contains(claimed->item.agent_id.str()));
          ASSERT_GT(claimed->fence, last_fence);
          last_fence = claimed->fence;
          held.emplace(claimed->item.agent_id.str(), *claimed);
        }
        break;
      }
      case 5:
        end([this](const Claim& claim) {
          const auto outcome = static_cast<Outcome>(pick(6));
          const auto hold_off = pick(4) == 0 ? 60s : 0s;
          complete(claim, outcome, hold_off);
          if (pick(2) == 0) complete(claim, outcome, hold_off);
        });
        break;
      case 6:
        end([this](const Claim& claim) {
          const HandBack back{.lease = ref_of(claim),
                              .reason = static_cast<HandBackReason>(pick(4))};
          run(queue.hand_back(back));
          if (pick(2) == 0) run(queue.hand_back(back));
        });
        break;
      case 7:
        end([this](const Claim& claim) {
          if (pick(4) == 0) run(view.stop_activation(claim.activation_id));
          reap(claim.item.agent_id.str());
          if (pick(2) == 0) reap(claim.item.agent_id.str());
        });
        break;
      default:
        if (pick(4) == 0) ask({"DEL", "work:backoff"});
        // Time passes: what is deferred becomes due.
        for (const Waiting& entry : run(view.deferred(10)))
          ask({"ZADD", "work:deferred", "1", entry.element});
        run(queue.sweep(1, pick(2) == 0));
        if (pick(6) == 0) {
          const auto dead = run(view.dead(0, 1));
          if (!dead.empty())
            pick(2) == 0 ? (void)run(view.retry_dead(dead[0].id))
                         : (void)run(view.clear_dead(dead[0].id));
        }
    }
  }

  void end(const std::function<void(const Claim&)>& how) {
    if (held.empty()) return;
    auto chosen = std::next(held.begin(), static_cast<std::ptrdiff_t>(pick(held.size())));
    how(chosen->second);
    held.erase(chosen);
  }

  SeededRandom dice{static_cast<std::uint64_t>(GetParam())};
  std::map<std::string, Claim> held;
  Fence last_fence;
};

TEST_P(RandomWalk, KeepsEveryItemInExactlyOnePlace) {
  for (int i = 0; i < 400 && !HasFatalFailure(); ++i) {
    SCOPED_TRACE(fmt::format("seed {} step {}", GetParam(), i));
    step();
    check_invariants();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomWalk, ::testing::Range(1, 7));

/// A server of its own that is killed while work goes on; with the append-only file it comes back.
TEST(RacesWithKills, NoAcknowledgedItemIsLostAndNoneRunsTwiceAtATime) {
  test::PrivateRedis server({.appendonly = true});
  boost::asio::io_context ioc;
  SeededRandom random(7);
  net::Redis redis(ioc.get_executor(), server.address(), {}, Log::none(), random);
  net::Redis waits(ioc.get_executor(), server.address(), {}, Log::none(), random);
  redis.start();
  waits.start();
  RedisWorkQueue queue(redis, waits, system_clock(), Log::none(), nullptr, {.call_timeout = 10s});
  OperatorView view(redis, Log::none());
  server.ask({"SET", "work:generation", "set:1"});

  constexpr int kItems = 300;
  std::set<std::string> done;
  std::set<std::string> running;
  int enqueued = 0;
  TaskGroup group(ioc.get_executor());
  group.spawn("producer", [&]() -> Task<> {
    for (int i = 0; i < kItems; ++i) {
      std::vector<WorkItem> items(1);
      items[0].agent_id = AgentId(fmt::format("a{}", i));
      items[0].agent_name = "a";
      co_await queue.enqueue(items, {});
      ++enqueued;
    }
  });
  for (int r = 0; r < 6; ++r) {
    group.spawn("runner", [&]() -> Task<> {
      while (done.size() < kItems) {
        ClaimRequest asked{.runner_id = RunnerId("r"),
                           .activation_id = ActivationId(random.uuid4())};
        const auto claimed = co_await queue.claim(asked);
        if (!claimed) {
          co_await queue.wait_for_work(RunnerMode::hybrid, 20ms);
          continue;
        }
        EXPECT_TRUE(running.insert(claimed->item.agent_id.str()).second);
        co_await sleep_for(1ms);
        Completion completion{.lease = ref_of(*claimed)};
        co_await queue.complete(completion);
        running.erase(claimed->item.agent_id.str());
        EXPECT_TRUE(done.insert(claimed->item.agent_id.str()).second);
      }
    });
  }
  for (int kill = 1; kill <= 5; ++kill) {
    ASSERT_TRUE(
        test::run_until(ioc, [&] { return done.size() >= static_cast<std::size_t>(kill * 50); }));
    server.restart();
  }
  test::run_task(ioc, group.join());
  EXPECT_EQ(done.size(), static_cast<std::size_t>(kItems));
  EXPECT_EQ(enqueued, kItems);
  const Census census = test::run_task(ioc, view.census());
  EXPECT_TRUE(census.closes());
  EXPECT_EQ(census.done, kItems);
  test::run_task(ioc, redis.stop());
  test::run_task(ioc, waits.stop());
}

}  // namespace
}  // namespace botburrow::queue
