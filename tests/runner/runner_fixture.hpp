#pragma once

#include "agent/skill_shelf.hpp"
#include "base/blocking_pool.hpp"
#include "definitions/catalog.hpp"
#include "definitions/source.hpp"
#include "queue/operator_view.hpp"
#include "queue/redis_agent_state.hpp"
#include "queue/redis_journal.hpp"
#include "queue/redis_work_queue.hpp"
#include "runner/runner.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/llm_simulator.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/service_test.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace botburrow::runner {

using namespace std::chrono_literals;

/// Passes everything on and counts; can lose the answer of a claim.
class SpyQueue final : public queue::WorkQueue {
 public:
  explicit SpyQueue(queue::WorkQueue& real) : real_(real) {}
  int claims = 0, claims_with_complete = 0;
  int lose_claims = 0;

  Task<std::vector<queue::EnqueueResult>> enqueue(std::vector<queue::WorkItem> items,
                                                  queue::EnqueueOptions options) override {
    return real_.enqueue(std::move(items), options);
  }
  Task<std::optional<queue::Claim>> claim(queue::ClaimRequest request) override {
    ++claims;
    auto claim = co_await real_.claim(std::move(request));
    if (claim && lose_claims > 0) {
      --lose_claims;
      throw Error(errc::redis_unavailable, "lost", Retry::after_backoff)
          .with_detail("outcome_unknown");
    }
    co_return claim;
  }
  Task<bool> wait_for_work(queue::RunnerMode mode, std::chrono::milliseconds up_to) override {
    return real_.wait_for_work(mode, up_to);
  }
  Task<std::vector<queue::RenewOutcome>> renew(std::vector<queue::LeaseRef> leases) override {
    return real_.renew(std::move(leases));
  }
  Task<queue::CompleteAnswer> complete(queue::Completion completion) override {
    if (completion.next) ++claims_with_complete;
    return real_.complete(std::move(completion));
  }
  Task<bool> hand_back(queue::HandBack hand_back) override {
    return real_.hand_back(std::move(hand_back));
  }
  Task<std::vector<queue::LeaseSeen>> leases() override { return real_.leases(); }
  Task<queue::ReapResult> reap(queue::ReapRequest request) override {
    return real_.reap(std::move(request));
  }
  Task<queue::SweepCounts> sweep(std::int64_t epoch, bool full) override {
    return real_.sweep(epoch, full);
  }
  Task<queue::GenerationSeen> generation() override { return real_.generation(); }
  Task<bool> set_generation(std::int64_t epoch, std::string old_raw,
                            queue::Generation next) override {
    return real_.set_generation(epoch, std::move(old_raw), std::move(next));
  }
  Task<std::vector<queue::OutboxEntry>> outbox(std::size_t count) override {
    return real_.outbox(count);
  }
  Task<> put_outbox(queue::OutboxEntry entry) override {
    return real_.put_outbox(std::move(entry));
  }
  Task<> remove_outbox(std::string key) override { return real_.remove_outbox(std::move(key)); }

 private:
  queue::WorkQueue& real_;
};

struct Place {
  std::string redis_url, hub_url, hub_key, llm_url;
  std::filesystem::path folder;
};

inline RunnerOptions quick_options(std::string name = "r-1") {
  return {.runner_id = RunnerId(std::move(name)),
          .incarnation = system_random().uuid4(),
          .slots = 1,
          .lease = 1500ms,
          .activation_timeout = 30s,
          .outbox_period = 500ms};
}

/// A runner with everything of its own, as in a process.
struct Node {
  Node(boost::asio::io_context& ioc, Place place, RunnerOptions options)
      : redis(ioc.get_executor(), net::parse_redis_url(place.redis_url), {}, log, random),
        waits(ioc.get_executor(), net::parse_redis_url(place.redis_url), {}, Log::none(), random),
        queue(redis, waits, system_clock(), log, &metrics, {}),
        spy(queue),
        state(redis, log),
        journal(redis),
        heartbeats(redis),
        http(ioc.get_executor(), {}),
        hub(http, {.url = place.hub_url, .service_key = Secret(place.hub_key), .agent_keys = {}},
            random, log, metrics),
        source(place.folder),
        pool(1),
        catalog(source, pool, {}, log, metrics),
        cache(redis, log),
        skills(catalog),
        llm_http(ioc.get_executor(), {.connections_max = 100}),
        models(llm_settings(place.llm_url), llm_http, random, log, &metrics),
        services{.hub = hub,
                 .state = state,
                 .journal = journal,
                 .catalog = catalog,
                 .skills = skills,
                 .models = models,
                 .prices = prices,
                 .clock = system_clock(),
                 .metrics = metrics},
        runner(ioc.get_executor(), options,
               {.queue = spy,
                .heartbeats = heartbeats,
                .redis = redis,
                .activation = services,
                .settings = settings,
                .cache = cache,
                .random = random},
               log, metrics) {}

  static llm::ProviderSettings llm_settings(const std::string& url) {
    llm::ProviderSettings out;
    out.key = [](std::string_view) { return Secret("simulated-key"); };
    out.openai_base_url = url + "/v1";
    out.max_retries = 0;
    return out;
  }
  void start() {
    redis.start();
    waits.start();
    runner.start();
  }
  Task<> stop(std::chrono::nanoseconds grace = 0s) {
    co_await runner.drain(grace);
    co_await waits.stop();
    co_await redis.stop();
  }

