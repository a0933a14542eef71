#include "base/task.hpp"

#include "base/error.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace botburrow {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::run_task;
using testing::ElementsAre;

/// An event of a test that a coroutine waits for, deaf to nothing.
class Gate {
 public:
  explicit Gate(asio::io_context& io) : timer_(io, asio::steady_timer::time_point::max()) {}
  void open() {
    open_ = true;
    timer_.cancel();
  }
  Task<> wait() {
    while (!open_) {
      boost::system::error_code error;
      try {
        co_await timer_.async_wait(asio::use_awaitable);
      } catch (const boost::system::system_error& failure) {
        error = failure.code();
      }
      if (error && !open_) throw boost::system::system_error(error);
    }
  }

 private:
  asio::steady_timer timer_;
  bool open_ = false;
};

struct TaskTest : testing::Test {
  asio::io_context io;
  std::vector<std::string> seen;
};

Task<> wait_for_ever(std::vector<std::string>& seen, std::string name) {
  std::string end = "ended";
  try {
    co_await sleep_for(24h);
  } catch (...) {
    end = is_cancellation(std::current_exception()) ? "cancelled" : "failed";
  }
  seen.push_back(name + " " + end);
}

using TaskGroupTest = TaskTest;

TEST_F(TaskGroupTest, CancelReachesEveryTaskAndJoinWaitsForThem) {
  TaskGroup group(io.get_executor());
  group.spawn("a", [&] { return wait_for_ever(seen, "a"); });
  group.spawn("b", [&] { return wait_for_ever(seen, "b"); });
  EXPECT_EQ(group.size(), 2U);

  run_task(io, group.stop());

  EXPECT_THAT(seen, ElementsAre("a cancelled", "b cancelled"));
  EXPECT_EQ(group.size(), 0U);
}

TEST_F(TaskGroupTest, JoinWaitsForTasksThatEndByThemselves) {
  TaskGroup group(io.get_executor());
  Gate gate(io);
  group.spawn("slow", [&]() -> Task<> {
    co_await gate.wait();
    seen.push_back("slow");
  });

  run_task(io, [&]() -> Task<> {
    asio::post(io, [&] { gate.open(); });
    co_await group.join();
    seen.push_back("joined");
  });

  EXPECT_THAT(seen, ElementsAre("slow", "joined"));
}

TEST_F(TaskGroupTest, SeveralMayJoin) {
  TaskGroup group(io.get_executor());
  group.spawn("a", [&] { return wait_for_ever(seen, "a"); });
  TaskGroup joiners(io.get_executor());
  joiners.spawn("first", [&] { return group.join(); });
  joiners.spawn("second", [&] { return group.join(); });

  group.cancel();

  run_task(io, joiners.join());
  EXPECT_EQ(group.size(), 0U);
}

TEST_F(TaskGroupTest, AFailureIsReportedOnceWithItsName) {
  TaskGroup group(io.get_executor(), [&](const std::string& name, std::exception_ptr failure) {
    seen.push_back(name + ": " + describe(failure));
  });
  group.spawn("early", []() -> Task<> {
    throw Error(errc::io, "no disk");
    co_return;
  });
  group.spawn("late", []() -> Task<> {
    co_await yield_once();
    throw Error(errc::io, "no net");
  });
  group.spawn("fine", []() -> Task<> { co_await yield_once(); });
  group.spawn("ever", [] { return sleep_for(24h); });

  run_task(io, [&]() -> Task<> {
    for (int i = 0; i < 5; ++i)
      co_await yield_once();
    co_await group.stop();
  });

  EXPECT_THAT(seen, testing::UnorderedElementsAre("early: no disk", "late: no net"));
}

TEST_F(TaskGroupTest, AFailureHandlerMaySpawnATaskAnew) {
  int runs = 0;
  std::function<Task<>()> body = [&]() -> Task<> {
    co_await yield_once();
    if (++runs < 3) throw Error(errc::io, "again");
  };
  TaskGroup* self = nullptr;
  TaskGroup group(io.get_executor(),
                  [&](const std::string& name, std::exception_ptr) { self->spawn(name, body); });
  self = &group;
  group.spawn("phoenix", body);

  run_task(io, group.join());

  EXPECT_EQ(runs, 3);
}

