// `botburrow mcp`: the built program, on a server that behaves as it is told.
#include "base/json.hpp"
#include "tests/cli/run_program.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace botburrow::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Ran mcp(std::vector<std::string> words, std::map<std::string, std::string> environment = {},
        std::string input = "") {
  words.insert(words.begin(), "mcp");
  return run_program({.arguments = std::move(words),
                      .environment = std::move(environment),
                      .input = std::move(input)});
}

TEST(McpCommand, ListsTheToolsOfAServer) {
  const auto people = mcp({"tools", "--", BOTBURROW_FAKE_MCP, "good"});
  EXPECT_EQ(people.exit_code, 0) << people.err;
  EXPECT_THAT(people.out, AllOf(HasSubstr("fake 1, revision 2025-11-25, 4 tools"),
                                HasSubstr("echo  says what it is told")));

  const auto scripts = mcp({"tools", "--json", "--", BOTBURROW_FAKE_MCP, "modern"});
  const auto document = parse_json(scripts.out, "answer");
  EXPECT_EQ(document.at("protocolVersion"), "2026-07-28");
  EXPECT_EQ(document.at("serverInfo").at("name"), "fake");
  EXPECT_EQ(document.at("tools").at(0).at("name"), "echo");
  EXPECT_TRUE(document.at("tools").at(0).as_object().contains("inputSchema"));
}

TEST(McpCommand, ShowsTheFirstLineThatSaysSomethingAndNoWarningForALateServer) {
  const auto people = mcp({"tools", "--", BOTBURROW_FAKE_MCP, "late-begins-blank"});
  EXPECT_EQ(people.exit_code, 0) << people.err;
  EXPECT_THAT(people.out, HasSubstr("echo  Says what it is told.…\n"));
  EXPECT_EQ(people.err, "");
}

TEST(McpCommand, CallsATool) {
  const auto good = mcp({"call", "echo", R"({"text":"hello"})", "--", BOTBURROW_FAKE_MCP, "good"});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(good.out, "echo: hello\n");
  const auto as_json =
      mcp({"call", "echo", R"({"text":"hello"})", "--json", "--", BOTBURROW_FAKE_MCP, "good"});
  EXPECT_EQ(parse_json(as_json.out, "answer").at("content").at(0).at("text"), "echo: hello");

  const auto failed = mcp({"call", "echo", R"({"text":"fail"})", "--", BOTBURROW_FAKE_MCP, "good"});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_EQ(failed.out, "it did not work\n");
}

TEST(McpCommand, TheServerHasTheOperatorsEnvironment) {
  const auto ran = mcp({"call", "echo", R"({"text":"$MY_OWN"})", "--", BOTBURROW_FAKE_MCP, "good"},
                       {{"MY_OWN", "value"}});
  EXPECT_EQ(ran.out, "value\n");
}

