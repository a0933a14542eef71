// Our server on stdio: spoken to by hand, and by our own client.
#include "mcp/stdio_server.hpp"

#include "base/error.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>

namespace botburrow::mcp {
namespace {

using namespace std::chrono_literals;
using botburrow::test::run_task;
using botburrow::test::run_until;
using testing::HasSubstr;
using testing::Not;

class StdioServerTest : public testing::Test {
 protected:
  StdioServerTest() {
    ::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(::pipe2(to_server.data(), O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(from_server.data(), O_CLOEXEC), 0);
    ::fcntl(from_server[0], F_SETFL, O_NONBLOCK);
  }
  ~StdioServerTest() override {
    run_task(ioc, group.stop());
    for (const int fd : {to_server[0], to_server[1], from_server[0], from_server[1]})
      if (fd >= 0) ::close(fd);
  }

  void serve(StdioServerOptions options = {}) {
    options.in = to_server[0];
    options.out = from_server[1];
    group.spawn("server", [this, options] { return run(options); });
  }
  Task<> run(StdioServerOptions options) {
    try {
      co_await serve_stdio(rules, options, Log::none());
    } catch (const Error& error) {
      failure = error.message();
    }
    ended = true;
  }
  void say(const std::string& line) {
    ASSERT_EQ(::write(to_server[1], (line + "\n").data(), line.size() + 1),
              static_cast<ssize_t>(line.size() + 1));
  }
  /// A plain file that holds this.
  static int file_of(const std::string& text) {
    const int file = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    EXPECT_EQ(::write(file, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::lseek(file, 0, SEEK_SET);
    return file;
  }
  void hang_up() {
    ::close(to_server[1]);
    to_server[1] = -1;
  }
  void read() {
    std::array<char, 65536> buffer{};
    for (ssize_t got = 0; (got = ::read(from_server[0], buffer.data(), buffer.size())) > 0;)
      heard.append(buffer.data(), static_cast<std::size_t>(got));
  }
  /// Waits until the server has said this.
  bool hears(const std::string& text) {
    return run_until(ioc, [&] {
      read();
      return heard.find(text) != std::string::npos;
    });
  }
  /// Serves with this as its standard input until it ends, and what it answered.
  std::string answered_to(int in) {
    StdioServerOptions options;
    options.in = in;
    options.out = from_server[1];
    group.spawn("server", [this, options] { return run(options); });
    EXPECT_TRUE(run_until(ioc, [&] { return ended; })) << "it waits for ever";
    read();
    return heard;
  }
  static std::string call(int id, const std::string& tool, const std::string& meta = "{}") {
    return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) +
           R"(,"method":"tools/call","params":{"name":")" + tool + R"(","_meta":)" + meta + "}}";
  }

  ServerTool tool(std::string name, std::function<Task<ToolReply>(CallProgress&)> body) {
    return {.name = std::move(name),
            .description = "a tool",
            .input_schema = {{"type", "object"}},
            .handler = [body = std::move(body)](json::object, CallProgress& progress) {
              return body(progress);
            }};
  }
  std::vector<ServerTool> tools() {
    std::vector<ServerTool> all;
    all.push_back(
        tool("quick", [](CallProgress&) -> Task<ToolReply> { co_return ToolReply::text("done"); }));
    all.push_back(tool("throws", [](CallProgress&) -> Task<ToolReply> {
      throw Error(errc::io, "the disk is full");
      co_return ToolReply{};
    }));
    all.push_back(tool("steps", [](CallProgress& progress) -> Task<ToolReply> {
      co_await progress.progressed(1, 2, "half");
      co_await progress.progressed(2, 2, "");
      co_return ToolReply::text("done");
    }));
    all.push_back(tool("waits", [this](CallProgress&) -> Task<ToolReply> {
      ++waiting;
      try {
        co_await go.async_wait(boost::asio::use_awaitable);
      } catch (const boost::system::system_error&) {
        if (!let_go) ++cancelled;
        if (!let_go) throw;
      }
      co_return ToolReply::text("let go");
    }));
    all.push_back(tool("large", [](CallProgress&) -> Task<ToolReply> {
      co_return ToolReply::text(std::string(300'000, 'x'));
    }));
    return all;
  }

  boost::asio::io_context ioc;
  boost::asio::steady_timer go{ioc, boost::asio::steady_timer::time_point::max()};
  ServerRules rules{{.name = "ours", .version = "1"}, tools()};
  std::array<int, 2> to_server{}, from_server{};
  std::string heard, failure;
  int waiting = 0, cancelled = 0;
  bool let_go = false, ended = false;
  TaskGroup group{ioc.get_executor()};
};

TEST_F(StdioServerTest, ShakesHandsListsAndCalls) {
  serve();
  say(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})");
  say(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  say(R"({"jsonrpc":"2.0","id":"two","method":"tools/list"})");
  say(call(3, "quick"));

  EXPECT_TRUE(hears(R"("id":1,"result":{"protocolVersion":"2025-06-18")"));
  EXPECT_TRUE(hears(R"("id":"two")"));
  EXPECT_TRUE(hears(R"("id":3,"result":{"content":[{"type":"text","text":"done"}]})"));
}

TEST_F(StdioServerTest, BrokenMessagesAreAnsweredAndDoNotEndIt) {
  serve();
  say("{");
  EXPECT_TRUE(hears("-32700"));
  say(R"({"jsonrpc":"2.0","id":4,"method":"nothing/such"})");
  EXPECT_TRUE(hears(R"("id":4,"error":{"code":-32601)"));
  say(R"({"jsonrpc":"2.0","id":5,"method":7})");
  EXPECT_TRUE(hears(R"("id":5,"error":{"code":-32600)"));
  say(call(6, "quick"));
  EXPECT_TRUE(hears(R"("id":6,"result")"));
}

TEST_F(StdioServerTest, AMessageOverTheLimitIsRefused) {
  serve({.message_bytes_max = 1000});
  say(R"({"jsonrpc":"2.0","id":7,"method":")" + std::string(5000, 'm') + R"("})");

  EXPECT_TRUE(hears(R"("id":7,"error":{"code":-32600)"));
  say(call(8, "quick"));
  EXPECT_TRUE(hears(R"("id":8,"result")"));
}

TEST_F(StdioServerTest, WhatAToolThrowsIsAnErrorResult) {
  serve();
  say(call(1, "throws"));

  EXPECT_TRUE(hears("the disk is full"));
  EXPECT_THAT(heard, HasSubstr(R"("isError":true)"));
}

TEST_F(StdioServerTest, ProgressIsToldToThoseWhoAskedForIt) {
  serve();
  say(call(1, "steps"));
  ASSERT_TRUE(hears(R"("id":1,"result")"));
  EXPECT_THAT(heard, Not(HasSubstr("notifications/progress")));
  say(call(2, "steps", R"({"progressToken":"t"})"));

  ASSERT_TRUE(hears(R"("id":2,"result")"));
  EXPECT_THAT(heard,
              HasSubstr(R"("progressToken":"t","progress":1.0,"total":2.0,"message":"half")"));
}

TEST_F(StdioServerTest, CallsOverlap) {
  serve();
  say(call(1, "waits"));
  say(call(2, "quick"));

  EXPECT_TRUE(hears(R"("id":2,"result")"));
  EXPECT_EQ(waiting, 1);
  let_go = true;
  go.cancel();
  EXPECT_TRUE(hears("let go"));
}

TEST_F(StdioServerTest, ACallThatIsTakenBackEndsWithoutAnAnswer) {
  serve();
  say(call(1, "waits"));
  ASSERT_TRUE(run_until(ioc, [&] { return waiting == 1; }));
  say(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})");

  EXPECT_TRUE(run_until(ioc, [&] { return cancelled == 1; }));
  say(call(2, "quick"));
  EXPECT_TRUE(hears(R"("id":2,"result")"));
  EXPECT_THAT(heard, Not(HasSubstr(R"("id":1)")));
}

TEST_F(StdioServerTest, MoreCallsThanItsLimitWait) {
  serve({.calls_max = 2});
  for (int id = 1; id <= 3; ++id)
    say(call(id, "waits"));
  ASSERT_TRUE(run_until(ioc, [&] { return waiting == 2; }));
  ioc.poll();
  EXPECT_EQ(waiting, 2);
  let_go = true;
  go.cancel();

  EXPECT_TRUE(run_until(ioc, [&] {
    go.cancel();
    read();
    return heard.find(R"("id":3,"result")") != std::string::npos;
  }));
}

TEST_F(StdioServerTest, WhoSendsAllAtOnceAndHangsUpIsAnsweredStill) {
  say(call(1, "quick"));
  say(call(2, "steps"));
  hang_up();
  serve();

  EXPECT_TRUE(run_until(ioc, [&] { return ended; }));
  read();
  EXPECT_THAT(heard, HasSubstr(R"("id":1,"result")"));
  EXPECT_THAT(heard, HasSubstr(R"("id":2,"result")"));
  EXPECT_EQ(failure, "");
}

TEST_F(StdioServerTest, PlainFilesAndDevicesServeAsWell) {
  const auto temporary = [](const std::string& text) {
    const int fd = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    EXPECT_EQ(::pwrite(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return fd;
  };
  StdioServerOptions options;
  options.in = temporary(R"({"jsonrpc":"2.0","id":1,"method":"ping"})"
                         "\n");
  options.out = temporary("");
  group.spawn("server", [this, options] { return run(options); });
  ASSERT_TRUE(run_until(ioc, [this] { return ended; }));
  std::string text(1000, ' ');
  text.resize(static_cast<std::size_t>(::pread(options.out, text.data(), text.size(), 0)));
  EXPECT_THAT(text, HasSubstr("\"id\":1"));
  ::close(options.in);

  ended = false;
  options.in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  group.spawn("server", [this, options] { return run(options); });
  EXPECT_TRUE(run_until(ioc, [this] { return ended; })) << "nothing is asked, and that is the end";
  EXPECT_EQ(failure, "");
  ::close(options.in);
  ::close(options.out);
}

TEST_F(StdioServerTest, AClientThatNoLongerReadsEndsIt) {
  serve();
  ::close(from_server[0]);
  from_server[0] = -1;
  say(call(1, "quick"));
  hang_up();

  EXPECT_TRUE(run_until(ioc, [&] { return ended; }));
  EXPECT_THAT(failure, HasSubstr("no longer reads"));
}

TEST_F(StdioServerTest, LargeAnswersArriveWhole) {
  serve();
  say(call(1, "large"));
  say(call(2, "quick"));

  ASSERT_TRUE(hears(R"("id":2,"result")"));
  ASSERT_TRUE(hears(std::string(300'000, 'x')));
}

TEST_F(StdioServerTest, CancellingItCancelsItsCalls) {
  serve();
  say(call(1, "waits"));
  ASSERT_TRUE(run_until(ioc, [&] { return waiting == 1; }));

  run_task(ioc, group.stop());

  EXPECT_EQ(cancelled, 1);
}

TEST_F(StdioServerTest, APlainFileIsReadToItsEnd) {
  const int file = file_of(R"({"jsonrpc":"2.0","id":1,"method":"ping"})"
                           "\n");
  EXPECT_THAT(answered_to(file), HasSubstr("\"id\":1"));
  EXPECT_EQ(failure, "");
  ::close(file);
}

TEST_F(StdioServerTest, WhereNothingCanBeReadItEnds) {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(answered_to(null), "");
  ::close(null);
  ended = false;
  EXPECT_EQ(answered_to(-1), "") << "closed";
}

TEST_F(StdioServerTest, AnswersGoIntoAPlainFile) {
  const int in = file_of(R"({"jsonrpc":"2.0","id":7,"method":"ping"})"
                         "\n");
  const int out = file_of("");
  StdioServerOptions options;
  options.in = in;
  options.out = out;
  group.spawn("server", [this, options] { return run(options); });
  ASSERT_TRUE(run_until(ioc, [&] { return ended; }));
  std::array<char, 4096> text{};
  const auto got = ::pread(out, text.data(), text.size(), 0);
  EXPECT_THAT(std::string(text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))),
              HasSubstr("\"id\":7"));
  ::close(in);
  ::close(out);
}

}  // namespace
}  // namespace botburrow::mcp
