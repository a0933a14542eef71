#include "tools/core_tools.hpp"

#include "tests/sandbox/temporary_root.hpp"
#include "tests/support/run_task.hpp"
#include "tools/toolbox.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

namespace botburrow::tools {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using sandbox::put;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class CoreToolsTest : public ::testing::Test {
 protected:
  void SetUp() override { make({}); }
  void TearDown() override { test::run_task(ioc, place.close()); }
  void make(CoreToolLimits limits) {
    box.emplace(Log::none(), metrics, GrantTable({}, shell.enabled), limits.output_bytes_max);
    box->offer(make_core_tools(place, shell, limits));
  }
  llm::ToolResult result(std::string tool, json::value arguments) {
    llm::ToolCall wish{.id = "1", .name = std::move(tool), .arguments = std::move(arguments)};
    return test::run_task(ioc, box->call(std::move(wish), Deadline::in(20s), fatal));
  }
  std::string call(std::string tool, json::value arguments) {
    return result(std::move(tool), std::move(arguments)).content;
  }
  fs::path inside() {
    test::run_task(ioc, place.files());
    return root.path() / "ws-1";
  }
  double count(std::string tool, std::string outcome) {
    return metrics
        .counter("botburrow_tool_calls_total", "Tool calls by tool and outcome.",
                 {"tool", "outcome"})
        .with({std::move(tool), std::move(outcome)})
        .value();
  }