TEST(McpCommand, SaysWhatIsWrong) {
  EXPECT_EQ(mcp({"tools"}).exit_code, 64);
  EXPECT_THAT(mcp({"tools"}).err, HasSubstr("a server is missing"));
  EXPECT_EQ(mcp({"call"}).exit_code, 64);
  const auto unknown = mcp({"call", "nothing", "--", BOTBURROW_FAKE_MCP, "good"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("the server has no tool \"nothing\""));
  const auto broken = mcp({"call", "echo", "{\"text\"", "--", BOTBURROW_FAKE_MCP, "good"});
  EXPECT_EQ(broken.exit_code, 65);
  for (const std::string arguments : {"[1]", "7", "\"text\"", "null"}) {
    const auto other = mcp({"call", "echo", arguments, "--", BOTBURROW_FAKE_MCP, "good"});
    EXPECT_EQ(other.exit_code, 65) << arguments;
    EXPECT_THAT(other.err, HasSubstr("expected an object"));
  }
  const auto missing = mcp({"tools", "--", "no-such-program"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("no-such-program"));
  const auto dead = mcp({"call", "echo", "{}", "--", BOTBURROW_FAKE_MCP, "dies-in-call"});
  EXPECT_EQ(dead.exit_code, 69);
  EXPECT_THAT(dead.err, AllOf(HasSubstr("exit code 3"), HasSubstr("segmentation of my faults")));
  const auto hangs =
      mcp({"tools", "--", BOTBURROW_FAKE_MCP, "hangs"}, {{"MCP_START_TIMEOUT", "3"}});
  EXPECT_EQ(hangs.exit_code, 124);
  EXPECT_THAT(hangs.err, HasSubstr("MCP_START_TIMEOUT"));
  EXPECT_EQ(mcp({"tools", "http://127.0.0.1:1/mcp"}).exit_code, 69);
}

TEST(McpDeskCommand, CountsAndAdds) {
  const std::string own = BOTBURROW_PROGRAM;
  const auto call = [&](const char* tool, const char* arguments) {
    return mcp({"call", tool, arguments, "--", own, "mcp", "desk"});
  };
  EXPECT_EQ(call("add_numbers", R"({"numbers":[19.9,4.5,12]})").out, "36.4\n");
  EXPECT_EQ(call("count_words", R"({"text":"one two\nthree"})").out, "3 words in 2 lines\n");
  EXPECT_EQ(call("weekday", R"({"date":"2026-07-28"})").out, "Tuesday\n");
  const auto wrong = call("weekday", R"({"date":"2026-02-30"})");
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.out, HasSubstr("expected a day"));
  EXPECT_THAT(call("add_numbers", R"({"numbers":["x"]})").out, HasSubstr("numbers"));
}

TEST(McpHubCommand, ServesNobodyWithoutAnAgent) {
  const auto ran = mcp({"hub", "--hub-url", "http://127.0.0.1:1"});
  EXPECT_EQ(ran.exit_code, 78);
  EXPECT_THAT(ran.err, HasSubstr("AGENT_ID is required"));
  const auto grants =
      mcp({"hub", "--hub-url", "http://127.0.0.1:1", "--agent", "scribe"}, {{"GRANTS", "hub:*"}});
  EXPECT_EQ(grants.exit_code, 78);
  EXPECT_THAT(grants.err, HasSubstr("wildcard"));
}

TEST(McpHubCommand, SaysWhyItOffersNothing) {
  const std::string ping = R"({"jsonrpc":"2.0","id":1,"method":"ping"})"
                           "\n";
  const auto ran =
      mcp({"hub", "--hub-url", "http://127.0.0.1:1", "--agent", "scribe", "--grants", "hub:x"}, {},
          ping);
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, AllOf(HasSubstr("missing_grants_for_mcp"), HasSubstr("hub:x"),
                             HasSubstr("no HUB_API_KEY is set")));
  const auto fine =
      mcp({"hub", "--hub-url", "http://127.0.0.1:1", "--agent", "scribe", "--grants", "hub:read"},
          {{"HUB_API_KEY", "botburrow_service_x"}}, ping);
  EXPECT_EQ(fine.err, "");
}

TEST(McpHubCommand, ListensBeyondLoopbackOnlyWithAToken) {
  const auto ran =
      mcp({"hub", "--hub-url", "http://127.0.0.1:1", "--agent", "scribe", "--listen", "0.0.0.0:0"});
  EXPECT_EQ(ran.exit_code, 78);
  EXPECT_THAT(ran.err, HasSubstr("MCP_HTTP_TOKEN"));
  EXPECT_EQ(
      mcp({"hub", "--hub-url", "http://127.0.0.1:1", "--agent", "scribe", "--listen", "somewhere"})
          .exit_code,
      64);
}

TEST(McpHubCommand, SpeaksTheProtocolOnStdoutAndNothingElse) {
  const auto ran = mcp(
      {"hub", "--hub-url", "http://127.0.0.1:1", "--agent", "scribe", "--grants", "hub:read"},
      {{"LOG_LEVEL", "DEBUG"}},
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05"}})"
      "\n"
      R"({"jsonrpc":"2.0","method":"notifications/initialized"})"
      "\n"
      R"({"jsonrpc":"2.0","id":2,"method":"tools/list"})"
      "\n");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  std::istringstream lines(ran.out);
  std::vector<json::value> messages;
  for (std::string line; std::getline(lines, line);)
    messages.push_back(parse_json(line, "a line of stdout"));
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].at("result").at("serverInfo").at("name"), "hub-mcp-server");
  EXPECT_EQ(messages[0].at("result").at("protocolVersion"), "2024-11-05");
  EXPECT_EQ(messages[1].at("result").at("tools").as_array().size(), 4u);
}

}  // namespace
}  // namespace botburrow::cli
