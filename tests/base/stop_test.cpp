#include "base/stop.hpp"

#include "base/error.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace botburrow {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using test::run_task;
using testing::ElementsAre;

struct RunBounded : testing::Test {
  asio::io_context io;
  StopSource stop{io.get_executor()};
  std::vector<std::string> seen;

  Task<> noted_wait() {
    std::exception_ptr failure;
    try {
      co_await sleep_for(24h);
    } catch (...) {
      failure = std::current_exception();
    }
    seen.push_back(is_cancellation(failure) ? "cancelled" : "ended");
    if (failure) std::rethrow_exception(failure);
  }

  Task<> ends_well_when_cancelled() {
    boost::system::error_code aborted;
    asio::steady_timer timer(co_await asio::this_coro::executor, 24h);
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, aborted));
  }
};

TEST_F(RunBounded, WorkThatEndsByItselfIsDone) {
  EXPECT_EQ(run_task(io, run_bounded(yield_once(), Deadline::in(1h), stop)), BoundedEnd::done);
  EXPECT_EQ(run_task(io, run_bounded(yield_once(), Deadline::never(), stop)), BoundedEnd::done);
}

TEST_F(RunBounded, TheDeadlineCancels) {
  EXPECT_EQ(run_task(io, run_bounded(noted_wait(), Deadline::in(5ms), stop)), BoundedEnd::deadline);
  EXPECT_THAT(seen, ElementsAre("cancelled"));
}

TEST_F(RunBounded, StopCancels) {
  asio::post(io, [&] { stop.stop(); });

  EXPECT_EQ(run_task(io, run_bounded(noted_wait(), Deadline::in(1h), stop)), BoundedEnd::stopped);
  EXPECT_THAT(seen, ElementsAre("cancelled"));
}

TEST_F(RunBounded, AStopFromBeforeIsHeeded) {
  stop.stop();
  stop.stop();

  EXPECT_TRUE(stop.stopped());
  EXPECT_EQ(run_task(io, run_bounded(noted_wait(), Deadline::in(1h), stop)), BoundedEnd::stopped);
  EXPECT_THAT(seen, ElementsAre("cancelled"));
}

TEST_F(RunBounded, WorkThatEndsInTheSameMomentIsDone) {
  stop.stop();

  EXPECT_EQ(run_task(io, run_bounded(ends_well_when_cancelled(), Deadline::in(1h), stop)),
            BoundedEnd::done);
  StopSource never(io.get_executor());
  EXPECT_EQ(run_task(io, run_bounded(ends_well_when_cancelled(), Deadline::in(1ms), never)),
            BoundedEnd::done);
}

TEST_F(RunBounded, WhatTheWorkThrowsPassesThrough) {
  const auto fails = []() -> Task<> {
    co_await yield_once();
    throw Error(errc::io, "no disk");
  };
  EXPECT_THROW(run_task(io, run_bounded(fails(), Deadline::in(1h), stop)), Error);
}

TEST_F(RunBounded, AFailureWhileBeingStoppedIsAFailure) {
  stop.stop();
  const auto fails = [this]() -> Task<> {
    co_await ends_well_when_cancelled();
    throw Error(errc::io, "no disk");
  };
  EXPECT_THROW(run_task(io, run_bounded(fails(), Deadline::in(1h), stop)), Error);
}

TEST_F(RunBounded, ACancelledCallerCancelsTheWork) {
  TaskGroup group(io.get_executor());
  std::exception_ptr failure;
  group.spawn("caller", [&]() -> Task<> {
    try {
      co_await run_bounded(noted_wait(), Deadline::in(1h), stop);
    } catch (...) {
      failure = std::current_exception();
    }
  });

  run_task(io, [&]() -> Task<> {
    co_await yield_once();
    co_await group.stop();
  });

  EXPECT_THAT(seen, ElementsAre("cancelled"));
  EXPECT_TRUE(is_cancellation(failure));
  EXPECT_FALSE(stop.stopped());
}

TEST_F(RunBounded, OneSourceStopsSeveral) {
  TaskGroup group(io.get_executor());
  std::vector<BoundedEnd> ends;
  for (int i = 0; i < 3; ++i) {
    group.spawn("bounded", [&]() -> Task<> {
      ends.push_back(co_await run_bounded(noted_wait(), Deadline::in(1h), stop));
    });
  }

  run_task(io, [&]() -> Task<> {
    co_await yield_once();
    stop.stop();
    co_await group.join();
  });

  EXPECT_THAT(ends, ElementsAre(BoundedEnd::stopped, BoundedEnd::stopped, BoundedEnd::stopped));
}

TEST_F(RunBounded, WaitingForAStopCanBeCancelled) {
  TaskGroup group(io.get_executor());
  group.spawn("waiter", [&] { return stop.wait(); });

  run_task(io, [&]() -> Task<> {
    co_await yield_once();
    co_await group.stop();
  });

  EXPECT_FALSE(stop.stopped());
}

}  // namespace
}  // namespace botburrow
