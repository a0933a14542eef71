#include "base/error.hpp"
#include "queue/election.hpp"
#include "queue_fixture.hpp"

#include <filesystem>
#include <functional>

namespace botburrow::queue {
namespace {

/// A server of its own whose disk can be taken away.
class FullDisk : public ::testing::Test {
 protected:
  FullDisk() {
    redis.start();
    server.ask({"SET", "work:generation", "set:1"});
    server.ask({"CONFIG", "SET", "save", "3600 1"});
  }
  ~FullDisk() override { run(redis.stop()); }
  template <class T>
  T run(Task<T> task) {
    return test::run_task(ioc, std::move(task));
  }
  // A folder that is gone fails every save, root's too.
  void take_away() {
    const auto lost = server.folder() / "lost";
    std::filesystem::create_directory(lost);
    server.ask({"CONFIG", "SET", "dir", lost.string()});
    std::filesystem::remove(lost);
    server.ask({"BGSAVE"});
    ASSERT_TRUE(test::run_until(ioc, [&] { return !redis.usable(); }));
  }
  void give_back() {
    server.ask({"CONFIG", "SET", "dir", server.folder().string()});
    server.ask({"BGSAVE"});
    ASSERT_TRUE(test::run_until(ioc, [&] { return redis.usable(); }));
  }
  std::string digest() { return server.ask({"DEBUG", "DIGEST"}).str(); }
  WorkItem item(const std::string& agent) {
    return {.agent_id = AgentId(agent), .agent_name = agent};
  }
  ClaimRequest request() {
    return {.runner_id = RunnerId("r"), .activation_id = ActivationId(random.uuid4())};
  }

  test::PrivateRedis server{
      {.extra = {"--enable-protected-configs", "yes", "--enable-debug-command", "yes"}}};
  boost::asio::io_context ioc;
  SeededRandom random{3};
  net::Redis redis{ioc.get_executor(), server.address(), {}, Log::none(), random};
  RedisWorkQueue queue{redis, redis, system_clock(), Log::none(), nullptr, {}};
  RedisElection election{redis, "incarnation", "pod"};
};

TEST_F(FullDisk, EveryTransitionIsRefusedWholeAndGoesOnAfterwards) {
  ASSERT_EQ(run(election.take(run(election.observe()))), 1);
  run(queue.enqueue({item("a"), item("b"), item("c")}, {.epoch = 1}));
  const auto a = run(queue.claim(request())).value();
  const auto b = run(queue.claim(request())).value();
  const auto lease = run(queue.leases()).at(0);
  take_away();
  const auto before = digest();

  const std::vector<std::pair<const char*, std::function<void()>>> transitions = {
      {"enqueue", [&] { run(queue.enqueue({item("d")}, {.epoch = 1})); }},
      {"claim", [&] { run(queue.claim(request())); }},
      {"renew", [&] { run(queue.renew({ref_of(a)})); }},
      {"complete", [&] { run(queue.complete({.lease = ref_of(a), .next = request()})); }},
      {"hand back", [&] { run(queue.hand_back({.lease = ref_of(b)})); }},
      {"reap", [&] { run(queue.reap({.epoch = 1, .lease = lease})); }},
      {"leader renew", [&] { run(election.renew(1, Deadline::in(5s))); }},
      {"generation set", [&] { run(queue.set_generation(1, "set:1", {"set", 2})); }},
  };
  for (const auto& [name, transition] : transitions) {
    try {
      transition();
      ADD_FAILURE() << name << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), errc::redis_unavailable) << name;
      EXPECT_EQ(error.detail(), "MISCONF") << name;
    }
    EXPECT_EQ(digest(), before) << name << " left something half done";
  }

  give_back();
  EXPECT_TRUE(run(queue.complete({.lease = ref_of(a)})).ok);
  EXPECT_TRUE(run(queue.hand_back({.lease = ref_of(b)})));
  EXPECT_EQ(run(queue.claim(request()))->item.agent_id.str(), "b");
}

}  // namespace
}  // namespace botburrow::queue
