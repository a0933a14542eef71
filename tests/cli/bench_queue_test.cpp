#include "base/json.hpp"
#include "run_program.hpp"
#include "tests/support/private_redis.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace botburrow::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// The load generator, against a Redis of its own.
class BenchQueue : public testing::Test {
 protected:
  Ran run(std::vector<std::string> words) {
    words.insert(words.begin(), {"bench", "queue"});
    words.insert(words.end(), {"--items", "300", "--rounds", "2"});
    return run_program({.arguments = std::move(words), .environment = {{"HOME", folder_.path()}}});
  }
  Ran run_on_redis(std::vector<std::string> words) {
    words.insert(words.end(), {"--redis", redis_.url()});
    return run(std::move(words));
  }
  std::int64_t keys() { return redis_.ask({"DBSIZE"}).integer(); }

  test::PrivateRedis redis_{{.tcp = true}};
  ScratchFolder folder_;
};

std::vector<std::string> first_words(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    words.push_back(line.substr(0, line.find(' ')));
  return words;
}

TEST_F(BenchQueue, PlainIsOneLineARowWithItsRate) {
  const Ran ran = run({"--plain", "--redis", "127.0.0.1:" + std::to_string(redis_.port())});

  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(first_words(ran.out),
              ElementsAre("own_enqueue_single", "own_enqueue_window", "own_enqueue_bulk",
                          "own_drain_c1", "own_drain_c10", "own_drain_c100", "own_drain_c1000"));
  std::istringstream lines(ran.out);
  std::string name;
  for (double rate = 0; lines >> name >> rate;)
    EXPECT_GT(rate, 0) << name;
}

TEST_F(BenchQueue, LeavesNothingBehind) {
  redis_.ask({"SET", "somebody-elses", "1"});

  EXPECT_EQ(run_on_redis({"--plain"}).exit_code, 0);

  EXPECT_EQ(keys(), 1);
  EXPECT_EQ(redis_.ask({"GET", "somebody-elses"}).str(), "1");
}

TEST_F(BenchQueue, RefusesARedisThatIsInUseAndTouchesNothing) {
  for (const auto* key : {"work:queue:high", "activation:results", "agent:usage:scribe:2026-11-22",
                          "coordinator:leader", "agent_lock:scribe", "cache:agent:scribe",
                          "runner:heartbeat:r1", "journal:1"}) {
    redis_.flush();
    redis_.ask({"LPUSH", key, "x"});

    const Ran ran = run_on_redis({});

    EXPECT_EQ(ran.exit_code, 1) << key;
    EXPECT_THAT(ran.err, HasSubstr(key));
    EXPECT_THAT(ran.err, HasSubstr("--flush"));
    EXPECT_EQ(keys(), 1);
  }
}

TEST_F(BenchQueue, FlushMakesRoom) {
  redis_.ask({"LPUSH", "work:queue:high", "x"});

  EXPECT_EQ(run_on_redis({"--flush", "--only", "own_enqueue_bulk"}).exit_code, 0);

  EXPECT_EQ(keys(), 0);
}

TEST_F(BenchQueue, StopsAtItsTimeAndCleansUp) {
  const Ran ran = run_program(
      {.arguments = {"bench", "queue", "--redis", redis_.url(), "--items", "1000000", "--rounds",
                     "100", "--only", "own_enqueue_single", "--time-max", "1"},
       .environment = {{"HOME", folder_.path()}}});

  EXPECT_EQ(ran.exit_code, 124) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("--time-max"));
  EXPECT_EQ(keys(), 0);
}

TEST_F(BenchQueue, JsonHoldsEveryFigure) {
  const Ran ran = run_on_redis({"--json", "--only", "own_drain_c10", "--only", "own_pick_up"});

  const auto document = parse_json(ran.out, "answer");
  const auto rows = array_field(document, "rows");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(string_field(rows[0], "name"), "own_drain_c10");
  EXPECT_EQ(int_field(rows[0], "items"), 300);
  EXPECT_EQ(array_field(rows[0], "rounds").size(), 2u);
  EXPECT_GT(number_field(rows[0], "cpu_seconds_per_10k"), 0);
  EXPECT_GT(number_field(rows[0], "redis_bytes_per_item"), 100);
  EXPECT_GT(number_field(rows[1], "p50_us"), 0);
}

TEST_F(BenchQueue, WithoutARedisItStartsOneOfItsOwn) {
  const Ran ran = run({"--plain", "--only", "own_drain_c10"});

  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("own_drain_c10 "));
}

TEST_F(BenchQueue, AServerThatIsAwayIsSaidSo) {
  const Ran ran = run({"--redis", "127.0.0.1:1"});

  EXPECT_EQ(ran.exit_code, 69);
  EXPECT_THAT(ran.err, HasSubstr("127.0.0.1:1"));
}

}  // namespace
}  // namespace botburrow::cli
