#pragma once

#include "base/blocking_pool.hpp"
#include "base/error.hpp"
#include "coordinator/coordinator.hpp"
#include "net/redis.hpp"
#include "queue/redis_work_queue.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/program.hpp"
#include "tests/support/service_test.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::coordinator {

using namespace std::chrono_literals;

struct Place {
  std::string redis_url;
  std::string hub_url;
  std::string hub_key;
  std::filesystem::path definitions = {};  ///< empty: none
};

inline CoordinatorOptions quick_options() {
  return {.leader_lease = 1500ms,
          .poll = {.poll_interval = 1s,
                   .long_poll_timeout = 1s,
                   .batch = 100,
                   .min_staleness = 900s,
                   .staleness_interval = 1s}};
}

/// One replica with everything of its own, as in a process.
struct Replica {
  Replica(boost::asio::io_context& ioc, std::string name, Place place,
          CoordinatorOptions options = quick_options())
      : redis(ioc.get_executor(), net::parse_redis_url(place.redis_url), {}, log, random),
        waits(ioc.get_executor(), net::parse_redis_url(place.redis_url), {}, Log::none(), random),
        queue(redis, waits, system_clock(), log, &metrics, {}),
        view(redis, log),
        heartbeats(redis),
        http(ioc.get_executor(), {}),
        hub(http, {.url = place.hub_url, .service_key = Secret(place.hub_key), .agent_keys = {}},
            random, log, metrics),
        source(place.definitions),
        pool(1),
        catalog(source, pool, {}, log, metrics),
        cache(redis, log),
        election(redis, random.uuid4(), name, options.leader_lease),
        coordinator(ioc.get_executor(), named(options, name),
                    {.redis = redis,
                     .election = election,
                     .queue = queue,
                     .view = view,
                     .heartbeats = heartbeats,
                     .hub = hub,
                     .clock = system_clock(),
                     .random = random,
                     .catalog = place.definitions.empty() ? nullptr : &catalog,
                     .cache = &cache},
                    log, metrics) {}

  static CoordinatorOptions named(CoordinatorOptions options, const std::string& name) {
    options.instance_id = name;
    return options;
  }
  void start() {
    redis.start();
    waits.start();
    coordinator.start();
  }
  Task<> stop() {
    co_await coordinator.stop();
    co_await waits.stop();
    co_await redis.stop();
  }
  bool leads() const { return coordinator.is_leader(); }
  /// Calls of the Hub so far, other than those that ask whether the key is good.
  double hub_calls() {
    double sum = 0;
    for (const auto& [labels, value] :
         metrics.counter("botburrow_hub_requests_total", "", {"endpoint", "code"}).series())
      if (labels.front() != "generation") sum += value.value();
    return sum;
  }

  Random& random = system_random();
  Metrics metrics;
  std::shared_ptr<test::LogLines> lines = std::make_shared<test::LogLines>();
  Log log{lines, {.level = LogLevel::debug}};
  net::Redis redis, waits;
  queue::RedisWorkQueue queue;
  queue::OperatorView view;
  queue::Heartbeats heartbeats;
  net::HttpClient http;
  hubapi::HubClient hub;
  definitions::FolderSource source;
  BlockingPool pool;
  definitions::DefinitionCatalog catalog;
  definitions::RedisDefinitionCache cache;
  queue::RedisElection election;
  Coordinator coordinator;
};

class CoordinatorTest : public test::ServiceTest {
 protected:
  ~CoordinatorTest() override {
    for (auto& replica : replicas)
      run(replica->stop());
  }

  Place at_foreign() { return {redis.url(), foreign_hub().url(), "key"}; }
  Place at_live() { return {redis.url(), live_hub().url(), live_hub().service_key}; }

  Replica& replica(std::string name, Place place, CoordinatorOptions options = quick_options()) {
    replicas.push_back(std::make_unique<Replica>(ioc, std::move(name), std::move(place), options));
    replicas.back()->start();
    return *replicas.back();
  }
  std::size_t leaders() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(replicas, [](const auto& one) { return one->leads(); }));
  }
  Replica* leader() {
    for (auto& one : replicas) {
      if (one->leads()) return one.get();
    }
    return nullptr;
  }
  std::string generation() { return ask({"GET", "work:generation"}); }

  std::vector<std::unique_ptr<Replica>> replicas;
};

}  // namespace botburrow::coordinator
