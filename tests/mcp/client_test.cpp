// The client against a server that behaves as it is told: see program/fake_server.cpp.
#include "mcp/client.hpp"

#include "base/deadline.hpp"
#include "tests/mcp/fake_server.hpp"
#include "tests/support/program.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::mcp {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using botburrow::test::run_task;
using botburrow::test::run_until;
using test::FakeServer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> names(const std::vector<ToolDefinition>& tools) {
  std::vector<std::string> out;
  for (const auto& tool : tools)
    out.push_back(tool.name);
  return out;
}

TEST(McpClient, SpeaksToServersOfBothEras) {
  for (const auto& [way, revision] :
       {std::pair("good", "2025-11-25"), std::pair("old", "2024-11-05"),
        std::pair("modern", "2026-07-28")}) {
    FakeServer server(way);
    server.start();

    EXPECT_EQ(server.client->facts().revision, revision);
    EXPECT_EQ(server.client->facts().info.at("name"), "fake");
    EXPECT_THAT(names(run_task(server.ioc, server.client->list_tools(Deadline::in(10s)))),
                ElementsAre("echo", "slow", "last", "shaped"));
    EXPECT_EQ(server.call("echo", "hello").text, "echo: hello");
  }
}

TEST(McpClient, AServerThatKeepsSilentWhenProbedIsOneOfTheOlderEra) {
  FakeServer server("silent-when-probed");
  server.options.probe_max = 100ms;
  server.start();

  EXPECT_EQ(server.client->facts().revision, "2025-11-25");
  EXPECT_EQ(server.call("echo", "hello").text, "echo: hello");
}

TEST(McpClient, TheEraIsWhatTheServerSaysHoweverLateItBegins) {
  for (const auto& [way, revision] :
       {std::pair("late-good", "2025-11-25"), std::pair("late-old", "2024-11-05"),
        std::pair("late-modern", "2026-07-28"), std::pair("late-modern-only", "2026-07-28"),
        std::pair("swapped-modern-only", "2026-07-28"), std::pair("swapped-good", "2025-11-25")}) {
    FakeServer server(way);
    server.options.probe_max = way == std::string("swapped-modern-only") ? 500ms : 20ms;
    server.start();

    EXPECT_EQ(server.client->facts().revision, revision) << way;
    EXPECT_EQ(server.call("echo", "hello").text, "echo: hello") << way;
    EXPECT_EQ(server.lines->count("mcp_id_mismatch"), 0u) << way << server.lines->all();
  }
}

TEST(McpClient, AServerThatRefusesBothGreetingsIsRefused) {
  FakeServer server("refuses-greetings");
  const auto failure = server.start_failure();
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code(), errc::mcp_error);
  EXPECT_THAT(failure->message(), HasSubstr("-32601"));
}

TEST(McpClient, AServerThatEndsItselfWhenProbedIsStartedOnceMore) {
  FakeServer server("dies-when-probed");
  server.start();

  EXPECT_EQ(server.client->facts().revision, "2025-11-25");
  EXPECT_EQ(server.call("echo", "hello").text, "echo: hello");
}

TEST(McpClient, ARevisionThatWeDoNotSpeakEndsTheStart) {
  EXPECT_THAT(FakeServer("odd").start_failure()->message(), HasSubstr("\"1999-01-01\""));
  const auto later = FakeServer("later").start_failure();
  EXPECT_EQ(later->code(), errc::protocol);
  EXPECT_THAT(later->message(), HasSubstr("the server speaks 2031-01-01"));
}

TEST(McpClient, AHangingStartEndsWithItsDeadline) {
  FakeServer server("hangs");
  server.options.probe_max = 50ms;

  EXPECT_EQ(server.start_failure(Deadline::in(200ms))->code(), errc::timeout);
}

TEST(McpClient, AProgramThatIsNotThereIsNamed) {
  FakeServer server("good");
  try {
    run_task(server.ioc,
             connect_stdio(server.launcher, {.server = "x", .argv = {"no-such-mcp-server"}},
                           server.limits, server.options, Deadline::in(5s), server.log));
    FAIL() << "it started";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::not_found);
    EXPECT_THAT(error.message(), HasSubstr("no-such-mcp-server"));
  }
}

TEST(McpClient, AProgramThatIsNoServerShowsItsComplaints) {
  FakeServer server("good");
  try {
    run_task(server.ioc,
             connect_stdio(server.launcher,
                           {.server = "x", .argv = {"sh", "-c", "echo 'need a TOKEN' >&2; exit 4"}},
                           server.limits, server.options, Deadline::in(5s), server.log));
    FAIL() << "it started";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::mcp_unavailable);
    EXPECT_THAT(error.message(), HasSubstr("exit code 4"));
    EXPECT_THAT(error.message(), HasSubstr("need a TOKEN"));
  }
}

