#include "net/resolve.hpp"

#include "base/error.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::net {
namespace {

namespace asio = boost::asio;
using testing::HasSubstr;

TEST(Resolve, TakesAddressesAsTheyAre) {
  asio::io_context ioc;
  const auto found = test::run_task(ioc, resolve_tcp("::1", 6379));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].address().to_string(), "::1");
  EXPECT_EQ(found[0].port(), 6379);
}

TEST(Resolve, FindsNames) {
  asio::io_context ioc;
  const auto found = test::run_task(ioc, resolve_tcp("localhost", 80));
  ASSERT_FALSE(found.empty());
  EXPECT_TRUE(found[0].address().is_loopback());
  EXPECT_EQ(found[0].port(), 80);
}

TEST(Resolve, NamesTheHostThatIsNotThere) {
  asio::io_context ioc;
  try {
    test::run_task(ioc, resolve_tcp("no-such-host.invalid", 80));
    FAIL() << "found";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::io);
    EXPECT_EQ(error.retry(), Retry::after_backoff);
    EXPECT_THAT(error.message(), HasSubstr("no-such-host.invalid: "));
  }
}

TEST(Resolve, CancellingDoesNotWaitForTheAnswer) {
  asio::io_context ioc;
  asio::cancellation_signal signal;
  std::exception_ptr failure;
  bool done = false;
  asio::co_spawn(
      ioc, resolve_tcp("no-such-host.invalid", 80),
      asio::bind_cancellation_slot(signal.slot(),
                                   [&](std::exception_ptr f, std::vector<asio::ip::tcp::endpoint>) {
                                     failure = f;
                                     done = true;
                                   }));
  ioc.run_one();
  signal.emit(asio::cancellation_type::terminal);
  EXPECT_TRUE(test::run_until(ioc, [&] { return done; }));
  EXPECT_TRUE(failure);
}

TEST(Resolve, ALoopThatEndsDuringALookUpIsLeftAlone) {
  for (int i = 0; i < 50; ++i) {
    asio::io_context ioc;
    asio::co_spawn(ioc, resolve_tcp("localhost", 80),
                   [](std::exception_ptr, std::vector<asio::ip::tcp::endpoint>) {});
    ioc.run_one();
  }
}

}  // namespace
}  // namespace botburrow::net
