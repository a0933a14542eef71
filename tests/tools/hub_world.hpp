#pragma once

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "hub/server.hpp"
#include "hubapi/client.hpp"
#include "net/http_client.hpp"
#include "net/redis.hpp"
#include "queue/redis_agent_state.hpp"
#include "tests/net/raw_peer.hpp"
#include "tests/support/private_redis.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace botburrow::test {

using namespace std::chrono_literals;

/// Keeps every line, for tests that look for events.
class LinesSink final : public LogSink {
 public:
  void write(LogLevel level, std::string_view line) override {
    lines.emplace_back(line);
    if (level == LogLevel::error) errors.emplace_back(line);
  }
  std::size_t count(std::string_view event) const {
    const std::string wanted = fmt::format("\"event\":\"{}\"", event);
    return static_cast<std::size_t>(std::ranges::count_if(
        lines, [&](const std::string& line) { return line.find(wanted) != std::string::npos; }));
  }
  /// The first line of the event, or nothing.
  std::string find(std::string_view event) const {
    const std::string wanted = fmt::format("\"event\":\"{}\"", event);
    for (const auto& line : lines) {
      if (line.find(wanted) != std::string::npos) return line;
    }
    return "";
  }
  std::vector<std::string> lines;
  std::vector<std::string> errors;
};

/// The machine's clocks, moved ahead by as much as a test says.
class MovedClock final : public Clock {
 public:
  Instant now() const override { return BootClock::now() + ahead_; }
  WallTime wall() const override {
    return std::chrono::system_clock::now() +
           std::chrono::duration_cast<WallTime::duration>(ahead_);
  }
  void advance(std::chrono::nanoseconds d) { ahead_ += d; }

 private:
  std::chrono::nanoseconds ahead_{0};
};

/// Stands before the Hub and does with each exchange what the test says.
class HubFront {
 public:
  struct Exchange {
    std::string method, target, head, body;
    bool is(std::string_view wanted_method, std::string_view part) const {
      return method == wanted_method && target.find(part) != std::string::npos;
    }
  };
  struct Act {
    enum class Kind {
      pass,         ///< as if nothing stood there
      lose_answer,  ///< the Hub does it, the connection breaks before the answer
      answer,       ///< with `status`, without asking the Hub
    } kind = Kind::pass;
    int status = 0;
    std::string headers;  ///< whole lines, each with CR LF
    std::string body = "{}";
  };
  using Rule = std::function<Act(const Exchange&)>;

  static Act pass() { return {}; }
  static Act lose_answer() { return {.kind = Act::Kind::lose_answer}; }
  static Act answer(int status, std::string body = "{}", std::string headers = "") {
    return {.kind = Act::Kind::answer, .status = status, .headers = headers, .body = body};
  }

  HubFront(boost::asio::io_context& ioc, int hub_port)
      : ioc_(ioc),
        hub_port_(hub_port),
        server_(ioc, [this](net::RawPeer& peer) { return serve(peer); }) {}
  std::string url() const { return server_.url(); }

  /// The rule for what comes from now on; empty = pass.
  void rule(Rule rule) { rule_ = std::move(rule); }
  std::vector<Exchange> seen;
  std::size_t count(std::string_view method, std::string_view part) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(seen, [&](const auto& one) { return one.is(method, part); }));
  }

 private:
  Task<> serve(net::RawPeer& peer) {
    Exchange exchange;
    exchange.head = co_await peer.read_until("\r\n\r\n");
    const auto blank = exchange.head.find(' ');
    if (blank == std::string::npos) co_return;
    exchange.method = exchange.head.substr(0, blank);
    exchange.target =
        exchange.head.substr(blank + 1, exchange.head.find(' ', blank + 1) - blank - 1);
    const auto length = exchange.head.find("Content-Length: ");
    if (length != std::string::npos) {
      exchange.body = co_await peer.read_bytes(std::stoul(exchange.head.substr(length + 16)));
    }
    seen.push_back(exchange);
    const Act act = rule_ ? rule_(exchange) : Act{};
    if (act.kind == Act::Kind::answer) {
      co_await peer.say(
          fmt::format("HTTP/1.1 {} Said\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{}",
                      act.status, act.body.size(), act.headers, act.body));
      co_return;
    }
    const auto reply = co_await ask_hub(exchange);
    if (act.kind == Act::Kind::lose_answer) {
      peer.reset();
      co_return;
    }
    co_await peer.say(reply);
  }

  Task<std::string> ask_hub(Exchange exchange) {
    net::tcp::socket socket(ioc_);
    co_await socket.async_connect(net::tcp::endpoint(boost::asio::ip::address_v4::loopback(),
                                                     static_cast<std::uint16_t>(hub_port_)),
                                  boost::asio::use_awaitable);
    net::RawPeer hub(std::move(socket));
    auto head = exchange.head;
    head.insert(head.find("\r\n") + 2, "Connection: close\r\n");
    co_await hub.say(head + exchange.body);
    co_return co_await hub.read_all();
  }

  boost::asio::io_context& ioc_;
  int hub_port_;
  Rule rule_;
  net::RawServer server_;
};

