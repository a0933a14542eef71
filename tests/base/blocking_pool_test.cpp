#include "base/blocking_pool.hpp"

#include "base/error.hpp"
#include "tests/support/run_task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

namespace botburrow {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::run_task;

struct BlockingPoolTest : testing::Test {
  asio::io_context io;
};

struct NoDefault {
  explicit NoDefault(int given) : value(given) {}
  int value;
};

TEST_F(BlockingPoolTest, CallsRunElsewhereAndReturnHere) {
  BlockingPool pool(1);
  const auto here = std::this_thread::get_id();
  run_task(io, [&]() -> Task<> {
    const auto there = co_await pool.run([] { return std::this_thread::get_id(); });
    EXPECT_NE(there, here);
    EXPECT_EQ(std::this_thread::get_id(), here);
  });
}

TEST_F(BlockingPoolTest, ValuesOfAnyKindComeBack) {
  BlockingPool pool(1);
  run_task(io, [&]() -> Task<> {
    EXPECT_EQ((co_await pool.run([] { return NoDefault(7); })).value, 7);
    auto owned = std::make_unique<int>(3);
    const auto back =
        co_await pool.run([owned = std::move(owned)]() mutable { return std::move(owned); });
    EXPECT_EQ(*back, 3);
    bool ran = false;
    co_await pool.run([&ran] { ran = true; });
    EXPECT_TRUE(ran);
  });
}

TEST_F(BlockingPoolTest, WhatACallThrowsPassesThrough) {
  BlockingPool pool(1);
  EXPECT_THROW(run_task(io, pool.run([]() -> int { throw Error(errc::io, "disk full"); })), Error);
}

TEST_F(BlockingPoolTest, ACallUnderWayEndsAndTheCallerLearnsAtItsNextWait) {
  BlockingPool pool(1);
  TaskGroup group(io.get_executor());
  std::promise<void> started, let_go;
  std::vector<std::string> seen;
  group.spawn("caller", [&]() -> Task<> {
    const int value = co_await pool.run([&] {
      started.set_value();
      let_go.get_future().wait();
      return 7;
    });
    seen.push_back("got " + std::to_string(value));
    co_await yield_once();
    seen.push_back("not reached");
  });

  run_task(io, [&]() -> Task<> {
    co_await yield_once();
    started.get_future().wait();
    group.cancel();
    co_await yield_once();
    let_go.set_value();
    co_await group.join();
  });

  EXPECT_THAT(seen, testing::ElementsAre("got 7"));
}

TEST_F(BlockingPoolTest, ACallThatStillWaitsForAThreadIsDropped) {
  BlockingPool pool(1);
  TaskGroup blocker(io.get_executor());
  TaskGroup group(io.get_executor());
  std::promise<void> let_go;
  std::atomic<bool> ran = false;
  blocker.spawn("blocker", [&] { return pool.run([&] { let_go.get_future().wait(); }); });
  group.spawn("queued", [&] { return pool.run([&] { ran = true; }); });

  run_task(io, [&]() -> Task<> {
    co_await yield_once();
    group.cancel();
    let_go.set_value();
    co_await group.join();
    co_await blocker.join();
  });

  EXPECT_FALSE(ran);
}

TEST_F(BlockingPoolTest, ACallThatHangsIsLeftAlone) {
  std::promise<void> started, let_go;
  std::vector<std::string> seen;
  {
    BlockingPool pool(1);
    TaskGroup group(io.get_executor());
    const auto call = [&](const std::string& name) {
      return [&seen, &pool, name, work = [&] {
               started.set_value();
               let_go.get_future().wait();
               return 7;
             }]() -> Task<> {
        std::exception_ptr failure;
        try {
          co_await pool.run_or_leave(work);
        } catch (...) {
          failure = std::current_exception();
        }
        seen.push_back(name + (failure && is_cancellation(failure) ? " left" : " ended"));
      };
    };
    group.spawn("hanging", call("hanging"));
    group.spawn("queued", call("queued"));

    run_task(io, [&]() -> Task<> {
      co_await yield_once();
      started.get_future().wait();
      EXPECT_EQ(pool.under_way(), 1U);
      group.cancel();
      co_await group.join();
    });

    EXPECT_THAT(seen, testing::ElementsAre("hanging left", "queued left"));
    EXPECT_EQ(pool.under_way(), 1U) << "nothing can interrupt it";
    let_go.set_value();
  }
  io.restart();
  io.poll();
  EXPECT_EQ(seen.size(), 2U) << "what comes too late is dropped";
}

TEST_F(BlockingPoolTest, ACallThatIsNotLeftGivesItsResult) {
  BlockingPool pool(1);
  EXPECT_EQ(run_task(io, pool.run_or_leave([] { return 7; })), 7);
  EXPECT_THROW(run_task(io, pool.run_or_leave([]() -> int { throw Error(errc::io, "disk full"); })),
               Error);
  EXPECT_EQ(pool.under_way(), 0U);
}

TEST_F(BlockingPoolTest, NoMoreCallsRunAtOnceThanThereAreThreads) {
  BlockingPool pool(2);
  std::atomic<int> now = 0, most = 0;
  TaskGroup group(io.get_executor());
  for (int i = 0; i < 20; ++i) {
    group.spawn("call", [&] {
      return pool.run([&] {
        const int running = ++now;
        int seen = most;
        while (seen < running && !most.compare_exchange_weak(seen, running)) {
        }
        std::this_thread::yield();
        --now;
      });
    });
  }

  run_task(io, group.join());

  EXPECT_GE(most, 1);
  EXPECT_LE(most, 2);
}

TEST_F(BlockingPoolTest, WhatACallOwnsEndsBeforeItsCallerGoesOn) {
  BlockingPool pool(1);
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> watch = held;
  run_task(io, [&]() -> Task<> {
    co_await pool.run([held = std::move(held)] { return *held; });
    EXPECT_TRUE(watch.expired());
  });
}

}  // namespace
}  // namespace botburrow