TEST(McpClient, ListsEndWhereTheyWouldNotEnd) {
  FakeServer circles("circles");
  circles.start();
  EXPECT_THROW(run_task(circles.ioc, circles.client->list_tools(Deadline::in(10s))), Error);

  FakeServer many("many");
  many.start();
  try {
    run_task(many.ioc, many.client->list_tools(Deadline::in(10s)));
    FAIL() << "it ended";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("more than 1000 tools"));
  }
}

TEST(McpClient, AnErrorOfTheServerIsToldInItsWords) {
  FakeServer server("good");
  server.start();

  const auto refused = server.call_failure("echo", "refuse");
  EXPECT_EQ(refused->code(), errc::mcp_error);
  EXPECT_EQ(refused->message(), "MCP error -32602: Unknown tool");
  const auto failed = server.call("echo", "fail");
  EXPECT_TRUE(failed.is_error);
  EXPECT_EQ(failed.text, "it did not work");
}

TEST(McpClient, ALieAboutTheFormIsAnError) {
  FakeServer server("good");
  server.start();
  auto call = FakeServer::call_of("shaped", "lie");
  call.output_schema = parse_json(R"({"properties":{"n":{"type":"integer"}}})", "schema");

  const auto result = run_task(server.ioc, server.client->call(call, Deadline::in(10s)));

  EXPECT_TRUE(result.is_error);
  EXPECT_THAT(result.text, HasSubstr("/n"));
}

TEST(McpClient, CallsOverlapAndAnswersFindTheirCall) {
  FakeServer server("good");
  server.start();
  std::vector<std::string> answers(20);
  TaskGroup group(server.ioc.get_executor());
  for (int i = 0; i < 20; ++i) {
    group.spawn("call", [&, i]() -> Task<> {
      const auto result = co_await server.client->call(
          FakeServer::call_of("echo", std::to_string(i)), Deadline::in(10s));
      answers[static_cast<std::size_t>(i)] = result.text;
    });
  }
  run_task(server.ioc, group.join());

  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(answers[static_cast<std::size_t>(i)], "echo: " + std::to_string(i));
}

TEST(McpClient, ATimedOutCallIsTakenBackAndTheServerGoesOn) {
  FakeServer server("good");
  server.options.times.quiet_max = 100ms;
  server.start();

  EXPECT_EQ(server.call_failure("slow")->code(), errc::timeout);
  EXPECT_THAT(server.call("echo", "what did you hear?").text, HasSubstr("notifications/cancelled"));
}

TEST(McpClient, ACancelledCallIsTakenBack) {
  FakeServer server("good");
  server.start();
  TaskGroup group(server.ioc.get_executor());
  group.spawn("call", [&]() -> Task<> {
    co_await server.client->call(FakeServer::call_of("slow", ""), Deadline::never());
  });
  // The call is on its way once another one that came later has its answer.
  server.call("echo", "first");

  run_task(server.ioc, group.stop());

  EXPECT_THAT(server.call("echo", "what did you hear?").text, HasSubstr("notifications/cancelled"));
}

TEST(McpClient, ProgressKeepsACallAliveUpToItsHardEnd) {
  FakeServer server("progress");
  server.options.times = {.quiet_max = 2s, .total_max = 20s};
  server.start();
  std::vector<double> seen;
  auto call = FakeServer::call_of("echo", "5");
  call.on_progress = [&](double done, std::optional<double> total, std::string) {
    EXPECT_EQ(total, 5);
    seen.push_back(done);
  };

  EXPECT_EQ(run_task(server.ioc, server.client->call(call, Deadline::never())).text, "done");
  EXPECT_THAT(seen, ElementsAre(1, 2, 3, 4, 5));

  FakeServer endless("progress");
  endless.options.times = {.quiet_max = 10s, .total_max = 300ms};
  endless.start();
  EXPECT_EQ(endless.call_failure("echo", "1000")->code(), errc::timeout);
}

TEST(McpClient, AServerThatDiesCostsItsCallAndSaysWhy) {
  FakeServer server("dies-in-call");
  server.start();

  const auto failure = server.call_failure("echo", "x");

  EXPECT_EQ(failure->code(), errc::mcp_unavailable);
  EXPECT_THAT(failure->message(), HasSubstr("exit code 3"));
  EXPECT_FALSE(server.client->alive());
  EXPECT_THAT(server.client->complaints(), HasSubstr("segmentation of my faults"));
  EXPECT_EQ(server.call_failure("echo", "x")->detail(), "not_sent");
}

