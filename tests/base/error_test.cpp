#include "base/error.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <gtest/gtest.h>

#include <stdexcept>

namespace botburrow {
namespace {

template <class Thrown>
std::exception_ptr thrown(Thrown what) {
  return std::make_exception_ptr(std::move(what));
}

TEST(Error, KeepsEverythingWhenContextIsAdded) {
  Error inner(errc::http_status, "GET /x: 503", Retry::after_backoff);
  inner.with_status(503).with_retry_after(2.5).with_detail("overloaded");

  const Error outer = in("loading agent scribe", inner);

  EXPECT_STREQ(outer.what(), "loading agent scribe: GET /x: 503");
  EXPECT_EQ(outer.code(), errc::http_status);
  EXPECT_EQ(outer.retry(), Retry::after_backoff);
  EXPECT_EQ(outer.status(), 503);
  EXPECT_EQ(outer.retry_after(), 2.5);
  EXPECT_EQ(outer.detail(), "overloaded");
}

TEST(Error, IsNotToBeRepeatedUnlessItSaysSo) {
  const Error error(errc::bad_input, "no");

  EXPECT_EQ(error.retry(), Retry::never);
  EXPECT_EQ(error.status(), 0);
  EXPECT_FALSE(error.retry_after());
}

TEST(Error, AnyExceptionCanBeDescribed) {
  EXPECT_EQ(describe(thrown(Error(errc::io, "disk full"))), "disk full");
  EXPECT_EQ(describe(thrown(std::runtime_error("odd"))), "odd");
  EXPECT_EQ(describe(thrown(42)), "unknown failure");
  EXPECT_EQ(describe(nullptr), "");
}

TEST(Error, OnlyAnAbortedWaitIsACancellation) {
  using boost::system::system_error;

  EXPECT_TRUE(is_cancellation(thrown(system_error(boost::asio::error::operation_aborted))));
  EXPECT_FALSE(is_cancellation(thrown(system_error(boost::asio::error::connection_reset))));
  EXPECT_FALSE(is_cancellation(thrown(Error(errc::cancelled_by_owner, "stopped"))));
  EXPECT_FALSE(is_cancellation(thrown(42)));
  EXPECT_FALSE(is_cancellation(nullptr));
}

TEST(ErrorDeathTest, AnImpossibleStateAbortsWithOneLine) {
  EXPECT_DEATH(BB_ASSERT(1 == 2), "impossible state: 1 == 2 \\(.*error_test.cpp:[0-9]+\\)");
}

}  // namespace
}  // namespace botburrow
