#include "services_world.hpp"
#include "tests/support/sentinel_cluster.hpp"

#include <gmock/gmock.h>

#include <signal.h>

namespace botburrow::e2e {
namespace {

class RedisAway : public ServicesWorld {};

TEST_F(RedisAway, AnIdleRunnerEndsSoonAllTheSame) {
  start_hub();
  auto& runner = start({"runner"});
  await_event(runner, "redis_connected");
  redis_.kill9();
  await_event(runner, "redis_unavailable");
  runner.signal(SIGTERM);
  // It waits a second for Redis; before, it sat out the time limits of two claims.
  EXPECT_EQ(runner.wait(4s), 0);
}

TEST_F(RedisAway, IsToldOnceForAllConnectionsAndItsReturnIsNoticed) {
  start_hub();
  auto& runner = start({"runner"});
  const auto url = url_of(runner);
  eventually("ready", [&] { return get(url + "/ready").status == 200; });
  redis_.kill9();
  const auto line = await_event(runner, "redis_unavailable");
  EXPECT_EQ(text_of(line, "cause"), "connection_refused");
  eventually("not ready", [&] { return get(url + "/ready").status == 503; });
  redis_.start();
  eventually("ready", [&] { return get(url + "/ready").status == 200; }, 10s);
  EXPECT_LE(runner.events("redis_unavailable").size(), 2u);
}

TEST_F(RedisAway, AServerThatTakesNoChangesIsNotReady) {
  start_hub();
  auto& runner = start({"runner"});
  const auto url = url_of(runner);
  eventually("ready", [&] { return get(url + "/ready").status == 200; });
  cli_line({"CONFIG", "SET", "min-replicas-to-write", "1"});
  const auto line = await_event(runner, "redis_unavailable");
  EXPECT_EQ(text_of(line, "cause"), "no_replicas");
  eventually("not ready", [&] { return get(url + "/ready").status == 503; });
  EXPECT_EQ(get(url + "/health").status, 200);
  cli_line({"CONFIG", "SET", "min-replicas-to-write", "0"});
  eventually("ready", [&] { return get(url + "/ready").status == 200; });
}

/// The whole system on sentinels, whose master dies: every mention has one answer.
TEST_F(RedisAway, TheMasterDiesUnderTheServices) {
  test::SentinelCluster cluster({.password = "redis-canary-0123456789", .appendonly = true});
  set("REDIS_URL", cluster.url());
  define_agent("anna");
  use_model();
  start_hub();
  register_agent("anna");
  auto& coordinator = start({"coordinator"});
  auto& runner = start({"runner"});
  const auto first = post_as_owner("@anna before");
  eventually("anna answers", [&] { return answers_of(look_at(first), "anna").size() == 1; });

  cluster.master().kill9();
  const auto second = post_as_owner("@anna meanwhile");

  eventually(
      "anna answers again", [&] { return answers_of(look_at(second), "anna").size() == 1; }, 60s);
  for (auto* service : {&coordinator, &runner}) {
    EXPECT_FALSE(service->ended());
    EXPECT_FALSE(service->events("redis_connection_lost").empty());
  }
  const auto third = post_as_owner("@anna afterwards");
  eventually("and again", [&] { return answers_of(look_at(third), "anna").size() == 1; });
  EXPECT_EQ(answers_of(look_at(first), "anna").size(), 1u);
  EXPECT_EQ(answers_of(look_at(second), "anna").size(), 1u);
}

}  // namespace
}  // namespace botburrow::e2e