/// A Hub of its own on a new database, a Redis of the test program, and what talks to both.
class HubWorld {
 public:
  static PrivateRedis& redis_server() {
    static PrivateRedis shared;
    return shared;
  }

  static hub::HubOptions quiet() {
    hub::HubOptions options;
    options.host = "127.0.0.1";
    options.port = 0;
    options.admin_key = Secret("botburrow_admin_of_the_tests");
    options.rates = hub::HubRates{"0", "0", "0", "0", "0"};
    return options;
  }

  explicit HubWorld(hub::HubOptions options = quiet())
      : folder(std::filesystem::temp_directory_path() / ("bb-world-" + system_random().uuid4())) {
    redis_server().flush();
    std::filesystem::create_directories(folder);
    options.database_path = (folder / "hub.db").string();
    server = std::make_unique<hub::HubServer>(ioc.get_executor(), std::move(options), clock,
                                              hub_random, Log::none(), metrics);
    server->start();
    run(server->until_ready());
    service_key = run(server->ensure_key("runner-key", "service", ""));
    owner_key = run(server->ensure_key("owner", "human", ""));
    front = std::make_unique<HubFront>(ioc, server->port());
    hub = std::make_unique<hubapi::HubClient>(
        *http, hubapi::HubClient::Options{.url = front->url(), .service_key = Secret(service_key)},
        random, log, metrics);
    redis.start();
  }

  ~HubWorld() {
    run(redis.stop());
    if (server) stop_hub();
    front.reset();
    // What a test left waiting ends before what it uses.
    ioc.restart();
    ioc.poll();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  template <class T>
  T run(Task<T> task, std::chrono::nanoseconds limit = 30s) {
    return run_task(ioc, std::move(task), limit);
  }

  void stop_hub() {
    run(server->stop(2s));
    server.reset();
  }

  /// Registers an agent; its key.
  std::string agent(const std::string& name) {
    const auto key = run(server->register_agent({.name = name}));
    return key.value_or("");
  }

  struct Answer {
    int status = 0;
    json::value body;
    std::string str(std::string_view key) const { return string_field(body, key).value_or(""); }
  };
  /// Straight to the Hub, past the front.
  Answer call(std::string method, std::string path, std::string key,
              std::optional<json::value> body = {}) {
    net::HttpRequest request{.method = std::move(method), .url = server->url() + "/api/v1" + path};
    request.headers.emplace_back("Authorization", "Bearer " + key);
    if (body) {
      request.headers.emplace_back("Content-Type", "application/json");
      request.body = to_json(*body);
    }
    auto response = run(http->send(std::move(request)));
    return {.status = response.status,
            .body = try_parse_json(response.body).value_or(json::value())};
  }
  std::string new_post(const std::string& content, const std::string& title = "",
                       std::string key = "", const std::string& community = "general") {
    json::object body{{"content", content}, {"community", community}};
    if (!title.empty()) body["title"] = title;
    return call("POST", "/posts", key.empty() ? owner_key : key, json::value(body)).str("id");
  }
  std::string new_comment(const std::string& post, const std::string& content,
                          const std::string& parent = "", std::string key = "") {
    json::object body{{"content", content}};
    if (!parent.empty()) body["parent_id"] = parent;
    return call("POST", "/posts/" + post + "/comments", key.empty() ? owner_key : key,
                json::value(body))
        .str("id");
  }
  hubapi::Post thread(const std::string& post) {
    auto found = run(hub->thread(AgentId("owner"), post, Deadline::in(10s)));
    return found.value_or(hubapi::Post{});
  }
  std::vector<hubapi::Comment> comments_by(const std::string& agent, const std::string& post) {
    auto all = thread(post).comments;
    std::erase_if(all, [&](const auto& comment) { return comment.author.name != agent; });
    return all;
  }
  std::vector<hubapi::Notification> unread(const std::string& agent) {
    return run(hub->unread(AgentId(agent), 100, Deadline::in(10s)));
  }
  queue::Usage used_today(const std::string& agent) {
    return run(state.usage(AgentId(agent), clock.wall())).day;
  }
  /// What redis-cli prints, near enough.
  std::string ask(std::vector<std::string> args) {
    const auto reply = run(redis.command(std::move(args)));
    if (reply.is_nil()) return "(nil)";
    if (const auto* number = std::get_if<std::int64_t>(&reply.value))
      return std::to_string(*number);
    return reply.str();
  }

  boost::asio::io_context ioc;
  MovedClock clock;
  SeededRandom random{7};
  SeededRandom hub_random{8};  // its store draws on a thread of its own
  Metrics metrics;
  std::shared_ptr<LinesSink> lines = std::make_shared<LinesSink>();
  Log log{lines, {.level = LogLevel::debug}};
  std::filesystem::path folder;
  std::unique_ptr<hub::HubServer> server;
  std::string service_key, owner_key;
  std::unique_ptr<net::HttpClient> http =
      std::make_unique<net::HttpClient>(ioc.get_executor(), net::HttpClient::Options{});
  std::unique_ptr<HubFront> front;
  std::unique_ptr<hubapi::HubClient> hub;
  net::Redis redis{ioc.get_executor(), redis_server().address(), {}, Log::none(), random};
  queue::RedisAgentState state{redis, log};
};

}  // namespace botburrow::test
