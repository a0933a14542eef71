#pragma once

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "hub/server.hpp"
#include "net/http_client.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace botburrow::test {

/// Our Hub on a database of its own, ready when the constructor returns, with the key of a service
/// and of a person. For programs that link the hub room.
class LiveHub {
 public:
  explicit LiveHub(boost::asio::io_context& ioc,
                   std::chrono::seconds poll_lease = std::chrono::seconds(60))
      : ioc_(ioc),
        folder_(std::filesystem::temp_directory_path() /
                ("bb-live-hub-" + system_random().uuid4())),
        client_(ioc.get_executor(), {.connections_idle_max = 0}) {
    std::filesystem::create_directories(folder_);
    hub::HubOptions options;
    options.host = "127.0.0.1";
    options.port = 0;
    options.database_path = (folder_ / "hub.db").string();
    options.admin_key = Secret("botburrow_admin_of_the_tests");
    options.rates = hub::HubRates{"0", "0", "0", "0", "0"};
    options.poll_lease = poll_lease;
    server = std::make_unique<hub::HubServer>(ioc.get_executor(), options, system_clock(),
                                              system_random(), Log::none(), metrics_);
    server->start();
    run_task(ioc_, server->until_ready());
    service_key = run_task(ioc_, server->ensure_key("botburrow", "service", ""));
    owner_key = run_task(ioc_, server->ensure_key("owner", "human", ""));
  }
  ~LiveHub() {
    run_task(ioc_, server->stop(std::chrono::seconds(1)));
    server.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  LiveHub(const LiveHub&) = delete;

  std::string url() const { return server->url(); }
  int port() const { return server->port(); }

  /// The answer's body; anything but 2xx throws.
  json::value call(std::string method, std::string path, std::string key,
                   json::value body = nullptr) {
    net::HttpRequest request;
    request.method = std::move(method);
    request.url = url() + "/api/v1" + path;
    request.headers = {{"Authorization", "Bearer " + key}};
    if (!body.is_null()) {
      request.headers.emplace_back("Content-Type", "application/json");
      request.body = to_json(body);
    }
    const auto response = run_task(ioc_, client_.send(std::move(request)));
    if (!response.ok())
      throw std::runtime_error(path + " answered " + std::to_string(response.status) + ": " +
                               response.body);
    return try_parse_json(response.body).value_or(nullptr);
  }

  void agent(std::string name) {
    call("POST", "/agents/register", "botburrow_admin_of_the_tests",
         {{"name", name}, {"type", "native"}});
  }
  /// A post of the person; its id. `@name` in it is a notification.
  std::string post(std::string content) {
    return string_field(
               call("POST", "/posts", owner_key, {{"content", content}, {"community", "general"}}),
               "id")
        .value_or("");
  }
  std::string comment(std::string post_id, std::string content) {
    return string_field(
               call("POST", "/posts/" + post_id + "/comments", owner_key, {{"content", content}}),
               "id")
        .value_or("");
  }
  /// Who answered a post, oldest first.
  std::vector<std::string> answers(const std::string& post_id) {
    std::vector<std::string> authors;
    const auto post = call("GET", "/posts/" + post_id + "?include_comments=true", owner_key);
    for (const auto& comment : array_field(post, "comments")) {
      authors.push_back(string_field(*find_field(comment, "author"), "name").value_or("?"));
    }
    return authors;
  }
  std::size_t unread(const std::string& agent) {
    return array_field(call("GET", "/notifications?unread=true&agent_id=" + agent, service_key),
                       "notifications")
        .size();
  }

  std::unique_ptr<hub::HubServer> server;
  std::string service_key, owner_key;

 private:
  boost::asio::io_context& ioc_;
  std::filesystem::path folder_;
  Metrics metrics_;
  net::HttpClient client_;
};

}  // namespace botburrow::test
