#include "tools/bash_tool.hpp"

#include "tests/sandbox/sandbox_world.hpp"
#include "tools/core_tools.hpp"
#include "tools/toolbox.hpp"

#include <boost/json.hpp>

namespace botburrow::tools {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class BashToolTest : public ::testing::Test {
 protected:
  void allow(definitions::Shell changed, CoreToolLimits limits = {}) {
    changed.enabled = true;
    shell = std::move(changed);
    box.emplace(Log::none(), world.metrics, GrantTable({}, true), limits.output_bytes_max);
    box->offer(make_core_tools(world.place, shell, limits));
  }
  llm::ToolResult result(std::string command, Deadline deadline = Deadline::in(60s)) {
    llm::ToolCall wish{.id = "1", .name = "Bash", .arguments = {{"command", std::move(command)}}};
    return world.run(box->call(std::move(wish), deadline, fatal));
  }
  std::string bash(std::string command, Deadline deadline = Deadline::in(60s)) {
    return result(std::move(command), deadline).content;
  }

  sandbox::SandboxWorld world;
  definitions::Shell shell;
  std::optional<Toolbox> box;
  bool fatal = false;
};

TEST_F(BashToolTest, RunsOneProgramByItsArguments) {
  allow({});
  sandbox::put(world.inside() / "a b.txt", "one\ntwo\n");
  EXPECT_EQ(bash("cat 'a b.txt'"), "one\ntwo\n");
  EXPECT_EQ(bash("pwd"), "/workspace\n");
  EXPECT_THAT(bash("cat 'a b.txt' | wc -l"), HasSubstr("shell syntax is not available"));
  EXPECT_THAT(bash("python3 -c 1"), HasSubstr("Command blocked by policy: python3"));
}

TEST_F(BashToolTest, AFailureIsItsErrorsOrItsCode) {
  allow({.allowed_commands = {"bash"}});
  const auto failed = result("echo out; echo broken >&2; exit 3");
  EXPECT_EQ(failed.content, "out\n\nError: broken\n");
  EXPECT_TRUE(failed.is_error);
  EXPECT_EQ(bash("exit 3"), "Error: Command failed with code 3");
  EXPECT_EQ(bash("kill -9 $$"), "Error: Command ended by signal 9");
  const auto warned = result("echo out; echo careful >&2");
  EXPECT_FALSE(warned.is_error);
  EXPECT_EQ(warned.content, "out\n\ncareful\n");
}

TEST_F(BashToolTest, TimeIsTheDefinitionsOrWhatIsLeft) {
  allow({.allowed_commands = {"bash"}, .timeout_seconds = 1});
  EXPECT_EQ(bash("echo begun; sleep 100"), "begun\n\nError: Command timed out after 1 seconds");
  allow({.allowed_commands = {"bash"}});
  EXPECT_EQ(bash("sleep 100", Deadline::in(1400ms)), "Error: Command timed out after 1 seconds");
  EXPECT_EQ(bash("echo hi", Deadline::in(100ms)), "Error: no time is left for a command");
}

TEST_F(BashToolTest, LongOutputKeepsHeadAndTail) {
  allow({.allowed_commands = {"bash"}}, {.output_bytes_max = 2048});
  const auto text = bash("echo begin; head -c 100000 /dev/zero | tr '\\0' x; echo; echo end");
  EXPECT_LE(text.size(), 2048U);
  EXPECT_THAT(text, StartsWith("begin\n"));
  EXPECT_THAT(text, EndsWith("end\n"));
  EXPECT_THAT(text, HasSubstr("bytes left out"));
}

TEST_F(BashToolTest, TheEnvironmentIsSmallAndFixed) {
  allow({.allowed_commands = {"env"}});
  EXPECT_EQ(bash("env"),
            "PATH=/usr/local/bin:/usr/bin:/bin\nHOME=/workspace\nTERM=xterm-256color\n"
            "LANG=C.UTF-8\nLC_ALL=C.UTF-8\n"
            "HTTP_PROXY=http://127.0.0.1:3128\nHTTPS_PROXY=http://127.0.0.1:3128\n"
            "http_proxy=http://127.0.0.1:3128\nhttps_proxy=http://127.0.0.1:3128\n"
            "NO_PROXY=127.0.0.1,localhost\nno_proxy=127.0.0.1,localhost\n");
}

TEST_F(BashToolTest, AProgramThatIsNotAllowedIsCountedAsADenial) {
  allow({.allowed_commands = {"env"}});
  EXPECT_THAT(bash("git status"), HasSubstr("capabilities.shell.allowed_commands"));
  EXPECT_THAT(
      world.metrics.expose(),
      HasSubstr(R"(botburrow_grant_denied_total{grant="capabilities.shell.allowed_commands"} 1)"));
}

TEST_F(BashToolTest, WithoutASandboxItIsRefusedAndSaysWhy) {
  sandbox::SandboxWorld nowhere({.backend = sandbox::Backend::landlock});
  if (nowhere.run(nowhere.sandboxes.tier()).shell) GTEST_SKIP();
  shell = {.enabled = true};
  box.emplace(Log::none(), world.metrics, GrantTable({}, true));
  box->offer(make_core_tools(nowhere.place, shell, {}));
  EXPECT_THAT(bash("ls"), HasSubstr("this runner cannot run commands: its sandbox tier is"));
  EXPECT_THAT(world.metrics.expose(),
              HasSubstr("botburrow_tool_calls_total{tool=\"Bash\",outcome=\"blocked\"} 1"));
}

}  // namespace
}  // namespace botburrow::tools
