#include "queue_fixture.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <set>
#include <thread>

namespace botburrow::queue {
namespace {

constexpr int kItems = 300;
constexpr int kKills = 25;

/// A process that claims and ends what it finds, in every way, until it is killed.
class Victim {
 public:
  Victim(net::RedisAddress address, std::uint64_t seed) : pid_(::fork()) {
    if (pid_ == 0) work(address, seed);
  }
  ~Victim() { kill9(); }
  Victim(const Victim&) = delete;
  void kill9() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  [[noreturn]] static void work(const net::RedisAddress& address, std::uint64_t seed) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    boost::asio::io_context ioc;
    SeededRandom random(seed);
    net::Redis redis(ioc.get_executor(), address, {}, Log::none(), random);
    redis.start();
    RedisWorkQueue queue(redis, redis, system_clock(), Log::none(), nullptr, {});
    test::run_task(ioc, [&] { return take_and_end(queue, random); }, 60s);
    ::_exit(0);
  }
  static Task<> take_and_end(RedisWorkQueue& queue, Random& random) {
    for (;;) {
      auto claim = co_await queue.claim(next(random));
      if (!claim) co_await sleep_for(1ms);
      while (claim) {
        co_await queue.renew({ref_of(*claim)});
        if (random.next() % 8 != 0) {
          co_await queue.hand_back({.lease = ref_of(*claim)});
          break;
        }
        Completion completion{.lease = ref_of(*claim)};
        if (random.next() % 2 == 0) completion.next = next(random);
        claim = (co_await queue.complete(std::move(completion))).next;
      }
    }
  }
  static ClaimRequest next(Random& random) {
    return {.runner_id = RunnerId("victim"), .activation_id = ActivationId(random.uuid4())};
  }
  pid_t pid_;
};

class Kills : public QueueTest {
 protected:
  /// Which agents have an item somewhere, an item of each place: once if all is well.
  std::multiset<std::string> places() {
    std::multiset<std::string> found;
    for (const auto& one : run(view.waiting(std::nullopt, 1000)))
      found.insert(one.item->agent_id.str());
    for (const auto& one : run(view.deferred(1000)))
      found.insert(one.item->agent_id.str());
    for (const auto& one : run(queue.leases()))
      found.insert(one.agent_id.str());
    for (const auto& one : run(view.results(1000)))
      found.insert(one.agent_id.str());
    return found;
  }
  int claims() {
    const auto fence = ask({"GET", "work:fence"});
    return fence == "(nil)" ? 0 : std::stoi(fence);
  }
  /// What the leader does for the dead.
  void reap_all() {
    for (const auto& lease : run(queue.leases()))
      run(queue.reap({.epoch = 1, .lease = lease, .crash_attempts_max = 1000}));
    for (const auto& one : run(view.deferred(1000)))
      ask({"ZADD", "work:deferred", "1", one.element});
    run(queue.sweep(1, false));
  }
};

// Only what one script does as a whole survives this: nothing is half done in between.
TEST_F(Kills, ARunnerKilledAtAnyInstructionLosesNothing) {
  std::vector<WorkItem> items;
  for (int i = 0; i < kItems; ++i)
    items.push_back(inbox(fmt::format("agent-{}", i)));
  run(queue.enqueue(items, {}));

  for (int kill = 0; kill < kKills; ++kill) {
    const int before = claims();
    Victim victim(server().address(), random.next());
    ASSERT_TRUE(test::run_until(ioc, [&] { return claims() > before; }));
    std::this_thread::sleep_for(std::chrono::microseconds(random.next() % 2000));
    victim.kill9();
    // Answered once the server has done what it was sent before.
    ask({"PING"});
    const auto found = places();
    ASSERT_EQ(found.size(), static_cast<std::size_t>(kItems)) << "kill " << kill;
    ASSERT_EQ(std::set<std::string>(found.begin(), found.end()).size(), found.size());
    reap_all();
  }
  while (const auto rest = claim())
    EXPECT_TRUE(complete(*rest).ok);
  EXPECT_EQ(run(view.census()).done, kItems);
  EXPECT_EQ(run(view.results(1000)).size(), static_cast<std::size_t>(kItems));
}

}  // namespace
}  // namespace botburrow::queue