TEST_F(TaskGroupTest, ATaskSpawnedAfterCancelEndsAtItsFirstWait) {
  TaskGroup group(io.get_executor());
  group.cancel();

  run_task(io, [&]() -> Task<> {
    group.spawn("late", [&]() -> Task<> {
      seen.push_back("ran");
      co_await wait_for_ever(seen, "late");
    });
    co_await group.join();
  });

  EXPECT_THAT(seen, ElementsAre("ran", "late cancelled"));
}

TEST_F(TaskGroupTest, ATaskCancelledBeforeItsThreadRanEndsAtItsFirstWait) {
  TaskGroup group(io.get_executor());
  group.spawn("early", [&] { return wait_for_ever(seen, "early"); });
  group.cancel();

  run_task(io, group.join());

  EXPECT_THAT(seen, ElementsAre("early cancelled"));
}

TEST_F(TaskGroupTest, TasksMaySpawnTasksWhileTheyAreCancelled) {
  TaskGroup group(io.get_executor());
  group.spawn("parent", [&]() -> Task<> {
    co_await wait_for_ever(seen, "parent");
    group.spawn("child", [&] { return wait_for_ever(seen, "child"); });
  });

  run_task(io, group.stop());

  EXPECT_THAT(seen, ElementsAre("parent cancelled", "child cancelled"));
}

TEST_F(TaskGroupTest, ABodyLivesUntilItsTaskEnds) {
  TaskGroup group(io.get_executor());
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> watch = held;
  Gate gate(io);
  group.spawn("holder", [held = std::move(held), &gate, this]() -> Task<> {
    co_await gate.wait();
    seen.push_back(std::to_string(*held));
  });

  run_task(io, [&]() -> Task<> {
    co_await yield_once();
    EXPECT_FALSE(watch.expired());
    gate.open();
    co_await group.join();
  });

  EXPECT_TRUE(watch.expired());
  EXPECT_THAT(seen, ElementsAre("1"));
}

TEST_F(TaskGroupTest, JoinGoesOnWhenItsCallerIsCancelled) {
  TaskGroup group(io.get_executor());
  Gate gate(io);
  group.spawn("slow", [&]() -> Task<> { co_await shielded(gate.wait()); });
  TaskGroup outer(io.get_executor());
  outer.spawn("owner", [&]() -> Task<> {
    co_await group.stop();
    seen.push_back("joined");
    co_await yield_once();
    seen.push_back("not reached");
  });

  run_task(io, [&]() -> Task<> {
    co_await yield_once();
    outer.cancel();
    for (int i = 0; i < 5; ++i)
      co_await yield_once();
    EXPECT_EQ(outer.size(), 1U);
    gate.open();
    co_await outer.join();
  });

  EXPECT_THAT(seen, ElementsAre("joined"));
}

using TaskGroupDeathTest = TaskTest;

TEST_F(TaskGroupDeathTest, ForgettingToJoinIsFatal) {
  EXPECT_DEATH(
      {
        TaskGroup group(io.get_executor());
        group.spawn("orphan", [] { return sleep_for(24h); });
      },
      "impossible state");
}

using Shielded = TaskTest;

TEST_F(Shielded, WorkEndsAndTheCallerLearnsAtItsNextWait) {
  Gate gate(io);
  TaskGroup group(io.get_executor());
  group.spawn("caller", [&]() -> Task<> {
    co_await shielded([](Gate& its_gate, std::vector<std::string>& its_seen) -> Task<> {
      co_await its_gate.wait();
      co_await yield_once();
      its_seen.push_back("work done");
    }(gate, seen));
    seen.push_back("back");
    co_await yield_once();
    seen.push_back("not reached");
  });

  run_task(io, [&]() -> Task<> {
    co_await yield_once();
    group.cancel();
    for (int i = 0; i < 5; ++i)
      co_await yield_once();
    EXPECT_THAT(seen, ElementsAre());
    gate.open();
    co_await group.join();
  });

  EXPECT_THAT(seen, ElementsAre("work done", "back"));
}

