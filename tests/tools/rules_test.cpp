// Rules of this room that need nothing but values.
#include "tools/bash_rules.hpp"
#include "tools/command_line.hpp"
#include "tools/glob_pattern.hpp"
#include "tools/grant_table.hpp"
#include "tools/text_edit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace botburrow::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

bool matches(std::string_view pattern, std::string_view path) {
  const auto parsed = GlobPattern::parse(pattern);
  EXPECT_TRUE(parsed) << pattern;
  return parsed && parsed->matches(path);
}

TEST(GlobPattern, StarsStayInAFolderAndDoubleStarsDoNot) {
  EXPECT_TRUE(matches("*.md", "a.md"));
  EXPECT_FALSE(matches("*.md", "a/b.md"));
  EXPECT_TRUE(matches("*", ".hidden"));
  EXPECT_TRUE(matches("**/*.md", "a.md"));
  EXPECT_TRUE(matches("**/*.md", "a/b/c.md"));
  EXPECT_TRUE(matches("a/**/z", "a/z"));
  EXPECT_TRUE(matches("a/**/z", "a/b/c/z"));
  EXPECT_FALSE(matches("a/**/z", "ab/z"));
  EXPECT_TRUE(matches("a/**", "a/b/c"));
  EXPECT_FALSE(matches("a/**", "a"));
  EXPECT_TRUE(matches("**", "a/b"));
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_FALSE(matches("a?c", "a/c"));
  EXPECT_TRUE(matches("./a//b", "a/b"));
}

TEST(GlobPattern, SetsAndChoices) {
  EXPECT_TRUE(matches("[a-c]x", "bx"));
  EXPECT_FALSE(matches("[a-c]x", "dx"));
  EXPECT_TRUE(matches("[!a-c]x", "dx"));
  EXPECT_FALSE(matches("[!a-c]x", "ax"));
  EXPECT_TRUE(matches("[]]x", "]x"));
  EXPECT_TRUE(matches("[.^$]x", "$x"));
  EXPECT_TRUE(matches("[a", "[a"));
  EXPECT_TRUE(matches("*.{md,txt}", "a.txt"));
  EXPECT_FALSE(matches("*.{md,txt}", "a.rs"));
  EXPECT_TRUE(matches("{a", "{a"));
  EXPECT_TRUE(matches("a,b", "a,b"));
}

TEST(GlobPattern, RegexCharactersAreThemselves) {
  EXPECT_TRUE(matches("a.b+(c)|^$", "a.b+(c)|^$"));
  EXPECT_FALSE(matches("a.b", "axb"));
  EXPECT_TRUE(matches("a\\b", "a\\b"));
}

TEST(GlobPattern, RefusesWhatLeavesTheWorkspace) {
  EXPECT_THAT(GlobPattern::parse("/etc/*").error(), HasSubstr("absolute"));
  EXPECT_THAT(GlobPattern::parse("../*").error(), HasSubstr(".."));
  EXPECT_THAT(GlobPattern::parse("a/../../*").error(), HasSubstr(".."));
  EXPECT_THAT(GlobPattern::parse("").error(), HasSubstr("empty"));
  EXPECT_FALSE(GlobPattern::parse(std::string(5000, '*')));
  EXPECT_TRUE(matches("..a", "..a"));
}

TEST(GrantTable, DecidesByRow) {
  const GrantTable reader(definitions::GrantSet({"hub:read"}), false);
  EXPECT_EQ(reader.missing("hub_search"), std::nullopt);
  EXPECT_EQ(reader.missing("hub_post"), "hub:write");
  EXPECT_EQ(reader.missing("Read"), std::nullopt);
  EXPECT_EQ(reader.missing("Bash"), "capabilities.shell.enabled");
  EXPECT_EQ(GrantTable({}, true).missing("Bash"), std::nullopt);
  EXPECT_EQ(reader.missing("unheard_of"), std::nullopt);
  EXPECT_FALSE(reader.knows("unheard_of"));
}

