#pragma once

#include "base/error.hpp"
#include "base/json.hpp"
#include "hubapi/client.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/foreign_hub.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::hubapi {

using namespace std::chrono_literals;

/// A client, and nothing at its other end yet.
class ClientTest : public ::testing::Test {
 protected:
  HubClient& connect(std::string url, std::string key = "service-key",
                     std::map<std::string, Secret> agent_keys = {}) {
    client = std::make_unique<HubClient>(http,
                                         HubClient::Options{.url = std::move(url),
                                                            .service_key = Secret(std::move(key)),
                                                            .agent_keys = std::move(agent_keys)},
                                         random, log, metrics);
    return *client;
  }
  template <class T>
  T run(Task<T> task, std::chrono::nanoseconds limit = 30s) {
    return test::run_task(ioc, std::move(task), limit);
  }
  /// What the call throws.
  template <class T>
  Error error_of(Task<T> task) {
    try {
      run(std::move(task));
    } catch (const Error& error) {
      return error;
    }
    return Error(errc::internal, "nothing was thrown");
  }
  static Deadline soon() { return Deadline::in(20s); }
  double requests(std::string endpoint, std::string code) {
    return metrics.counter("botburrow_hub_requests_total", "", {"endpoint", "code"})
        .with({std::move(endpoint), std::move(code)})
        .value();
  }

  boost::asio::io_context ioc;
  SeededRandom random{3};
  Metrics metrics;
  std::shared_ptr<test::LogLines> lines = std::make_shared<test::LogLines>();
  Log log{lines, {.level = LogLevel::debug}};
  net::HttpClient http{ioc.get_executor(), {.user_agent = "botburrow-agents/test"}};
  std::unique_ptr<HubClient> client;
};

/// The same with somebody else's Hub.
class ForeignClientTest : public ClientTest {
 protected:
  ForeignClientTest() {
    hub.start();
    connect(hub.url());
  }
  ~ForeignClientTest() override { run(hub.stop()); }
  test::ForeignHub hub{ioc.get_executor()};
};

}  // namespace botburrow::hubapi