TEST_F(Shielded, AFailureOfTheWorkPassesThrough) {
  EXPECT_THROW(run_task(io, shielded([]() -> Task<> {
                          co_await yield_once();
                          throw Error(errc::io, "no");
                        }())),
               Error);
}

TEST_F(Shielded, LeavesTheCallerCancellable) {
  TaskGroup group(io.get_executor());
  group.spawn("caller", [&]() -> Task<> {
    co_await shielded(yield_once());
    co_await wait_for_ever(seen, "caller");
  });

  run_task(io, [&]() -> Task<> {
    for (int i = 0; i < 5; ++i)
      co_await yield_once();
    co_await group.stop();
  });

  EXPECT_THAT(seen, ElementsAre("caller cancelled"));
}

// The form of a cleanup: what follows a wait that was cancelled.
Task<> cleaned(std::vector<std::string>& seen) {
  std::exception_ptr failure;
  try {
    co_await sleep_for(24h);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await shielded([](std::vector<std::string>& its_seen) -> Task<> {
    co_await yield_once();
    co_await yield_once();
    its_seen.push_back("cleaned");
  }(seen));
  co_await asio::this_coro::throw_if_cancelled(true);
  if (failure) std::rethrow_exception(failure);
}

TEST_F(Shielded, CleansUpForACallerThatIsCancelledAlready) {
  TaskGroup group(io.get_executor());
  group.spawn("caller", [&]() -> Task<> {
    bool was_cancelled = false;
    try {
      co_await cleaned(seen);
    } catch (...) {
      was_cancelled = is_cancellation(std::current_exception());
    }
    seen.push_back(was_cancelled ? "passed on" : "swallowed");
    co_await yield_once();
    seen.push_back("not reached");
  });

  run_task(io, [&]() -> Task<> {
    co_await yield_once();
    co_await group.stop();
  });

  EXPECT_THAT(seen, ElementsAre("cleaned", "passed on"));
}

// Two facts about Asio that the rules of this house rest on. Should one of them stop being true,
// the rules may be relaxed.
TEST_F(Shielded, ACancelledCallerCannotEvenBeginToAwait) {
  TaskGroup group(io.get_executor());
  group.spawn("caller", [&]() -> Task<> {
    co_await wait_for_ever(seen, "caller");
    co_await shielded([](std::vector<std::string>& its_seen) -> Task<> {
      its_seen.push_back("never begun");
      co_return;
    }(seen));
  });

  run_task(io, [&]() -> Task<> {
    co_await yield_once();
    co_await group.stop();
  });

  EXPECT_THAT(seen, ElementsAre("caller cancelled"));
}

Task<> resets_in_the_middle() {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
}

TEST_F(Shielded, ResettingTheStateDeafensTheCallersTooAndForGood) {
  TaskGroup group(io.get_executor());
  Gate gate(io);
  group.spawn("caller", [&]() -> Task<> {
    co_await resets_in_the_middle();
    co_await gate.wait();
    seen.push_back("not cancelled");
  });

  run_task(io, [&]() -> Task<> {
    co_await yield_once();
    group.cancel();
    for (int i = 0; i < 5; ++i)
      co_await yield_once();
    gate.open();
    co_await group.join();
  });

  EXPECT_THAT(seen, ElementsAre("not cancelled"));
}

using Sleep = TaskTest;

TEST_F(Sleep, LastsItsTime) {
  const auto begun = BootClock::now();
  run_task(io, sleep_for(20ms));
  EXPECT_GE(BootClock::now() - begun, 20ms);
  run_task(io, sleep_for(-1h));
  run_task(io, sleep_for(0ns));
}

TEST_F(Sleep, OfAnyLengthCanBeCancelled) {
  TaskGroup group(io.get_executor());
  group.spawn("long", [] { return sleep_for(std::chrono::nanoseconds::max()); });

  run_task(io, [&]() -> Task<> {
    for (int i = 0; i < 5; ++i)
      co_await yield_once();
    EXPECT_EQ(group.size(), 1U);
    co_await group.stop();
  });
}

}  // namespace
}  // namespace botburrow
