#pragma once

#include "base/blocking_pool.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "console/console.hpp"
#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "net/redis.hpp"
#include "net/service_routes.hpp"
#include "queue/operator_view.hpp"
#include "queue/redis_journal.hpp"
#include "queue/redis_work_queue.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/service_test.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace botburrow::console {

using namespace std::chrono_literals;

inline constexpr const char* kAdminKey = "admin-key-of-the-console-tests";

/// An answer and its body.
struct Answer {
  int status = 0;
  net::HttpResponse whole;
  json::value body;
  std::string str(std::string_view key) const { return string_field(body, key).value_or(""); }
  std::int64_t num(std::string_view key) const { return int_field(body, key).value_or(-1); }
  const json::array& list(std::string_view key) const { return array_field(body, key); }
};

/// A console on a port of its own over a real Redis with generation and leader, and a client.
class ConsoleTest : public test::ServiceTest {
 protected:
  ConsoleTest() {
    redis_client.start();
    waits.start();
    ask({"SET", "work:generation", "set:1"});
    ask({"SET", "coordinator:epoch", "7"});
    ask({"SET", "coordinator:leader", "coordinator-1"});
  }
  ~ConsoleTest() override { close(); }

  /// Serves. `key` empty: nobody may act.
  void open(std::string key = kAdminKey, std::size_t streams_max = 32) {
    hub = std::make_unique<hubapi::HubClient>(
        http,
        hubapi::HubClient::Options{
            .url = hub_url, .service_key = Secret(hub_key), .agent_keys = {}},
        random, Log::none(), metrics);
    console_redis = std::make_unique<net::Redis>(ioc.get_executor(), redis.address(),
                                                 net::Redis::Options{}, Log::none(), random);
    console = std::make_unique<Console>(ioc.get_executor(),
                                        ConsoleOptions{.instance_id = "coordinator-1",
                                                       .admin_key = Secret(std::move(key)),
                                                       .streams_max = streams_max},
                                        ConsoleParts{.redis = *console_redis,
                                                     .hub = *hub,
                                                     .catalog = catalog,
                                                     .clock = *clock,
                                                     .is_leader = [this] { return leads; },
                                                     .hub_seen = [this] { return hub_seen; },
                                                     .scrubber = &scrubber},
                                        log, metrics);
    server = std::make_unique<net::HttpServer>(ioc.get_executor(), net::HttpServer::Options{}, log);
    net::add_service_routes(*server,
                            {.name = "botburrow-coordinator",
                             .unhealthy = [] { return std::nullopt; },
                             .not_ready = [] { return std::nullopt; },
                             .page = Console::page},
                            metrics);
    console->add_routes(*server);
    server->start();
    console_redis->start();
    run(console_redis->ready(Deadline::in(5s)));
    console->start();
  }
  /// The coordinator ends; another may be opened.
  void close_console() {
    if (!console) return;
    run(console->stop());
    run(console_redis->stop());
    run(server->stop(1s));
    console.reset();
  }
  void close() {
    close_console();
    run(redis_client.stop());
    run(waits.stop());
  }

  Answer send(std::string method, std::string path, std::string body = "",
              net::HttpHeaders headers = {}) {
    net::HttpRequest request{.method = std::move(method),
                             .url = server->url() + path,
                             .headers = std::move(headers),
                             .body = std::move(body)};
    Answer answer;
    answer.whole = run(http.send(std::move(request)));
    answer.status = answer.whole.status;
    answer.body = try_parse_json(answer.whole.body).value_or(nullptr);
    return answer;
  }
  Answer get(std::string path, net::HttpHeaders headers = {}) {
    return send("GET", "/console/api" + path, "", std::move(headers));
  }
  /// With the key.
  Answer act(std::string name, json::value body, std::string key = kAdminKey) {
    return send("POST", "/console/api/act/" + name, to_json(body),
                {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + key}});
  }

  static queue::WorkItem item(const std::string& agent,
                              queue::Priority priority = queue::Priority::high) {
    return {.agent_id = AgentId(agent),
            .agent_name = agent,
            .task_type = queue::TaskType::inbox,
            .priority = priority,
            .inbox_count = 1};
  }
  void enqueue(const std::string& agent, queue::Priority priority = queue::Priority::high) {
    run(work.enqueue({item(agent, priority)}, {.force = true}));
  }
  queue::Claim claim() {
    auto claimed = run(work.claim({.runner_id = RunnerId("runner-1"),
                                   .mode = queue::RunnerMode::hybrid,
                                   .activation_id = ActivationId(random.uuid4())}));
    if (!claimed) throw std::runtime_error("nothing to claim");
    return *claimed;
  }
  void kill(const std::string& agent) {
    enqueue(agent);
    claim();
    const auto reaped = run(work.reap(
        {.epoch = 7,
         .lease = {.agent_id = AgentId(agent), .value = ask({"HGET", "work:leases", agent})},
         .crash_attempts_max = 1}));
    ASSERT_EQ(reaped, queue::ReapResult::dead);
  }
  /// Lines of a journal as runners write them.
  void write_journal(const queue::Claim& claim,
                     std::vector<std::pair<queue::JournalKind, json::object>> lines) {
    queue::JournalSize size;
    std::vector<queue::JournalEntry> entries;
    for (auto& [kind, fields] : lines) {
      entries.push_back(queue::encode({.n = size.lines,
                                       .at = "2026-02-07T10:00:00.000Z",
                                       .activation_id = claim.activation_id,
                                       .kind = kind,
                                       .fields = std::move(fields)},
                                      size));
    }
    run(journal.append(queue::ref_of(claim), std::move(entries)));
  }
  void result(const std::string& agent, const std::string& status, const std::string& id,
              std::optional<std::string> error = std::nullopt) {
    queue::ActivationResult result{.agent_id = AgentId(agent), .agent_name = agent};
    result.status = status;
    result.success = status == "success";
    result.activation_id = ActivationId(id);
    result.work_id = WorkId(id);
    result.error = std::move(error);
    result.timestamp = "2026-02-07T10:00:00Z";
    ask({"LPUSH", "activation:results", queue::encode(result)});
  }

  SeededRandom random{7};
  std::shared_ptr<test::LogLines> lines = std::make_shared<test::LogLines>();
  Log log{lines, {.level = LogLevel::debug}};
  Metrics metrics;
  bool leads = true;
  Clock* clock = &system_clock();
  std::optional<HubSeen> hub_seen;
  Scrubber scrubber;
  std::string hub_url, hub_key;
  net::HttpClient http{ioc.get_executor(), {.connections_idle_max = 0}};
  net::Redis redis_client{ioc.get_executor(), redis.address(), {}, Log::none(), random};
  net::Redis waits{ioc.get_executor(), redis.address(), {}, Log::none(), random};
  queue::RedisWorkQueue work{redis_client, waits, system_clock(), Log::none(), nullptr, {}};
  queue::OperatorView view{redis_client, Log::none()};
  queue::RedisJournal journal{redis_client};
  definitions::FolderSource source{std::filesystem::path("/nonexistent")};
  BlockingPool pool{1};
  definitions::DefinitionCatalog catalog{source, pool, {}, Log::none(), metrics};
  std::unique_ptr<hubapi::HubClient> hub;
  std::unique_ptr<net::Redis> console_redis;
  std::unique_ptr<Console> console;
  std::unique_ptr<net::HttpServer> server;
};

}  // namespace botburrow::console
