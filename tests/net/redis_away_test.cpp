// What a long absence of Redis costs.
#include "tests/net/redis_client.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/private_redis.hpp"

#include <boost/asio/detached.hpp>

#include <malloc.h>

namespace botburrow::net {
namespace {

using namespace std::chrono_literals;
using test::PrivateRedis;

TEST(RedisLongAway, HoweverLongItWasItsReturnIsSeenWithinTwoSeconds) {
  PrivateRedis server({.tcp = true});
  boost::asio::io_context ioc;
  SeededRandom random(1);
  const auto lines = std::make_shared<test::LogLines>();
  Redis redis(ioc.get_executor(), parse_redis_url(server.tcp_url()), {},
              Log(lines, {.level = LogLevel::debug}), random);
  redis.start();
  test::run_task(ioc, redis.ready(Deadline::in(20s)));
  server.kill9();
  // By then, pauses that went on doubling would be three seconds long.
  ASSERT_TRUE(test::run_until(ioc, [&] { return lines->count("redis_unavailable") >= 6; }));
  server.start();
  const auto back = BootClock::now();
  test::run_task(ioc, redis.ready(Deadline::in(20s)));
  EXPECT_LT(BootClock::now() - back, 2s);
  test::run_task(ioc, redis.stop());
}

TEST(RedisLongAway, WhatIsAskedMeanwhileLeavesNothingBehind) {
  boost::asio::io_context ioc;
  PrivateRedis server;
  ClientOn client(ioc, server.url());
  client.wait_connected();
  server.kill9();
  ASSERT_TRUE(client.wait([&] { return !client->connected(); }));
  const auto ask_many = [&](int count) {
    int failed = 0;
    for (int i = 0; i < count; ++i) {
      boost::asio::co_spawn(
          ioc, client->command({"SET", "k", std::string(100, 'x')}, Deadline::in(20ms)),
          [&](const std::exception_ptr& failure, const RedisReply&) { failed += failure ? 1 : 0; });
    }
    ASSERT_TRUE(client.wait([&] { return failed == count; }));
  };
  ask_many(5000);
  client.lines->all.clear();
  const auto before = mallinfo2().uordblks;
  // As many as a busy runner asks in ten minutes.
  for (int round = 0; round < 20; ++round)
    ask_many(5000);
  client.lines->all.clear();
  EXPECT_LT(mallinfo2().uordblks, before + (64u << 10));
  server.start();
  EXPECT_EQ(client.ask({"EXISTS", "k"}).integer(), 0) << "what was given up is never sent";
}

}  // namespace
}  // namespace botburrow::net
