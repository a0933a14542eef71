#include "base/deadline.hpp"

#include "base/error.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/redirect_error.hpp>
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

struct WithDeadline : testing::Test {
  asio::io_context io;
  std::vector<std::string> seen;
};

Task<int> seven() {
  co_await yield_once();
  co_return 7;
}

Task<int> noted_wait(std::vector<std::string>& seen) {
  std::exception_ptr failure;
  try {
    co_await sleep_for(24h);
  } catch (...) {
    failure = std::current_exception();
  }
  seen.push_back(is_cancellation(failure) ? "cancelled" : "ended");
  if (failure) std::rethrow_exception(failure);
  co_return 0;
}

// Takes something although it is told to stop, as a reply that arrives at the last moment does.
Task<int> takes_when_cancelled() {
  boost::system::error_code aborted;
  asio::steady_timer timer(co_await asio::this_coro::executor, 24h);
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, aborted));
  co_return 7;
}

TEST_F(WithDeadline, AResultInTimeIsTheResult) {
  EXPECT_EQ(run_task(io, with_deadline("it", Deadline::in(1h), seven())), 7);
  EXPECT_EQ(run_task(io, with_deadline("it", Deadline::never(), seven())), 7);
  run_task(io, with_deadline("it", Deadline::in(1h), yield_once()));
}

TEST_F(WithDeadline, TimeOutCancelsAndSaysWhat) {
  try {
    run_task(io, with_deadline("the child", Deadline::in(5ms), noted_wait(seen)));
    FAIL() << "no time-out";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::timeout);
    EXPECT_EQ(error.message(), "the child: timed out");
    EXPECT_EQ(error.retry(), Retry::after_backoff);
  }
  EXPECT_THAT(seen, ElementsAre("cancelled"));
}

TEST_F(WithDeadline, AResultThatComesWithTheTimeOutIsNotDropped) {
  EXPECT_EQ(run_task(io, with_deadline("it", Deadline::in(5ms), takes_when_cancelled())), 7);
}

TEST_F(WithDeadline, WorkBeginsEvenIfTimeIsOverAlready) {
  bool begun = false;
  const auto work = [&]() -> Task<> {
    begun = true;
    co_return;
  };

  EXPECT_NO_THROW(run_task(io, with_deadline("it", Deadline::in(-1h), work())));
  EXPECT_TRUE(begun);
  EXPECT_THROW(run_task(io, with_deadline("it", Deadline::in(-1h), noted_wait(seen))), Error);
}

TEST_F(WithDeadline, AFailureOfTheWorkPassesThrough) {
  const auto fails = []() -> Task<int> {
    co_await yield_once();
    throw Error(errc::io, "no disk");
  };
  try {
    run_task(io, with_deadline("it", Deadline::in(1h), fails()));
    FAIL() << "no failure";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::io);
  }
}

TEST_F(WithDeadline, CancellingTheCallerCancelsTheWorkAndIsNoTimeOut) {
  TaskGroup group(io.get_executor());
  std::exception_ptr failure;
  group.spawn("caller", [&]() -> Task<> {
    try {
      co_await with_deadline("it", Deadline::in(1h), noted_wait(seen));
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
}

TEST_F(WithDeadline, WorkDeafToCancellationIsWaitedFor) {
  EXPECT_EQ(run_task(io, with_deadline("it", Deadline::in(1ms),
                                       []() -> Task<int> {
                                         co_await shielded(sleep_for(30ms));
                                         co_return 7;
                                       }())),
            7);
}

}  // namespace
}  // namespace botburrow
