#include "base/cleanup.hpp"

#include "base/error.hpp"
#include "tests/support/run_task.hpp"

#include <gtest/gtest.h>

namespace botburrow {
namespace {

using namespace std::chrono_literals;

Task<int> seven() {
  co_return 7;
}
Task<int> failing() {
  co_await yield_once();
  throw Error(errc::io, "the disk is full");
}
Task<> slow() {
  co_await sleep_for(1h);
}
Task<> note(bool& cleaned) {
  co_await sleep_for(1ms);
  cleaned = true;
}

TEST(WithCleanup, CleansUpAfterAValue) {
  boost::asio::io_context ioc;
  bool cleaned = false;
  EXPECT_EQ(test::run_task(ioc, with_cleanup(seven(), [&] { return note(cleaned); })), 7);
  EXPECT_TRUE(cleaned);
}

TEST(WithCleanup, CleansUpAfterAnErrorAndPassesItOn) {
  boost::asio::io_context ioc;
  bool cleaned = false;
  EXPECT_THROW(test::run_task(ioc, with_cleanup(failing(), [&] { return note(cleaned); })), Error);
  EXPECT_TRUE(cleaned);
}

TEST(WithCleanup, CleansUpToItsEndWhenTheCallerIsCancelled) {
  boost::asio::io_context ioc;
  bool cleaned = false;
  TaskGroup group(ioc.get_executor());
  group.spawn("slow", [&] { return with_cleanup(slow(), [&] { return note(cleaned); }); });
  test::run_task(ioc, sleep_for(5ms));
  test::run_task(ioc, group.stop());
  EXPECT_TRUE(cleaned);
}

}  // namespace
}  // namespace botburrow
