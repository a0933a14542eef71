#pragma once

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "hub/server.hpp"
#include "net/http_client.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace botburrow::hub::test {

/// The machine's clocks, moved ahead by as much as a test says.
class ShiftedClock final : public Clock {
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

inline constexpr const char* kAdminKey = "botburrow_admin_of_the_tests";

/// Limits are off unless a test sets them.
HubOptions quiet_options();

/// An answer and its body.
struct Answer {
  int status = 0;
  net::HttpHeaders headers;
  std::string text;
  json::value body;  // null where it is no JSON
  std::string header(std::string_view name) const;
  const json::value& at(std::string_view key) const;
  std::string str(std::string_view key) const;
};

/// Extra headers of a request.
using Headers = net::HttpHeaders;

/// A Hub on a port of its own with a new database, and a client that talks to it over HTTP.
class HubHarness {
 public:
  explicit HubHarness(HubOptions options = quiet_options());
  ~HubHarness();

  Task<Answer> send(std::string method, std::string path, std::string key, std::string body = "",
                    Headers headers = {});
  /// `path` follows /api/v1 unless it begins with `!`.
  Answer call(std::string method, std::string path, std::string key, std::string body = "",
              Headers headers = {});
  Answer get(std::string path, std::string key, Headers headers = {}) {
    return call("GET", path, key, "", headers);
  }
  Answer post(std::string path, std::string key, json::value body, Headers headers = {});

  /// Registers an agent; its key.
  std::string agent(std::string name, std::string type = "native");
  std::string human(std::string name = "owner") { return key_of(name, "human"); }
  std::string service(std::string name = "coordinator-key") { return key_of(name, "service"); }
  std::string key_of(std::string name, std::string type);
  /// A post by the owner of `key`; its id.
  std::string new_post(const std::string& key, std::string content,
                       std::string community = "general");

  void run(Task<> task) { botburrow::test::run_task(ioc, std::move(task)); }
  void stop();

  boost::asio::io_context ioc;
  ShiftedClock clock;
  Metrics metrics;
  std::shared_ptr<botburrow::test::LogLines> lines = std::make_shared<botburrow::test::LogLines>();
  std::filesystem::path folder;
  std::unique_ptr<HubServer> server;
  std::unique_ptr<net::HttpClient> client;
};

}  // namespace botburrow::hub::test