  sandbox::TemporaryRoot root;
  boost::asio::io_context ioc;
  Metrics metrics;
  sandbox::Sandboxes sandboxes{{.workspace_root = root.path()}, Log::none(), metrics};
  sandbox::Place place{sandboxes, "ws-1", Log::none()};
  definitions::Shell shell;
  std::optional<Toolbox> box;
  bool fatal = false;
};

TEST_F(CoreToolsTest, EveryAgentHasTheFileToolsAndNobodyUnaskedTheShell) {
  std::vector<std::string> names;
  for (const auto& spec : box->specs())
    names.push_back(spec.name);
  EXPECT_THAT(names, ElementsAre("Read", "Write", "Edit", "Glob", "Grep"));
  EXPECT_EQ(call("Bash", {{"command", "ls"}}),
            "Error: Bash is not allowed: capabilities.shell.enabled is false in this agent's "
            "definition");
}

TEST_F(CoreToolsTest, WriteEditReadTellOneStory) {
  EXPECT_EQ(call("Write", {{"file_path", "notes/a.md"}, {"content", "one two one\n"}}),
            "File written: notes/a.md");
  EXPECT_EQ(call("Edit",
                 {{"file_path", "/workspace/notes/a.md"}, {"old_text", "one"}, {"new_text", "1"}}),
            "File edited: /workspace/notes/a.md");
  EXPECT_EQ(call("Read", {{"file_path", "notes/a.md"}}), "1 two one\n");
  EXPECT_EQ(call("Edit", {{"file_path", "notes/a.md"},
                          {"old_text", "o"},
                          {"new_text", "0"},
                          {"replace_all", true}}),
            "File edited: notes/a.md");
  EXPECT_EQ(call("Read", {{"file_path", "notes/a.md"}, {"offset", 1}, {"limit", 1}}),
            "1 tw0 0ne\n");
}

TEST_F(CoreToolsTest, FaultsAreSaidInTheToolsWords) {
  inside();
  EXPECT_EQ(call("Read", {{"file_path", "none"}}), "Error: File not found: none");
  EXPECT_EQ(call("Read", {{"file_path", "."}}), "Error: Not a file: .");
  EXPECT_EQ(call("Edit", {{"file_path", "none"}, {"old_text", "a"}, {"new_text", "b"}}),
            "Error: File not found: none");
  call("Write", {{"file_path", "f"}, {"content", "abc"}});
  EXPECT_EQ(
      call("Edit", {{"file_path", "f"}, {"old_text", std::string(80, 'x')}, {"new_text", "b"}}),
      "Error: Text not found in file: " + std::string(50, 'x') + "...");
  EXPECT_EQ(call("Edit", {{"file_path", "f"}, {"old_text", ""}, {"new_text", "b"}}),
            "Error: old_text is empty");
}

TEST_F(CoreToolsTest, AnEscapeIsBlockedAndCounted) {
  EXPECT_EQ(call("Read", {{"file_path", "../../etc/passwd"}}),
            "Error: Path escapes workspace: ../../etc/passwd");
  EXPECT_EQ(call("Write", {{"file_path", "../x"}, {"content", "x"}}),
            "Error: Path escapes workspace: ../x");
  EXPECT_EQ(call("Glob", {{"pattern", "../*"}}),
            "Error: Glob: the pattern leads out of the workspace with ..");
  EXPECT_EQ(call("Grep", {{"pattern", "x"}, {"path", "../"}}),
            "Error: Path escapes workspace: ../");
  EXPECT_EQ(count("Read", "blocked"), 1);
  EXPECT_EQ(count("Write", "blocked"), 1);
  EXPECT_EQ(count("Glob", "blocked"), 1);
  EXPECT_EQ(count("Grep", "blocked"), 1);
}

TEST_F(CoreToolsTest, LongAndBinaryFilesAreNotPouredOut) {
  make({.files = {.read_bytes_max = 2000}, .output_bytes_max = 4096});
  put(inside() / "long.txt", std::string(5000, 'x'));
  put(inside() / "bin", std::string("\0\1\2", 3));

  EXPECT_THAT(call("Read", {{"file_path", "long.txt"}}),
              HasSubstr("[the file goes on: 5000 bytes in all; read on with offset and limit]"));
  EXPECT_EQ(call("Read", {{"file_path", "bin"}}), "[binary file, 3 bytes]");
  EXPECT_THAT(call("Edit", {{"file_path", "long.txt"}, {"old_text", "x"}, {"new_text", "y"}}),
              StartsWith("Error: File too large"));
  make({.output_bytes_max = 1024});
  EXPECT_LE(call("Read", {{"file_path", "long.txt"}}).size(), 1024U);
}

TEST_F(CoreToolsTest, GlobListsFilesInOrder) {
  put(inside() / "b.md", "");
  put(inside() / "a/deep/c.md", "");
  put(inside() / "a/x.txt", "");
  fs::create_symlink("/etc", inside() / "a/etc");

  EXPECT_EQ(call("Glob", {{"pattern", "**/*.md"}}), "a/deep/c.md\nb.md");
  EXPECT_EQ(call("Glob", {{"pattern", "*.md"}}), "b.md");
  EXPECT_EQ(call("Glob", {{"pattern", "a/**"}}), "a/deep/c.md\na/etc\na/x.txt");
  EXPECT_EQ(call("Glob", {{"pattern", "*.none"}}), "No files found matching pattern.");
  EXPECT_THAT(call("Glob", {{"pattern", "/etc/*"}}), HasSubstr("the pattern is absolute"));
  EXPECT_EQ(call("Glob", {{"pattern", "a/etc/*"}}), "No files found matching pattern.");
}

TEST_F(CoreToolsTest, GrepNamesFileLineAndText) {
  put(inside() / "a.txt", "first\nsecond match\r\nthird\n");
  put(inside() / "sub/b.txt", "match at the end");
  put(inside() / "bin", std::string("match\0", 6));
  put(root.path() / "outside.txt", "match");
  fs::create_symlink("../outside.txt", inside() / "link");

  EXPECT_EQ(call("Grep", {{"pattern", "m[a]tch"}}),
            "a.txt:2:second match\nsub/b.txt:1:match at the end");
  EXPECT_EQ(call("Grep", {{"pattern", "match"}, {"path", "sub"}}), "sub/b.txt:1:match at the end");
  EXPECT_EQ(call("Grep", {{"pattern", "^first$"}, {"path", "/workspace/a.txt"}}), "a.txt:1:first");
  EXPECT_EQ(call("Grep", {{"pattern", "-f /etc/passwd"}}), "No matches found.");
  EXPECT_THAT(call("Grep", {{"pattern", "(unclosed"}}), HasSubstr("the pattern cannot be read"));
  EXPECT_EQ(call("Grep", {{"pattern", "match"}, {"path", "link"}}),
            "Error: Path escapes workspace: link");
}

TEST_F(CoreToolsTest, APatternThatRuinsOthersCostsNothing) {
  put(inside() / "evil.txt", std::string(500'000, 'a') + "!\n");
  EXPECT_EQ(call("Grep", {{"pattern", "^(a+)+$"}}), "No matches found.");
  EXPECT_EQ(call("Grep", {{"pattern", "(a|a)*b"}}), "No matches found.");
}

TEST_F(CoreToolsTest, ASearchEndsInTime) {
  put(inside() / "a.txt", std::string(1 << 20, 'a'));
  llm::ToolCall wish{.id = "1", .name = "Grep", .arguments = {{"pattern", "a"}}};
  EXPECT_EQ(test::run_task(ioc, box->call(wish, Deadline::in(0s), fatal)).content,
            "Error: Search timed out");
  wish = {.id = "1", .name = "Glob", .arguments = {{"pattern", "*"}}};
  EXPECT_EQ(test::run_task(ioc, box->call(wish, Deadline::in(0s), fatal)).content,
            "Error: Search timed out");
}

TEST_F(CoreToolsTest, AWorkspaceThatCannotBeMadeIsAToolErrorOnly) {
  sandbox::Sandboxes nowhere({.workspace_root = "/proc/no/such"}, Log::none(), metrics);
  sandbox::Place no_place(nowhere, "ws", Log::none());
  Toolbox other(Log::none(), metrics);
  other.offer(make_core_tools(no_place, shell, {}));
  llm::ToolCall wish{.id = "1", .name = "Read", .arguments = {{"file_path", "x"}}};
  EXPECT_THAT(test::run_task(ioc, other.call(wish, Deadline::in(5s), fatal)).content,
              HasSubstr("workspace /proc/no/such"));
  EXPECT_FALSE(fatal);
}

}  // namespace
}  // namespace botburrow::tools
