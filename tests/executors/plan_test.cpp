// How command-line agents are started, and what their output means. The recordings of Claude Code
// and OpenCode are of the programs themselves; those of Goose and Aider are written after their
// sources, for neither comes from apt or npm.
#include "executors/plan.hpp"

#include "base/json.hpp"
#include "executors/lines.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace botburrow::executors {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string recording(const std::string& name) {
  std::ostringstream text;
  const auto path = std::string(BOTBURROW_SOURCE_DIR) + "/tests/executors/recordings/" + name;
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  text << file.rdbuf();
  return text.str();
}

Job job() {
  return {.provider = "anthropic",
          .model = "claude-sonnet-4-20250514",
          .system_prompt = "You are Bot.",
          .prompt = "Say hello",
          .turns_max = 7,
          .tools = {"hub_post"}};
}
const Inside kInside{.program = "/usr/bin/x"};

std::string file_of(const Plan& plan, const std::string& path) {
  for (const auto& file : plan.files)
    if (file.path == path) return file.text;
  ADD_FAILURE() << "no file " << path;
  return "";
}
std::string after(const Plan& plan, const std::string& flag) {
  for (std::size_t i = 0; i + 1 < plan.argv.size(); ++i)
    if (plan.argv[i] == flag) return plan.argv[i + 1];
  return "(no " + flag + ")";
}