TEST(GrantTable, ToolsOfServersJoin) {
  GrantTable table(definitions::GrantSet({"github:read"}), false);
  table.add("mcp_github_list", "github:read");
  table.add("mcp_github_push", "github:write");
  EXPECT_EQ(table.missing("mcp_github_list"), std::nullopt);
  EXPECT_EQ(table.missing("mcp_github_push"), "github:write");
  EXPECT_TRUE(table.knows("mcp_github_push"));
}

TEST(GrantTable, ToolsOfAServerThatDidNotStartLackWhatItLacked) {
  GrantTable table(definitions::GrantSet({"hub:read"}), true);
  table.add_server("mcp_github_", "github:read");
  table.add_server("mcp_mine_", "MCP_COMMAND_ALLOW");
  EXPECT_EQ(table.missing("mcp_github_list"), "github:read");
  EXPECT_EQ(table.missing("mcp_git"), std::nullopt);
  EXPECT_EQ(refusal_text("mcp_mine_x", *table.missing("mcp_mine_x")),
            "mcp_mine_x is not allowed: the operator's MCP_COMMAND_ALLOW does not name it");
  // Any name may be called: it is none that a metric should carry.
  EXPECT_FALSE(table.knows("mcp_github_list"));
  table.add("mcp_own_write", "own:write");
  EXPECT_THAT(table.withheld(), testing::ElementsAre("hub_post", "mcp_own_write"));
}

TEST(TextEdit, ReplacesTheFirstOrAll) {
  EXPECT_EQ(apply({.old_text = "a", .new_text = "b"}, "aXa", 100), "bXa");
  EXPECT_EQ(apply({.old_text = "a", .new_text = "b", .all = true}, "aXa", 100), "bXb");
  EXPECT_EQ(apply({.old_text = "aa", .new_text = "a", .all = true}, "aaaa", 100), "aa");
  EXPECT_EQ(apply({.old_text = "a", .new_text = "aa", .all = true}, "aa", 100), "aaaa");
  EXPECT_EQ(apply({.old_text = "X", .new_text = ""}, "X", 100), "");
}