  Random& random = system_random();
  Metrics metrics;
  std::shared_ptr<test::LogLines> lines = std::make_shared<test::LogLines>();
  Log log{lines, {.level = LogLevel::debug}};
  net::Redis redis, waits;
  queue::RedisWorkQueue queue;
  SpyQueue spy;
  queue::RedisAgentState state;
  queue::RedisJournal journal;
  queue::Heartbeats heartbeats;
  net::HttpClient http;
  hubapi::HubClient hub;
  definitions::FolderSource source;
  BlockingPool pool;
  definitions::DefinitionCatalog catalog;
  definitions::RedisDefinitionCache cache;
  agent::SkillShelf skills;
  net::HttpClient llm_http;
  llm::PriceTable prices;
  llm::ConfiguredModels models;
  agent::ActivationServices services;
  agent::ActivationSettings settings;
  Runner runner;
};

/// Redis, a model, agents in a folder, and a Hub of either kind.
class RunnerTest : public test::ServiceTest {
 protected:
  explicit RunnerTest(test::PrivateRedis::Options redis_options = {})
      : ServiceTest(redis_options),
        folder(std::filesystem::temp_directory_path() / ("bb-runner-" + system_random().uuid4())) {
    llm.start();
    llm.script([](const auto&) { return test::LlmSimulator::Answer::say("A fine answer."); });
    ask({"SET", "work:generation", "set:1"});
    ask({"SET", "coordinator:epoch", "1"});
  }
  ~RunnerTest() override {
    for (auto& node : nodes)
      run(node->stop());
    run(llm.stop());
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  test::LiveHub& hub() { return live_hub(); }
  Place place() { return {redis.url(), hub().url(), hub().service_key, llm.url(), folder}; }
  Place foreign_place() { return {redis.url(), foreign_hub().url(), "key", llm.url(), folder}; }

  void define(const std::string& name, const std::string& type = "native") {
    const auto home = folder / "agents" / name;
    std::filesystem::create_directories(home);
    std::ofstream(home / "config.yaml")
        << "name: " << name << "\ntype: " << type
        << "\nbrain: {provider: openai, model: gpt-4o}\n"
           "capabilities: {grants: [\"hub:read\", \"hub:write\"]}\n"
           "behavior: {limits: {max_daily_comments: 1000, max_responses_per_thread: 5, "
           "min_interval_seconds: 0}}\n";
    std::ofstream(home / "system-prompt.md")
        << "You are " << name << ", and you answer in one sentence.\n";
  }
  /// An agent at our Hub that has been mentioned; the post's id.
  std::string mention(const std::string& name) {
    if (!std::filesystem::exists(folder / "agents" / name)) define(name);
    hub().agent(name);
    return hub().post("@" + name + " what do you think?");
  }
  queue::EnqueueResult enqueue(const std::string& agent,
                               queue::TaskType type = queue::TaskType::inbox,
                               std::string name = "") {
    const bool inbox = type == queue::TaskType::inbox;
    const queue::WorkItem item{.agent_id = AgentId(agent),
                               .agent_name = name.empty() ? agent : name,
                               .task_type = type,
                               .priority = inbox ? queue::Priority::high : queue::Priority::normal};
    return run(hand().queue.enqueue({item}, {})).at(0);
  }
  /// Somebody who speaks with the queue and runs nothing.
  Node& hand() {
    if (!hand_) {
      hand_ = std::make_unique<Node>(
          ioc, Place{redis.url(), "http://127.0.0.1:1", "", llm.url(), folder},
          quick_options("hand"));
      hand_->redis.start();
    }
    return *hand_;
  }
  Node& node(Place place, RunnerOptions options = quick_options()) {
    nodes.push_back(std::make_unique<Node>(ioc, std::move(place), std::move(options)));
    nodes.back()->start();
    return *nodes.back();
  }

  bool active(const std::string& agent) { return integer({"HEXISTS", "work:active", agent}) == 1; }
  std::string activation_of(const std::string& agent) {
    const auto record = try_parse_json(ask({"GET", "agent:activation:" + agent}));
    return record ? string_field(*record, "activation_id").value_or("") : "";
  }
  /// The newest results, newest first.
  std::vector<queue::ActivationResult> results() {
    std::vector<queue::ActivationResult> list;
    const auto raw = redis.ask({"LRANGE", "activation:results", "0", "99"});
    for (const auto& one : raw.array())
      list.push_back(queue::decode_result(one.str()).value());
    return list;
  }
  static test::LlmSimulator::Answer slowly(std::chrono::milliseconds delay) {
    auto answer = test::LlmSimulator::Answer::say("A fine answer.");
    answer.delay = delay;
    return answer;
  }
  void think_for(std::chrono::milliseconds delay) {
    llm.script([delay](const auto&) { return slowly(delay); });
  }

  std::filesystem::path folder;
  test::LlmSimulator llm{ioc.get_executor(), {}};
  std::vector<std::unique_ptr<Node>> nodes;

 private:
  struct HandStopper {
    RunnerTest& test;
    ~HandStopper() {
      if (test.hand_) test.run(test.hand_->redis.stop());
    }
  };
  std::unique_ptr<Node> hand_;
  HandStopper stopper_{*this};
};

}  // namespace botburrow::runner
