#pragma once

#include "base/error.hpp"
#include "mcp/connect.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <optional>
#include <string>

namespace botburrow::mcp::test {

/// A client of the fake server, started in one of its ways.
struct FakeServer {
  explicit FakeServer(std::string how) : way(std::move(how)) {
    options.times = {.quiet_max = std::chrono::seconds(20), .total_max = std::chrono::seconds(20)};
  }
  ~FakeServer() {
    if (client) botburrow::test::run_task(ioc, client->close());
  }

  LaunchSpec spec() const { return {.server = "fake", .argv = {BOTBURROW_FAKE_MCP, way}}; }

  Client& start(Deadline deadline = Deadline::in(std::chrono::seconds(20))) {
    client = botburrow::test::run_task(
        ioc, connect_stdio(launcher, spec(), limits, options, deadline, log));
    return *client;
  }
  /// What starting it failed with.
  std::optional<Error> start_failure(Deadline deadline = Deadline::in(std::chrono::seconds(20))) {
    try {
      start(deadline);
    } catch (const Error& error) {
      return error;
    }
    return std::nullopt;
  }
  CallResult call(std::string tool, std::string text = "") {
    return botburrow::test::run_task(
        ioc, client->call(call_of(std::move(tool), std::move(text)), Deadline::never()));
  }
  std::optional<Error> call_failure(std::string tool, std::string text = "") {
    try {
      call(std::move(tool), std::move(text));
    } catch (const Error& error) {
      return error;
    }
    return std::nullopt;
  }
  static Client::Call call_of(std::string tool, std::string text) {
    return {.tool = std::move(tool), .arguments = {{"text", std::move(text)}}};
  }

  std::string way;
  boost::asio::io_context ioc;
  PlainLauncher launcher{ioc.get_executor(), {{"PATH", "/usr/bin:/bin"}, {"HOME", "/nonexistent"}}};
  StdioChannel::Limits limits;
  ClientOptions options;
  std::shared_ptr<botburrow::test::LogLines> lines = std::make_shared<botburrow::test::LogLines>();
  Log log{lines, {.level = LogLevel::debug}};
  std::unique_ptr<Client> client;
};

}  // namespace botburrow::mcp::test
