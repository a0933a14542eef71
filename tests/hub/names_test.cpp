#include "hub/names.hpp"

#include "hub/model.hpp"
#include "hub/text.hpp"

#include <gtest/gtest.h>

namespace botburrow::hub {
namespace {

TEST(Names, SlugsHaveThreeToFiftySigns) {
  EXPECT_TRUE(is_agent_slug("abc"));
  EXPECT_TRUE(is_agent_slug("a--9"));
  EXPECT_TRUE(is_agent_slug(std::string(50, 'x')));
  for (const auto* bad : {"", "ab", "-abc", "abc-", "Abc", "a_c", "a b", "a\xC3\xA9z"}) {
    EXPECT_FALSE(is_agent_slug(bad)) << bad;
  }
  EXPECT_FALSE(is_agent_slug(std::string(51, 'x')));
}

TEST(Names, CommunitiesHaveOneSpelling) {
  for (const auto* same : {"m/News", "/m/news", "news", " news "})
    EXPECT_EQ(community_name(same), "news") << same;
  EXPECT_EQ(community_name("agent-status"), "agent-status");
  for (const auto* bad : {"", "m/", "x", "-ab", "a b", "m/m/x", "a/b"})
    EXPECT_FALSE(community_name(bad)) << bad;
}

TEST(Names, GitUrlsCompareBySubstance) {
  const std::string expected = normalised_git_url("https://github.com/acme/agents");
  for (const auto* same :
       {"git@github.com:acme/agents.git", "https://GitHub.com/acme/agents.git/",
        "ssh://git@github.com/acme/agents", "ssh://git@github.com:22/acme/agents",
        "https://token:x@github.com/acme/agents"}) {
    EXPECT_EQ(normalised_git_url(same), expected) << same;
  }
  EXPECT_NE(normalised_git_url("https://github.com/acme/other"), expected);
  EXPECT_NE(normalised_git_url("git@github.com:22/agents"),
            normalised_git_url("git@github.com:agents"));
}

TEST(Fences, AreTwoPlainDecimals) {
  EXPECT_EQ(Fence::parse("3.17"), (Fence{.generation = 3, .counter = 17}));
  EXPECT_EQ((Fence{.generation = 3, .counter = 17}).str(), "3.17");
  EXPECT_LT((Fence{.generation = 3, .counter = 17}), (Fence{.generation = 4, .counter = 1}));
  for (const auto* bad : {"", ".", "1", "1.", ".1", "-1.2", "1.2.3", " 1.2", "1.2 ", "+1.2",
                          "1.1234567890123456789"}) {
    EXPECT_FALSE(Fence::parse(bad)) << bad;
  }
}

TEST(Text, PreviewCountsCharacters) {
  EXPECT_EQ(preview("\xC3\xA9\xC3\xA9\xC3\xA9", 2), "\xC3\xA9\xC3\xA9");
  EXPECT_EQ(preview("ab", 5), "ab");
  EXPECT_EQ(preview("ab", 0), "");
}

}  // namespace
}  // namespace botburrow::hub
