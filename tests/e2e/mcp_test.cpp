// MCP servers of agents, in the built program: each in its sandbox, whatever they do.
#include "services_world.hpp"
#include "tests/support/sanitizers.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace botburrow::e2e {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class McpOnce : public ServicesWorld {
 protected:
  void SetUp() override {
    if (test::kSanitized)
      GTEST_SKIP() << "the server of this build needs more than the sandbox has";
    start_hub();
    set("WORKSPACE_ROOT", folder_.file("workspaces"));
    set("MCP_TIMEOUT", "2");
    set("MCP_CALL_MAX", "4");
    set("MCP_START_TIMEOUT", "10");
  }
  void has_server(const std::string& name) {
    define_agent("anna", {.grants = fmt::format("hub:read, hub:write, {0}:use, {0}:write", name),
                          .capabilities = fmt::format("  mcp_servers: [{}]\n", name)});
    if (!std::exchange(registered_, true)) register_agent("anna");
  }
  void fake_server(const std::string& way, const std::string& more = "") {
    const auto file = folder_.file("servers.yaml");
    std::ofstream(file) << fmt::format("servers:\n  fake:\n    command: {}\n    args: [{}, {}]\n{}",
                                       BOTBURROW_FAKE_MCP, way, word_, more);
    set("MCP_SERVERS_FILE", file);
    has_server("fake");
  }
  /// What anna answers to this. She must answer.
  std::string asked(const std::string& text) {
    const auto id = post_as_owner("@anna " + text);
    ran = run({"runner", "--agent", "anna", "--once", "--llm", "offline"});
    EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
    const auto answers = answers_of(look_at(id), "anna");
    EXPECT_THAT(answers, SizeIs(1));
    const auto root = folder_.file("workspaces");
    EXPECT_TRUE(!std::filesystem::exists(root) || std::filesystem::is_empty(root));
    EXPECT_THAT(processes_named(word_), IsEmpty());
    return answers.empty() ? "" : text_of(answers.front(), "content");
  }
  Ran ran;

 private:
  bool registered_ = false;
  /// Among the arguments of this test's servers, to tell them from others'.
  std::string word_ = fmt::format("bb-mcp-{}", ::getpid());
};

TEST_F(McpOnce, AnAgentUsesTheServerOfThisProgram) {
  has_server("desk");
  EXPECT_THAT(asked(R"(use tool mcp_desk_add_numbers {"numbers": [1, 2, 39]})"), HasSubstr("42"));
  EXPECT_THAT(ran.err, HasSubstr("mcp_server_started"));
}

TEST_F(McpOnce, TheServerSeesItsCredentialAndNoOther) {
  set("GITHUB_PAT", secret("ghp_for_the_fake_server_1234"));
  set("OPENAI_API_KEY", secret("sk-not-for-the-fake-server-1234"));
  fake_server("good", "    credential: {name: FAKE_TOKEN, from: GITHUB_PAT}\n");
  EXPECT_THAT(
      asked(
          R"(use tool mcp_fake_echo {"text": "sh: echo ${#FAKE_TOKEN} ${#OPENAI_API_KEY}; pwd"})"),
      HasSubstr("28 0\n/workspace"));
}

TEST_F(McpOnce, OneThatHangsInTheHandshakeIsMissed) {
  fake_server("hangs");
  set("MCP_START_TIMEOUT", "3");
  asked(R"(use tool mcp_fake_echo {"text": "x"})");
  EXPECT_THAT(ran.err, HasSubstr("mcp_server_start_failed"));
}

TEST_F(McpOnce, OneThatFloodsCostsItsCall) {
  fake_server("floods");
  EXPECT_THAT(asked(R"(use tool mcp_fake_echo {"text": "x"})"), HasSubstr("floods"));
}

TEST_F(McpOnce, OneThatFloodsBeforeItSpeaksIsMissed) {
  fake_server("floods-at-start");
  asked(R"(use tool mcp_fake_echo {"text": "x"})");
  EXPECT_THAT(ran.err, HasSubstr("mcp_server_start_failed"));
}

TEST_F(McpOnce, OneThatDiesInACallCostsItsCall) {
  fake_server("dies-in-call");
  EXPECT_THAT(asked(R"(use tool mcp_fake_echo {"text": "x"})"), HasSubstr("not known"));
}

TEST_F(McpOnce, OneThatAnswersWithTheWrongIdCostsItsCall) {
  fake_server("wrong-id");
  EXPECT_THAT(asked(R"(use tool mcp_fake_echo {"text": "x"})"), Not(HasSubstr("not yours")));
  EXPECT_THAT(ran.err, HasSubstr("mcp_id_mismatch"));
}

TEST_F(McpOnce, OneThatChangesItsToolsIsWithheld) {
  fake_server("changes");
  asked(R"(use tool mcp_fake_echo {"text": "one"} use tool mcp_fake_echo {"text": "two"})");
  EXPECT_THAT(ran.err, HasSubstr("mcp_server_quarantined"));
  EXPECT_THAT(ran.err, HasSubstr("botburrow mcp approve fake"));
  EXPECT_THAT(run({"mcp", "approve"}).out, HasSubstr("fake"));
  EXPECT_EQ(run({"mcp", "approve", "fake"}).code, 0);
}

// The next activation meets other tools than the one before.
TEST_F(McpOnce, OneThatChangesItsToolsBetweenRunsIsWithheldUntilItIsApproved) {
  const std::string wish = R"(use tool mcp_fake_echo {"text": "hello"})";
  fake_server("good");
  EXPECT_THAT(asked(wish), HasSubstr("echo: hello"));
  fake_server("other");
  EXPECT_THAT(asked(wish), Not(HasSubstr("echo: hello")));
  EXPECT_THAT(ran.err, HasSubstr("mcp_server_quarantined"));
  EXPECT_EQ(run({"mcp", "approve", "fake"}).code, 0);
  EXPECT_THAT(asked(wish), HasSubstr("echo: hello"));
}

TEST_F(McpOnce, OneWhoseCommandNobodyAllowedDoesNotRun) {
  define_agent("anna", {.grants = "hub:read, hub:write, own:write",
                        .capabilities = fmt::format(
                            "  mcp_servers: [{{name: own, command: {}, args: [good]}}]\n",
                            BOTBURROW_FAKE_MCP)});
  register_agent("anna");
  asked(R"(use tool mcp_own_echo {"text": "x"})");
  EXPECT_THAT(ran.err, HasSubstr("is not on MCP_COMMAND_ALLOW"));

  set("MCP_COMMAND_ALLOW", BOTBURROW_FAKE_MCP);
  EXPECT_THAT(asked(R"(use tool mcp_own_echo {"text": "hello"})"), HasSubstr("echo: hello"));
}

}  // namespace
}  // namespace botburrow::e2e
