// Rules of this room that need nothing but values.
#include "tools/glob_pattern.hpp"
#include "tools/grant_table.hpp"
#include "tools/text_edit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace botburrow::tools {
namespace {

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

}  // namespace
}  // namespace botburrow::tools