TEST(ClaudeCode, IsStartedWithWhatItMayDoAndNoMore) {
  auto asked = job();
  asked.budget_usd = 1.5;
  const auto plan = claude_code.plan(asked, kInside);
  EXPECT_EQ(plan.input, "Say hello");
  EXPECT_EQ(after(plan, "--model"), "claude-sonnet-4-20250514");
  EXPECT_EQ(after(plan, "--max-turns"), "7");
  EXPECT_EQ(after(plan, "--max-budget-usd"), "1.500000");
  EXPECT_EQ(after(plan, "--tools"), "Read,Write,Edit,Glob,Grep");
  EXPECT_EQ(after(plan, "--allowedTools"), "Read,Write,Edit,Glob,Grep,mcp__hub__hub_post");
  EXPECT_THAT(plan.argv, Contains("--strict-mcp-config"));
  EXPECT_EQ(file_of(plan, "system-prompt.md"), "You are Bot.");
  EXPECT_EQ(file_of(plan, "mcp.json"),
            R"({"mcpServers":{"hub":{"type":"http","url":"http://127.0.0.1:3128/_/mcp/hub"}}})");
  EXPECT_EQ(plan.environment.at("ANTHROPIC_BASE_URL"), "http://127.0.0.1:3128/_/llm/anthropic");
  for (const auto& word : plan.argv)
    EXPECT_THAT(word, Not(HasSubstr("Say hello")));
}

TEST(ClaudeCode, HasAShellOnlyForItsCommands) {
  auto asked = job();
  asked.shell = {"ls", "wc"};
  EXPECT_EQ(after(claude_code.plan(asked, kInside), "--tools"), "Read,Write,Edit,Glob,Grep,Bash");
  EXPECT_THAT(after(claude_code.plan(asked, kInside), "--allowedTools"),
              HasSubstr(",Bash(ls:*),Bash(wc:*),"));
  asked.shell = {"ls", "bash"};
  EXPECT_THAT(after(claude_code.plan(asked, kInside), "--allowedTools"), HasSubstr(",Bash,"));
}

TEST(ClaudeCode, SpeaksToItsVendorOnly) {
  auto asked = job();
  EXPECT_FALSE(claude_code.fault(asked));
  asked.api = Job::Api::openai;
  asked.provider = "deepseek";
  EXPECT_THAT(claude_code.fault(asked).value_or(""), HasSubstr("deepseek"));
}

TEST(ClaudeCode, SaysWhatItAnsweredAndWhatItCost) {
  const auto report = claude_code.read(recording("claude-code-2.1.197.jsonl"), "");
  EXPECT_EQ(report.text, "All done.");
  EXPECT_EQ(report.error, "");
  EXPECT_EQ(report.turns, 2);
  EXPECT_EQ(report.usage,
            (llm::Usage{.input = 250, .output = 18, .cache_read = 40, .cache_write = 10}));
  EXPECT_DOUBLE_EQ(report.cost_usd.value_or(0), 0.0009195);
}

TEST(ClaudeCode, AFailureWasPaidForAsWell) {
  const auto turns = claude_code.read(recording("claude-code-2.1.197-turns.jsonl"), "");
  EXPECT_EQ(turns.error, "Exceeded maximum iterations");
  EXPECT_EQ(turns.usage.output, 9);
  const auto away = claude_code.read(recording("claude-code-2.1.197-away.jsonl"), "");
  EXPECT_THAT(away.error, HasSubstr("Unable to connect to API"));
}

TEST(ClaudeCode, OutputThatBreaksOffIsAFailure) {
  auto text = recording("claude-code-2.1.197.jsonl");
  text.resize(text.size() - 200);
  const auto report = claude_code.read(text, "");
  EXPECT_THAT(report.error, HasSubstr("without a result"));
  EXPECT_TRUE(report.usage.estimated);
}

TEST(OpenCode, IsStartedWithAConfigurationOfItsOwn) {
  auto asked = job();
  asked.shell = {"ls"};
  const auto plan = opencode.plan(asked, kInside);
  EXPECT_EQ(after(plan, "-m"), "botburrow/claude-sonnet-4-20250514");
  EXPECT_EQ(plan.input, "Say hello");
  const auto config = parse_json(file_of(plan, ".config/opencode/opencode.json"), "config");
  const auto& provider = config.at("provider").at("botburrow");
  EXPECT_EQ(provider.at("npm"), "@ai-sdk/anthropic");
  EXPECT_EQ(provider.at("options").at("baseURL"), "http://127.0.0.1:3128/_/llm/anthropic/v1");
  EXPECT_EQ(config.at("mcp").at("hub").at("url"), "http://127.0.0.1:3128/_/mcp/hub");
  EXPECT_EQ(config.at("permission").at("webfetch"), "deny");
  EXPECT_EQ(to_json(config.at("permission").at("bash")),
            R"({"*":"deny","ls":"allow","ls *":"allow"})");
  EXPECT_EQ(config.at("instructions").at(0), "/home/agent/system-prompt.md");

  asked = job();
  asked.api = Job::Api::openai;
  asked.provider = "openai";
  const auto other = parse_json(
      file_of(opencode.plan(asked, kInside), ".config/opencode/opencode.json"), "config");
  EXPECT_EQ(other.at("provider").at("botburrow").at("options").at("baseURL"),
            "http://127.0.0.1:3128/_/llm/openai");
  EXPECT_EQ(other.at("permission").at("bash"), "deny");
}

TEST(OpenCode, SaysWhatItAnsweredAndWhatItUsed) {
  const auto report = opencode.read(recording("opencode-1.18.33.jsonl"), "");
  EXPECT_EQ(report.text, "All done.");
  EXPECT_EQ(report.error, "");
  EXPECT_EQ(report.usage, (llm::Usage{.input = 200, .output = 14}));
  const auto failed = opencode.read(recording("opencode-1.18.33-error.jsonl"), "");
  EXPECT_THAT(failed.error, HasSubstr("Unexpected server error"));
  EXPECT_THAT(opencode.read("", "").error, HasSubstr("without a result"));
}

TEST(Goose, IsStartedWithAConfigurationOfItsOwn) {
  const auto plan = goose.plan(job(), kInside);
  EXPECT_THAT(plan.argv, ElementsAre("/usr/bin/x", "run", "--no-session", "--output-format",
                                     "stream-json", "-i", "-"));
  EXPECT_EQ(plan.input, "You are Bot.\n\nSay hello");
  EXPECT_EQ(plan.environment.at("GOOSE_PROVIDER"), "anthropic");
  EXPECT_EQ(plan.environment.at("GOOSE_MODE"), "auto");
  EXPECT_THAT(file_of(plan, ".config/goose/config.yaml"),
              AllOf(HasSubstr("streamable_http"), Not(HasSubstr("developer"))));
  auto asked = job();
  asked.shell = {"bash"};
  EXPECT_THAT(file_of(goose.plan(asked, kInside), ".config/goose/config.yaml"),
              HasSubstr("developer"));
  asked.api = Job::Api::openai;
  asked.provider = "openai";
  EXPECT_EQ(goose.plan(asked, kInside).environment.at("OPENAI_BASE_PATH"),
            "_/llm/openai/chat/completions");
}

TEST(Goose, SaysWhatItAnsweredAndWhatItUsed) {
  const auto report = goose.read(recording("goose-1.50.jsonl"), "");
  EXPECT_EQ(report.text, "All done.");
  EXPECT_EQ(report.error, "");
  EXPECT_EQ(report.usage,
            (llm::Usage{.input = 200, .output = 57, .cache_read = 40, .cache_write = 10}));
  EXPECT_DOUBLE_EQ(report.cost_usd.value_or(0), 0.0011);
  const auto failed = goose.read(
      "{\"type\":\"error\",\"error\":\"no "
      "credits\"}\n{\"type\":\"complete\",\"total_tokens\":null}\n",
      "");
  EXPECT_EQ(failed.error, "no credits");
  EXPECT_TRUE(failed.usage.estimated);
}

TEST(Aider, IsStartedWithItsMessageInAFile) {
  const auto plan = aider.plan(job(), kInside);
  EXPECT_EQ(after(plan, "--message-file"), "/home/agent/message.md");
  EXPECT_EQ(after(plan, "--model"), "anthropic/claude-sonnet-4-20250514");
  EXPECT_EQ(file_of(plan, "message.md"), "You are Bot.\n\nSay hello");
  auto asked = job();
  asked.provider = "deepseek";
  asked.api = Job::Api::openai;
  EXPECT_EQ(after(aider.plan(asked, kInside), "--model"), "deepseek/claude-sonnet-4-20250514");
}

TEST(Aider, SaysWhatItAnsweredAndWhatItCost) {
  const auto report = aider.read(recording("aider-0.86.txt"), "");
  EXPECT_THAT(report.text, testing::StartsWith("I'll write the greeting into a file."));
  EXPECT_THAT(report.text, Not(HasSubstr("Tokens:")));
  EXPECT_EQ(report.usage, (llm::Usage{.input = 4200, .output = 312, .cache_read = 1100}));
  EXPECT_DOUBLE_EQ(report.cost_usd.value_or(0), 0.02);
}

TEST(Aider, WithoutAnExchangeThereIsNoAnswer) {
  const auto report = aider.read("Aider v0.86.1\nlitellm.AuthenticationError: no\n", "");
  EXPECT_TRUE(report.usage.estimated);
  EXPECT_EQ(report.error,
            "it had no answer of its model; its output ends: litellm.AuthenticationError: no");
  EXPECT_EQ(aider.read("", "").error, "it had no answer of its model");
  EXPECT_EQ(aider.read(recording("aider-0.86.txt"), "").error, "");
}

TEST(Custom, FillsItsArgumentsOnce) {
  auto asked = job();
  asked.prompt = "see ${MODEL}";
  asked.custom.args = {"--in=${WORKSPACE}", "${PROMPT}", "${SYSTEM_PROMPT}", "${MODEL}", "${HOME}"};
  const auto plan = custom.plan(asked, kInside);
  EXPECT_THAT(plan.argv, ElementsAre("/usr/bin/x", "--in=/workspace", "see ${MODEL}",
                                     "You are Bot.", "claude-sonnet-4-20250514", "${HOME}"));
  EXPECT_EQ(plan.input, "");
}

TEST(Custom, ReadsThePromptWhereItDoesNotAskForIt) {
  EXPECT_EQ(custom.plan(job(), kInside).input, "You are Bot.\n\nSay hello");
  const auto report = custom.read("\n  answer \n", "");
  EXPECT_EQ(report.text, "answer");
  EXPECT_TRUE(report.usage.estimated);
}

TEST(Lines, NumbersForPeopleAreRead) {
  EXPECT_EQ(human_number("1,234"), 1234);
  EXPECT_EQ(human_number("4.2k"), 4200);
  EXPECT_EQ(human_number("1.1M"), 1100000);
  EXPECT_EQ(human_number("312"), 312);
  for (const auto* wrong : {"", "k", "-3", "nan", "x1"})
    EXPECT_EQ(human_number(wrong), 0) << wrong;
}

}  // namespace
}  // namespace botburrow::executors
