#pragma once

#include "net/redis.hpp"
#include "tests/support/foreign_hub.hpp"
#include "tests/support/live_hub.hpp"
#include "tests/support/private_redis.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace botburrow::test {

/// What tests of whole services stand on: one thread, a Redis of their own, a Hub of either kind
/// once it is asked for. For programs that link the hub room.
class ServiceTest : public ::testing::Test {
 protected:
  explicit ServiceTest(PrivateRedis::Options redis_options = {}) : redis(redis_options) {}
  ~ServiceTest() override {
    if (foreign) run(foreign->stop());
  }

  LiveHub& live_hub() {
    if (!live) live = std::make_unique<LiveHub>(ioc);
    return *live;
  }
  ForeignHub& foreign_hub() {
    if (!foreign) {
      foreign = std::make_unique<ForeignHub>(ioc.get_executor());
      foreign->start();
    }
    return *foreign;
  }

  bool until(std::function<bool()> condition,
             std::chrono::nanoseconds limit = std::chrono::seconds(15)) {
    return run_until(ioc, condition, limit);
  }
  void pass(std::chrono::nanoseconds time) {
    until([] { return false; }, time);
  }
  template <class T>
  T run(Task<T> task, std::chrono::nanoseconds limit = std::chrono::seconds(30)) {
    return run_task(ioc, std::move(task), limit);
  }

  /// A command of Redis: its answer as text.
  std::string ask(std::vector<std::string> args) {
    const auto reply = redis.ask(std::move(args));
    if (reply.is_nil()) return "(nil)";
    if (const auto* number = std::get_if<std::int64_t>(&reply.value))
      return std::to_string(*number);
    return reply.str();
  }
  std::int64_t integer(std::vector<std::string> args) {
    return redis.ask(std::move(args)).integer();
  }

  boost::asio::io_context ioc;
  PrivateRedis redis;
  std::unique_ptr<LiveHub> live;
  std::unique_ptr<ForeignHub> foreign;
};

}  // namespace botburrow::test