TEST(McpClient, AFloodEndsTheServer) {
  FakeServer server("floods");
  server.limits.flood = {.messages_max = 1000, .bytes_max = 16u << 20};
  server.start();

  const auto failure = server.call_failure("echo", "x");

  EXPECT_EQ(failure->code(), errc::mcp_unavailable);
  EXPECT_THAT(failure->message(), HasSubstr("floods"));
}

TEST(McpClient, AnAnswerToNothingIsDropped) {
  FakeServer server("wrong-id");
  server.options.times.quiet_max = 300ms;
  server.start();

  EXPECT_EQ(server.call_failure("echo", "x")->code(), errc::timeout);
  EXPECT_GE(server.lines->count("mcp_id_mismatch"), 1u);
  EXPECT_EQ(server.call("echo", "right at last").text, "right at last");
}

TEST(McpClient, GarbageBetweenMessagesIsSkipped) {
  FakeServer server("garbage");
  server.start();

  EXPECT_EQ(server.call("echo", "x").text, "after the garbage");
  EXPECT_EQ(server.lines->count("mcp_message_invalid"), 1u) << server.lines->all();
  FakeServer banner("prints");
  banner.start();
  EXPECT_EQ(banner.call("echo", "x").text, "echo: x");
}

TEST(McpClient, AMessageOverTheLimitFailsItsOwnCallOnly) {
  FakeServer server("huge");
  server.start();
  std::optional<Error> failure;
  std::string small;
  TaskGroup group(server.ioc.get_executor());
  group.spawn("large", [&]() -> Task<> {
    try {
      co_await server.client->call(FakeServer::call_of("echo", "large"), Deadline::in(10s));
    } catch (const Error& error) {
      failure = error;
    }
  });
  group.spawn("small", [&]() -> Task<> {
    small = (co_await server.client->call(FakeServer::call_of("echo", "small"), Deadline::in(10s)))
                .text;
  });
  run_task(server.ioc, group.join());

  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code(), errc::limit);
  EXPECT_THAT(failure->message(), HasSubstr("MCP_OUTPUT_LIMIT_KB"));
  EXPECT_EQ(small, "small");
}

TEST(McpClient, QuestionsOfTheServerGetTheAnswersTheyAreOwed) {
  FakeServer server("asks");
  server.options.root = "/tmp/the workspace";
  server.start();

  const auto heard = server.call("echo", "x").text;

  EXPECT_THAT(heard, HasSubstr(R"("id":101,"result":{}})"));
  EXPECT_THAT(heard, HasSubstr("file:///tmp/the workspace"));
  EXPECT_THAT(heard, HasSubstr(R"("id":103,"error":{"code":-32601)"));
}

TEST(McpClient, ChangesOfTheListAreHeard) {
  FakeServer server("changes");
  server.start();
  const auto before = run_task(server.ioc, server.client->list_tools(Deadline::in(10s)));
  int heard = 0;
  server.client->on_tools_changed([&] { ++heard; });
  EXPECT_EQ(server.call("echo", "x").text, "echo: x");

  EXPECT_EQ(heard, 1);
  const auto after = run_task(server.ioc, server.client->list_tools(Deadline::in(10s)));
  EXPECT_NE(definitions_hash(before), definitions_hash(after));
}

TEST(McpClient, MuchOnStderrNeitherBlocksNorFills) {
  FakeServer server("complains");
  server.start();

  EXPECT_EQ(server.call("echo", "x").text, "echo: x");
  ASSERT_TRUE(run_until(server.ioc, [&] {
    return server.client->complaints().find("complaint 19999") != std::string::npos;
  }));
  EXPECT_LE(server.client->complaints().size(), server.limits.stderr_bytes_max);
}

TEST(McpClient, AServerThatDoesNotEndIsEnded) {
  FakeServer server("ignores-eof");
  server.limits.eof_grace = 50ms;
  server.limits.term_grace = 50ms;
  server.start();
  server.call("echo", "x");

  run_task(server.ioc, server.client->close());

  EXPECT_FALSE(server.client->alive());
  EXPECT_EQ(server.call_failure("echo", "x")->code(), errc::mcp_unavailable);
}

TEST(McpClient, TheChildHasTheEnvironmentItWasGivenAndNoOther) {
  ::setenv("BOTBURROW_TEST_CANARY", "leaked", 1);
  FakeServer server("good");
  auto spec = server.spec();
  spec.environment["TOKEN"] = "its own";
  server.client =
      run_task(server.ioc, connect_stdio(server.launcher, spec, server.limits, server.options,
                                         Deadline::in(10s), server.log));

  EXPECT_EQ(server.call("echo", "$TOKEN").text, "its own");
  EXPECT_EQ(server.call("echo", "$BOTBURROW_TEST_CANARY").text, "(unset)");
  EXPECT_THAT(server.lines->all(), Not(HasSubstr("its own")));
}

}  // namespace
}  // namespace botburrow::mcp
