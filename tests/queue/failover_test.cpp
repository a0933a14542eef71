#include "base/error.hpp"
#include "queue_fixture.hpp"
#include "tests/support/sentinel_cluster.hpp"

namespace botburrow::queue {
namespace {

/// A queue under load on a master that is replaced: by a crash, and by order.
class QueueFailover : public ::testing::Test {
 protected:
  QueueFailover() {
    redis.start();
    waits.start();
  }
  ~QueueFailover() override {
    stopping = true;
    run(tasks.stop());
    run(redis.stop());
    run(waits.stop());
  }
  void SetUp() override {
    run(redis.command({"SET", "work:generation", "set:1"}, Deadline::in(10s)));
    run(redis.command({"SET", "coordinator:epoch", "1"}, Deadline::in(10s)));
    tasks.spawn("feed", [this] { return feed(); });
    for (int i = 0; i < 4; ++i)
      tasks.spawn("work", [this] { return work(); });
  }
  template <class T>
  T run(Task<T> task) {
    return test::run_task(ioc, std::move(task), 60s);
  }

  // Calls that fail are simply made again later, as services do.
  Task<> feed() {
    while (!stopping) {
      WorkItem item{.agent_id = AgentId(fmt::format("agent-{}", fed)),
                    .agent_name = fmt::format("agent-{}", fed)};
      bool fine = false;
      try {
        std::vector<WorkItem> items{std::move(item)};
        co_await queue.enqueue(std::move(items), {});
        fine = true;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), errc::redis_unavailable) << error.message();
      }
      fed += fine ? 1 : 0;
      co_await sleep_for(1ms);
    }
  }
  Task<> work() {
    while (!stopping) {
      try {
        auto claim = co_await queue.claim({.runner_id = RunnerId("runner-1"),
                                           .lease = 10s,
                                           .activation_id = ActivationId(random.uuid4())});
        if (claim && (co_await queue.complete({.lease = ref_of(*claim)})).ok) ++done;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), errc::redis_unavailable) << error.message();
      }
      co_await sleep_for(1ms);
    }
  }
  /// Work of after this moment is fed and done.
  bool goes_on(int more = 100) {
    const auto fed_before = fed;
    const auto done_before = done;
    return test::run_until(
        ioc, [&] { return fed >= fed_before + more && done >= done_before + more; }, 30s);
  }

  test::SentinelCluster cluster;
  boost::asio::io_context ioc{1};
  SeededRandom random{7};
  net::Redis redis{
      ioc.get_executor(), net::parse_redis_url(cluster.url()), {}, Log::none(), random};
  net::Redis waits{
      ioc.get_executor(), net::parse_redis_url(cluster.url()), {}, Log::none(), random};
  RedisWorkQueue queue{redis, waits, system_clock(), Log::none(), nullptr, {}};
  bool stopping = false;
  int fed = 0;
  int done = 0;
  TaskGroup tasks{ioc.get_executor()};
};

TEST_F(QueueFailover, SurvivesTheMastersDeath) {
  ASSERT_TRUE(goes_on());
  auto& second = cluster.other();
  cluster.master().kill9();
  ASSERT_TRUE(test::run_until(ioc, [&] { return redis.connections() >= 2; }));
  EXPECT_TRUE(goes_on()) << redis.last_error();
  EXPECT_EQ(second.ask({"ROLE"}).array()[0].str(), "master");
}

TEST_F(QueueFailover, SurvivesAFailoverByOrder) {
  ASSERT_TRUE(goes_on());
  auto& second = cluster.other();
  cluster.fail_over();
  ASSERT_TRUE(test::run_until(ioc, [&] {
    ioc.poll();
    return &cluster.master() == &second && redis.connections() >= 2;
  }));
  EXPECT_TRUE(goes_on()) << redis.last_error();
  EXPECT_EQ(second.ask({"ROLE"}).array()[0].str(), "master");
}

}  // namespace
}  // namespace botburrow::queue
