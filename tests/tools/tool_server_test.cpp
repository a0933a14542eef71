#include "tools/tool_server.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/stop.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace botburrow::tools {
namespace {

using namespace std::chrono_literals;
using test::run_task;
using testing::ElementsAre;
using testing::HasSubstr;

/// Notes when it begins and ends; waits for a signal where it is told to.
class SlowTool final : public Tool {
 public:
  SlowTool(StopSource& go, std::vector<std::string>& events) : go_(go), events_(events) {
    spec_ = {.name = "slow", .description = "", .input_schema = {{"type", "object"}}};
  }
  const llm::ToolSpec& spec() const override { return spec_; }
  Task<ToolOutput> call(json::value, Deadline) override {
    events_.push_back("begin");
    co_await go_.wait();
    events_.push_back("end");
    co_return ToolOutput::ok("done");
  }
  bool has_effects() const override { return true; }

 private:
  StopSource& go_;
  std::vector<std::string>& events_;
  llm::ToolSpec spec_;
};

class ToolServerTest : public testing::Test {
 protected:
  ToolServerTest() {
    box.add(std::make_unique<SlowTool>(go, events));
    made.emplace(ioc.get_executor(), box,
                 ToolServer::Options{.version = "1", .deadline = Deadline::in(20s)}, log);
  }

  static net::ServerRequest message(std::string method, json::object params = {}) {
    json::object body{
        {"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", std::move(params)}};
    return {.method = "POST",
            .headers = {{"content-type", "application/json"},
                        {"accept", "application/json, text/event-stream"}},
            .body = to_json(body)};
  }
  net::ServerResponse ask(net::ServerRequest request) {
    return run_task(ioc, made->serve(std::move(request)));
  }
  void call_in_background() {
    boost::asio::co_spawn(
        ioc, made->serve(message("tools/call", {{"name", "slow"}, {"arguments", json::object()}})),
        [this](std::exception_ptr, net::ServerResponse answer) { answers.push_back(answer.body); });
  }

  boost::asio::io_context ioc;
  std::shared_ptr<test::LogLines> lines = std::make_shared<test::LogLines>();
  Log log{lines, {.level = LogLevel::debug}};
  Metrics metrics;
  StopSource go{ioc.get_executor()};
  std::vector<std::string> events, answers;
  Toolbox box{log, metrics, GrantTable(definitions::GrantSet({"hub:read"}), false)};
  std::optional<ToolServer> made;
};

TEST_F(ToolServerTest, OffersTheToolsOfTheBox) {
  EXPECT_THAT(made->names(), ElementsAre("slow"));
  EXPECT_THAT(ask(message("initialize", {{"protocolVersion", "2025-11-25"},
                                         {"capabilities", json::object()},
                                         {"clientInfo", {{"name", "x"}, {"version", "1"}}}}))
                  .body,
              HasSubstr("\"protocolVersion\":\"2025-11-25\""));
  EXPECT_THAT(ask(message("tools/list")).body, HasSubstr("\"name\":\"slow\""));
  EXPECT_EQ(ask({.method = "GET"}).status, 405);
}

TEST_F(ToolServerTest, ACallWithoutTheGrantIsToldWhichOneAndCounted) {
  const auto answer =
      ask(message("tools/call", {{"name", "hub_post"}, {"arguments", json::object()}})).body;
  EXPECT_THAT(answer, HasSubstr("hub_post is not allowed: this agent does not hold the grant "
                                "hub:write"));
  EXPECT_THAT(answer, HasSubstr("\"isError\":true"));
  EXPECT_THAT(ask(message("tools/list")).body, testing::Not(HasSubstr("hub_post")));
  EXPECT_EQ(lines->count("grant_denied"), 1u);
  EXPECT_THAT(metrics.expose(), HasSubstr("botburrow_grant_denied_total{grant=\"hub:write\"} 1"));
  EXPECT_THAT(ask(message("tools/call", {{"name", "nothing"}})).body, HasSubstr("Unknown tool"));
}

TEST_F(ToolServerTest, ACallIsLoggedOnce) {
  go.stop();
  ask(message("tools/call", {{"name", "slow"}, {"arguments", json::object()}}));
  EXPECT_EQ(lines->count("tool_call"), 1u);
}

TEST_F(ToolServerTest, CallsComeOneAtATime) {
  call_in_background();
  call_in_background();
  ASSERT_TRUE(test::run_until(ioc, [&] { return events.size() == 1; }));
  ioc.poll();
  EXPECT_THAT(events, ElementsAre("begin"));
  go.stop();
  ASSERT_TRUE(test::run_until(ioc, [&] { return answers.size() == 2; }));
  EXPECT_THAT(events, ElementsAre("begin", "end", "begin", "end"));
}

TEST_F(ToolServerTest, FinishingWaitsForTheCallUnderWay) {
  call_in_background();
  ASSERT_TRUE(test::run_until(ioc, [&] { return events.size() == 1; }));
  bool finished = false;
  boost::asio::co_spawn(ioc, made->finish(), [&](std::exception_ptr) { finished = true; });
  ioc.poll();
  EXPECT_FALSE(finished);
  EXPECT_EQ(ask(message("tools/list")).status, 404);
  go.stop();
  ASSERT_TRUE(test::run_until(ioc, [&] { return finished; }));
  EXPECT_THAT(events, ElementsAre("begin", "end"));
}

TEST_F(ToolServerTest, StoppingCancelsTheCallUnderWay) {
  call_in_background();
  ASSERT_TRUE(test::run_until(ioc, [&] { return events.size() == 1; }));
  run_task(ioc, made->stop());
  EXPECT_THAT(events, ElementsAre("begin"));
  EXPECT_FALSE(made->failure());
}

}  // namespace
}  // namespace botburrow::tools