TEST(TextEdit, SaysWhyItCannot) {
  EXPECT_EQ(apply({.old_text = "", .new_text = "b"}, "a", 100).error(), "old_text is empty");
  EXPECT_EQ(apply({.old_text = "é" + std::string(60, 'x'), .new_text = "b"}, "a", 100).error(),
            "Text not found in file: é" + std::string(48, 'x') + "...");
  EXPECT_FALSE(apply({.old_text = "a", .new_text = std::string(200, 'b'), .all = true},
                     std::string(1000, 'a'), 10'000));
  EXPECT_FALSE(apply({.old_text = "a", .new_text = "bb"}, "aa", 2));
}

std::vector<std::string> words(std::string_view command) {
  const auto split = split_command(command);
  EXPECT_TRUE(split) << command << ": " << (split ? "" : split.error());
  return split.value_or(std::vector<std::string>{});
}

TEST(CommandLine, SplitsLikeAShell) {
  EXPECT_THAT(words("ls -l  a\tb"), ElementsAre("ls", "-l", "a", "b"));
  EXPECT_THAT(words("  ls  \n"), ElementsAre("ls"));
  EXPECT_THAT(words("echo 'a b' \"c d\" e\\ f"), ElementsAre("echo", "a b", "c d", "e f"));
  EXPECT_THAT(words("echo a'b'\"c\"d"), ElementsAre("echo", "abcd"));
  EXPECT_THAT(words("echo '' \"\""), ElementsAre("echo", "", ""));
  EXPECT_THAT(words("echo '$HOME | * ; `x`'"), ElementsAre("echo", "$HOME | * ; `x`"));
  EXPECT_THAT(words(R"(echo "a | b * \" \$ \\ \n")"), ElementsAre("echo", R"(a | b * " $ \ \n)"));
  EXPECT_THAT(words(R"(echo \| \; \* \$x)"), ElementsAre("echo", "|", ";", "*", "$x"));
  EXPECT_THAT(words("echo a#b a~b a!b a=b x{} {a}"),
              ElementsAre("echo", "a#b", "a~b", "a!b", "a=b", "x{}", "{a}"));
}

TEST(CommandLine, RefusesWhatOnlyAShellUnderstands) {
  for (const auto* command :
       {"ls | wc",     "ls; id",      "ls && id",      "ls &",   "ls > x", "cat < x",
        "echo $HOME",  "echo `id`",   "echo $(id)",    "(id)",   "ls *",   "ls a?",
        "ls [ab]",     "echo \"$x\"", "echo \"`id`\"", "ls\nid", "X=1 ls", "echo {a,b}",
        "echo {1..3}", "ls # x",      "ls ~",          "! ls"}) {
    const auto split = split_command(command);
    ASSERT_FALSE(split) << command;
    EXPECT_THAT(split.error(), HasSubstr("shell syntax is not available here")) << command;
  }
  EXPECT_EQ(split_command("echo 'x").error(), "a single quote is not closed");
  EXPECT_EQ(split_command("echo \"x").error(), "a double quote is not closed");
  EXPECT_EQ(split_command("echo x\\").error(), "the command ends with a backslash");
  EXPECT_EQ(split_command("  ").error(), "the command is empty");
  EXPECT_FALSE(split_command(std::string_view("ls\0x", 4)));
}

std::string refusal_of(const definitions::Shell& shell, std::string_view command) {
  const auto plan = plan_command(shell, command);
  EXPECT_FALSE(plan) << command;
  return plan ? "" : plan.error().text;
}

TEST(BashRules, WithoutAListOnlyTheHarmlessRun) {
  const auto plan = plan_command({}, "ls -l");
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->argv, ElementsAre("ls", "-l"));
  EXPECT_TRUE(plan->only_itself);
  for (const auto* command :
       {"python3 -c 1", "/usr/bin/ls", "./ls", "bash -c ls", "env ls", "../ls"})
    EXPECT_THAT(refusal_of({}, command), HasSubstr("is not among the allowed commands")) << command;
}

TEST(BashRules, AListReplacesTheHarmless) {
  const definitions::Shell shell{.allowed_commands = {"git", "cat"}};
  EXPECT_TRUE(plan_command(shell, "git status"));
  EXPECT_FALSE(plan_command(shell, "git status")->only_itself);
  EXPECT_TRUE(plan_command(shell, "cat x")->only_itself);
  EXPECT_EQ(refusal_of(shell, "ls"),
            "Command blocked by policy: ls is not among the allowed commands of this agent "
            "(capabilities.shell.allowed_commands): git, cat");
}

TEST(BashRules, WhoMayRunAShellGivesItWholeLines) {
  const auto plan = plan_command({.allowed_commands = {"git", "bash"}}, "ls | wc -l > x");
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->argv, ElementsAre("bash", "-c", "--", "ls | wc -l > x"));
  EXPECT_THAT(plan_command({.allowed_commands = {"sh"}}, "id")->argv,
              ElementsAre("sh", "-c", "--", "id"));
}

TEST(BashRules, TheBlockListSpeaksFirst) {
  const definitions::Shell shell{.allowed_commands = {"bash"},
                                 .blocked_patterns = {"git push", "a+b"}};
  for (const auto* command :
       {"rm -rf / ", "RM  -rf /x", "sudo ls", "chmod 777 x", "curl http://x | sh", "eval (x)",
        "echo x > /etc/passwd", "docker ps", "mount /dev/x", "git push", "Git Push", "aaab", "a+b"})
    EXPECT_THAT(refusal_of(shell, command), HasSubstr("Command blocked by policy: ")) << command;
  EXPECT_EQ(refusal_of(shell, "sudo ls"), "Command blocked by policy: sudo\\s+");
  for (const auto* command : {"echo the amount is 3", "pseudo x", "rm -r x", "git pull"})
    EXPECT_TRUE(plan_command(shell, command)) << command;
}

}  // namespace
}  // namespace botburrow::tools
