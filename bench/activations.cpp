// Whole activations against the real Hub, Redis and coordinator, with a model that takes no time:
// budget, inbox, thread, two model calls, one tool call, comment, mark read, consumption. Prints
// rates and the runner's processor time for one; writes bench/results/activations.json.
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "bench/cluster.hpp"
#include "bench/report.hpp"
#include "tests/support/run_task.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace {

using namespace botburrow;
using namespace botburrow::bench;
using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

constexpr int kAgents = 500;
constexpr int kRounds = 4;  // the first warms up: definitions are read, connections made

test::LlmSimulator::Answer answer_of(const test::LlmSimulator::Request& request) {
  if (request.ends_with_tool_results())
    return test::LlmSimulator::Answer::say("This is what I found about it.");
  return test::LlmSimulator::Answer::call("hub_search", {{"query", "measure"}, {"limit", 3}});
}

std::int64_t number_at(test::PrivateRedis& redis, std::vector<std::string> question) {
  const auto reply = redis.ask(std::move(question));
  return reply.is_nil() ? 0 : std::atoll(reply.str().c_str());
}

struct Round {
  double seconds = 0;
  double runner_cpu = 0;
  double hub_cpu = 0;
  double coordinator_cpu = 0;
  double redis_cpu = 0;
};

// One mention for each agent waits in the Hub; the clock runs from the first claim to the last
// completion.
Task<Round> measure_round(Cluster& cluster, int number) {
  auto& redis = cluster.redis();
  // The Hub takes the same text by the same author for a repeat.
  for (int at = 0; at < kAgents; at += 10)
    co_await cluster.mention(at, at + 10, fmt::format("measure {}:", number));
  const auto done_before = number_at(redis, {"HGET", "work:stats", "done"});
  const auto fence_before = number_at(redis, {"GET", "work:fence"});
  const double runner_cpu = cpu_seconds_of(cluster.runner().pid());
  const double hub_cpu = cpu_seconds_of(cluster.hub_service().pid());
  const double redis_cpu = cpu_seconds_of(redis.pid());
  const auto patience = Deadline::in(120s);
  cluster.start_coordinator();
  while (number_at(redis, {"GET", "work:fence"}) == fence_before && !patience.passed())
    co_await sleep_for(1ms);
  const auto begun = BootClock::now();
  while (number_at(redis, {"HGET", "work:stats", "done"}) < done_before + kAgents) {
    if (patience.passed())
      throw Error(errc::timeout, "not all activations ended within two minutes");
    co_await sleep_for(5ms);
  }
  Round round{.seconds = Seconds(BootClock::now() - begun).count()};
  // Reports to the Hub trail behind the completions.
  co_await sleep_for(500ms);
  round.runner_cpu = cpu_seconds_of(cluster.runner().pid()) - runner_cpu;
  round.hub_cpu = cpu_seconds_of(cluster.hub_service().pid()) - hub_cpu;
  round.redis_cpu = cpu_seconds_of(redis.pid()) - redis_cpu;
  round.coordinator_cpu = cpu_seconds_of(cluster.coordinator().pid());
  co_await cluster.stop_coordinator();
  co_return round;
}

Task<> measure(boost::asio::io_context& ioc, FigureList& figures) {
  Cluster cluster(ioc, {.agents = kAgents, .slots = 100, .log_level = "info"});
  cluster.model().script(answer_of);
  co_await cluster.start_hub();
  cluster.start_runner();
  std::vector<double> rates, runner, hub, redis, coordinator;
  for (int i = 0; i < kRounds; ++i) {
    const auto round = co_await measure_round(cluster, i);
    if (i == 0) continue;
    rates.push_back(kAgents / round.seconds);
    runner.push_back(round.runner_cpu * 1000 / kAgents);
    hub.push_back(round.hub_cpu * 1000 / kAgents);
    redis.push_back(round.redis_cpu * 1000 / kAgents);
    coordinator.push_back(round.coordinator_cpu * 1000 / kAgents);
  }
  const auto requests = cluster.model().requests();
  figures.add("full activations a second, all services on this machine", median(rates), "/s");
  figures.add("runner: processor time of one", median(runner), "ms");
  figures.add("runner: as many a second as one core can", 1000 / median(runner), "/s");
  figures.add("hub: processor time of one", median(hub), "ms");
  figures.add("redis: processor time of one", median(redis), "ms");
  figures.add("coordinator: processor time of one", median(coordinator), "ms");
  figures.add("model calls of one", static_cast<double>(requests) / (kAgents * kRounds), "calls");
  co_await cluster.stop();
}

}  // namespace

int main() {
  boost::asio::io_context ioc;
  FigureList figures;
  try {
    test::run_task(ioc, measure(ioc, figures), 400s);
    auto document = machine();
    document["figures"] = figures.to_document();
    write_document("bench/results/activations.json", document);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_activations: %s\n", error.what());
    return 1;
  }
}
