#pragma once

#include "base/json.hpp"
#include "base/metrics.hpp"
#include "net/redis.hpp"
#include "queue/operator_view.hpp"
#include "queue/redis_work_queue.hpp"
#include "tests/support/private_redis.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace botburrow::queue {

using namespace std::chrono_literals;

/// Keeps every line, for tests that look for events.
class LinesSink final : public LogSink {
 public:
  void write(LogLevel, std::string_view line) override { lines.emplace_back(line); }
  std::size_t count(std::string_view event) const {
    const std::string wanted = fmt::format("\"event\":\"{}\"", event);
    return static_cast<std::size_t>(std::ranges::count_if(
        lines,
        [&wanted](const std::string& line) { return line.find(wanted) != std::string::npos; }));
  }
  std::vector<std::string> lines;
};

/// A queue on a real server, with generation `set:1` and epoch 1. After each test the census must
/// close.
class QueueTest : public ::testing::Test {
 protected:
  static test::PrivateRedis& server() {
    static test::PrivateRedis shared;
    return shared;
  }

  QueueTest() { server().flush(); }

  void SetUp() override {
    redis.start();
    waits.start();
    ask({"SET", "work:generation", "set:1"});
    ask({"SET", "coordinator:epoch", "1"});
  }

  void TearDown() override {
    const Census census = run(view.census());
    EXPECT_TRUE(census.closes()) << fmt::format("enqueued {} waiting {} leased {} dead {} done {}",
                                                census.enqueued, census.waiting, census.leased,
                                                census.dead, census.done);
    stop();
  }

  void stop() {
    run(redis.stop());
    run(waits.stop());
  }

  template <class T>
  T run(Task<T> task, std::chrono::nanoseconds limit = 30s) {
    return test::run_task(ioc, std::move(task), limit);
  }

  net::RedisReply reply(std::vector<std::string> args) {
    return run(redis.command(std::move(args)));
  }

  /// What redis-cli prints, near enough: text, digits, "(nil)", lists joined by blanks.
  std::string ask(std::vector<std::string> args) { return text(reply(std::move(args))); }
  static std::string text(const net::RedisReply& reply) {
    if (reply.is_nil()) return "(nil)";
    if (const auto* number = std::get_if<std::int64_t>(&reply.value))
      return std::to_string(*number);
    if (const auto* array = std::get_if<net::RedisReply::Array>(&reply.value)) {
      std::string all;
      for (const auto& element : *array)
        all += (all.empty() ? "" : " ") + text(element);
      return all;
    }
    return reply.str();
  }
  std::vector<std::string> list(const std::string& key) {
    std::vector<std::string> elements;
    const auto all = reply({"LRANGE", key, "0", "-1"});
    for (const auto& element : all.array())
      elements.push_back(element.str());
    return elements;
  }
  double server_now() {
    const auto time = reply({"TIME"});
    return std::stod(time.array()[0].str()) + std::stod(time.array()[1].str()) / 1e6;
  }

  static WorkItem inbox(const std::string& agent, Priority priority = Priority::high) {
    return {.agent_id = AgentId(agent),
            .agent_name = agent,
            .task_type = TaskType::inbox,
            .priority = priority,
            .inbox_count = 1};
  }
  static WorkItem discovery(const std::string& agent, Priority priority = Priority::normal) {
    WorkItem item = inbox(agent, priority);
    item.task_type = TaskType::discovery;
    item.inbox_count = 0;
    return item;
  }

  EnqueueResult enqueue(WorkItem item, EnqueueOptions options = {}) {
    return run(queue.enqueue({std::move(item)}, options)).at(0);
  }
  ClaimRequest request(RunnerMode mode = RunnerMode::hybrid) {
    return {.runner_id = RunnerId("runner-1"),
            .mode = mode,
            .lease = 10s,
            .activation_id = ActivationId(random.uuid4())};
  }
  std::optional<Claim> claim(RunnerMode mode = RunnerMode::hybrid) {
    return run(queue.claim(request(mode)));
  }
  Claim claim_now() {
    auto claimed = claim();
    if (!claimed) throw std::runtime_error("nothing to claim");
    return *claimed;
  }
  CompleteAnswer complete(const Claim& claim, Outcome outcome = Outcome::success,
                          std::chrono::seconds hold_off = 0s, std::string reason = "") {
    return run(queue.complete({.lease = ref_of(claim),
                               .outcome = outcome,
                               .hold_off = hold_off,
                               .reason = std::move(reason)}));
  }
  RenewOutcome renew(const Claim& claim) { return run(queue.renew({ref_of(claim)})).at(0); }
  ReapResult reap(const std::string& agent, std::int64_t epoch = 1, int crash_attempts_max = 3) {
    return run(queue.reap(
        {.epoch = epoch,
         .lease = {.agent_id = AgentId(agent), .value = ask({"HGET", "work:leases", agent})},
         .crash_attempts_max = crash_attempts_max}));
  }

  boost::asio::io_context ioc;
  SeededRandom random{42};
  std::shared_ptr<LinesSink> lines = std::make_shared<LinesSink>();
  Log log{lines, {.level = LogLevel::debug}};
  Metrics metrics;
  net::Redis redis{ioc.get_executor(), server().address(), {}, Log::none(), random};
  net::Redis waits{ioc.get_executor(), server().address(), {}, Log::none(), random};
  RedisWorkQueue queue{redis, waits, system_clock(), log, &metrics, {}};
  OperatorView view{redis, log};
};

}  // namespace botburrow::queue
