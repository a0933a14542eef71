// Agents that are command-line tools, in the built program.
#include "services_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace botburrow::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::string claude_of_npm() {
  const auto path = std::string(BOTBURROW_SOURCE_DIR) +
                    "/build/peers/node_modules/@anthropic-ai/claude-code-linux-x64/claude";
  return std::filesystem::exists(path) ? path : "";
}

class Executors : public ServicesWorld {
 protected:
  void SetUp() override {
    start_hub();
    use_model();
    set("WORKSPACE_ROOT", folder_.file("workspaces"));
  }
  /// A program named `agent` that does this, as an operator installed and allowed it.
  std::string install(const std::string& script) {
    const auto path = folder_.file("agent");
    std::ofstream(path) << "#!/bin/bash\n" << script;
    ::chmod(path.c_str(), 0755);
    ::chmod(folder_.path().c_str(), 0755);
    set("MCP_COMMAND_ALLOW", path);
    return path;
  }
  void define_custom(const std::string& script) {
    define_agent("coder",
                 {.type = "custom",
                  .capabilities = fmt::format("executor:\n  command: {}\n", install(script))});
    register_agent("coder");
  }
  Ran once(const std::string& text = "@coder hello") {
    post_id = post_as_owner(text);
    return run({"runner", "--agent", "coder", "--once"});
  }
  std::vector<std::string> answers() {
    std::vector<std::string> texts;
    for (const auto& answer : answers_of(look_at(post_id), "coder"))
      texts.push_back(text_of(answer, "content"));
    return texts;
  }
  std::string post_id;
};

TEST_F(Executors, TheLastWordsOfACommandAreTheAnswer) {
  const auto canary = secret("sk-canary-of-the-runner-0123456789");
  set("OPENAI_API_KEY", canary);
  define_custom("grep -o 'hello there' | head -1; env | grep -c KEY; pwd");
  const auto ran = once("@coder hello there");
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  ASSERT_THAT(answers(), SizeIs(1));
  EXPECT_THAT(answers().front(), HasSubstr("hello there\n0\n/workspace"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.file("workspaces")));
}

TEST_F(Executors, WhatACommandPostsItselfIsTheAnswerAndIsNotSaidTwice) {
  define_custom(
      R"sh(body='{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hub_post","arguments":{"content":"posted by itself","reply_to":"'"$(grep -o 'hub text [0-9a-f-]\{36\}' | head -1 | cut -c10-)"'"}}}'
exec 3<>/dev/tcp/127.0.0.1/3128
printf 'POST /_/mcp/hub HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n%s' "${#body}" "$body" >&3
cat <&3 >&2; echo 'I posted it.')sh");
  const auto ran = once();
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_THAT(answers(), ::testing::ElementsAre("posted by itself")) << ran.err;
}

TEST_F(Executors, OneThatFailsIsAFailedTryWithItsWords) {
  define_custom("echo 'no licence' >&2; exit 4");
  const auto ran = once();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("exit code 4"), HasSubstr("no licence")));
  EXPECT_THAT(answers(), IsEmpty());
}

TEST_F(Executors, ACommandThatNobodyAllowedIsNotAvailable) {
  define_custom("true");
  set("MCP_COMMAND_ALLOW", "/another/one");
  const auto ran = once();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out + ran.err,
              AllOf(HasSubstr("Executor 'custom' not available"), HasSubstr("MCP_COMMAND_ALLOW")));
}

TEST_F(Executors, OneThatIsMissingIsNamed) {
  define_agent("coder", {.type = "goose"});
  register_agent("coder");
  const auto ran = once();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out + ran.err, HasSubstr("Executor 'goose' not available"));
}

TEST_F(Executors, TheOperatorNamesTheProgramOfAType) {
  set("EXECUTOR_CLAUDE_CODE_COMMAND", install(R"sh(cat >/dev/null
echo '{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"From another place."}')sh"));
  define_agent("coder", {.type = "claude-code"});
  register_agent("coder");
  const auto ran = once();
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_THAT(answers(), ::testing::ElementsAre("From another place."));

  set("EXECUTOR_CLAUDE_CODE_COMMAND", "/opt/none/claude");
  const auto none = once("@coder again");
  EXPECT_EQ(none.code, 1);
  EXPECT_THAT(none.out + none.err, AllOf(HasSubstr("Executor 'claude-code' not available"),
                                         HasSubstr("/opt/none/claude")));
}

TEST_F(Executors, TimeOverKillsItAndSaysSo) {
  define_custom("sleep 300.00390625");
  set("ACTIVATION_TIMEOUT", "10");
  const auto ran = once();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("Execution timed out after"));
}

TEST_F(Executors, ClaudeCodeAnswersWithTheModelOfTheRunner) {
  const auto claude = claude_of_npm();
  if (claude.empty()) GTEST_SKIP() << "not installed; ./dev test-peers does";
  const auto bin = folder_.file("bin");
  std::filesystem::create_directory(bin);
  std::filesystem::create_symlink(claude, bin + "/claude");
  set("PATH", bin + ":/usr/local/bin:/usr/bin:/bin");
  model().script([](const test::LlmSimulator::Request&) {
    return test::LlmSimulator::Answer::say("Hello from Claude Code.");
  });
  define_agent("coder", {.type = "claude-code"});
  register_agent("coder");
  const auto ran = once();
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_THAT(answers(), ::testing::ElementsAre("Hello from Claude Code."));
}

}  // namespace
}  // namespace botburrow::e2e
