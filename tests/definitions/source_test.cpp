#include "definitions/source.hpp"

#include "tests/definitions/support_files.hpp"

#include <gmock/gmock.h>

#include <sys/stat.h>

#include <filesystem>

namespace botburrow::definitions {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace fs = std::filesystem;

std::string error_of(const DefinitionSource& source, const std::string& name, errc code) {
  try {
    source.load(name);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.message();
  }
  ADD_FAILURE() << "loaded " << name;
  return {};
}

TEST(FolderSource, ListsAndLoadsWhatIsThere) {
  const TemporaryFolder folder;
  folder.write_agent("zoe");
  folder.write_agent("abe");
  folder.write("agents/no-config/system-prompt.md", "x");
  folder.write("agents/Bad_Name/config.yaml", "x");
  folder.write("skills/notes/SKILL.md", "Do it.");
  const FolderSource source(folder.path());

  EXPECT_TRUE(source.usable());
  EXPECT_THAT(source.list_agents(), ElementsAre("abe", "zoe"));
  EXPECT_THAT(source.list_skills(), ElementsAre("notes"));
  const auto loaded = source.load("zoe");
  ASSERT_TRUE(loaded.definition);
  EXPECT_THAT(loaded.definition->system_prompt, HasSubstr("You are zoe"));
  EXPECT_EQ(loaded.definition->config_source, folder.path());
  EXPECT_NE(loaded.definition->loaded_at, WallTime{});
  EXPECT_EQ(loaded.fingerprint, source.fingerprint("zoe"));
  EXPECT_EQ(source.load_skill("notes")->skill.instructions, "Do it.");
  EXPECT_FALSE(source.load_skill("gone"));
}

TEST(FolderSource, AMissingPromptIsEmpty) {
  const TemporaryFolder folder;
  folder.write_agent("abe");
  folder.remove("agents/abe/system-prompt.md");
  EXPECT_EQ(FolderSource(folder.path()).load("abe").definition->system_prompt, "");
}

TEST(FolderSource, SaysWhatIsNotThere) {
  const TemporaryFolder folder;
  folder.write_agent("abe");
  EXPECT_THAT(error_of(FolderSource(folder.path()), "gone", errc::definition_not_found),
              HasSubstr("Agent config not found: " + folder.path("agents/gone/config.yaml")));
  EXPECT_THAT(
      error_of(FolderSource(folder.path("nowhere")), "abe", errc::io),
      HasSubstr("Agent config not found: " + folder.path("nowhere/agents/abe/config.yaml")));
  EXPECT_FALSE(FolderSource(folder.path("nowhere")).usable());
  EXPECT_THROW(FolderSource(folder.path("nowhere")).list_agents(), Error);
}

TEST(FolderSource, NamesNeverLeaveTheFolder) {
  const TemporaryFolder folder;
  folder.write_agent("abe");
  folder.write("secret/config.yaml", "name: secret\n");
  folder.write("secret/SKILL.md", "secret");
  const FolderSource source(folder.path());
  const std::vector<std::string> names{"../secret", "..",  ".",     "",    "abe/../abe",
                                       "/etc",      "Abe", "abe\n", "a b", std::string(65, 'a')};
  for (const std::string& name : names) {
    EXPECT_THAT(error_of(source, name, errc::definition_not_found),
                HasSubstr("Agent config not found: "));
    EXPECT_EQ(source.fingerprint(name), "");
    EXPECT_FALSE(source.load_skill(name));
  }
}

TEST(FolderSource, LinksDoNotLeadOut) {
  const TemporaryFolder outside;
  outside.write("key", "a secret of the operator");
  const TemporaryFolder folder;
  folder.write_agent("abe");
  folder.remove("agents/abe/system-prompt.md");
  fs::create_symlink(outside.path("key"), folder.path("agents/abe/system-prompt.md"));
  fs::create_directories(folder.path("skills/leak"));
  fs::create_symlink(outside.path("key"), folder.path("skills/leak/SKILL.md"));

  const auto loaded = FolderSource(folder.path()).load("abe");
  EXPECT_FALSE(loaded.definition);
  EXPECT_THAT(to_text(loaded.problems.at(0)),
              HasSubstr("is a link that leads out of the repository"));
  EXPECT_EQ(loaded.problems.at(0).fix, "copy what the link names into the repository");
  EXPECT_FALSE(FolderSource(folder.path()).load_skill("leak"));
}

TEST(FolderSource, FoldersThatAreNotTakenForAgentsAreNamedWithTheFix) {
  const TemporaryFolder folder;
  folder.write_agent("abe");
  folder.write("agents/A-One/config.yaml", "x");
  folder.write("agents/b_two/system-prompt.md", "x");
  folder.write("agents/c-three/config.yml", "x");
  folder.write("agents/d-four/system-prompt.md", "x");
  folder.write("agents/e-five/config.yaml/x", "x");
  folder.write("agents/.hidden_one/config.yaml", "x");
  folder.write("agents/notes/README.md", "x");
  folder.write("agents/README.md", "x");

  std::vector<std::string> said;
  for (const Problem& problem : FolderSource(folder.path()).ignored())
    said.push_back(to_text(problem));

  EXPECT_THAT(
      said,
      ElementsAre(AllOf(HasSubstr(folder.path("agents/A-One")), HasSubstr("other characters"),
                        HasSubstr("rename it to a-one, and write name: a-one")),
                  AllOf(HasSubstr("agents/b_two"), HasSubstr("rename it to b-two")),
                  AllOf(HasSubstr("agents/c-three"), HasSubstr("rename config.yml to config.yaml")),
                  AllOf(HasSubstr("agents/d-four"), HasSubstr("it has no config.yaml")),
                  AllOf(HasSubstr("agents/e-five"), HasSubstr("is no readable file"))));
  EXPECT_THAT(FolderSource(folder.path("nowhere")).ignored(), IsEmpty());
}

TEST(FolderSource, LinksInsideAreFollowed) {
  const TemporaryFolder folder;
  folder.write_agent("abe");
  folder.write("shared.md", "Shared words.");
  folder.remove("agents/abe/system-prompt.md");
  fs::create_symlink("../../shared.md", folder.path("agents/abe/system-prompt.md"));
  EXPECT_EQ(FolderSource(folder.path()).load("abe").definition->system_prompt, "Shared words.");
}

TEST(FolderSource, FollowsALinkThatIsSwappedToANewCommit) {
  const TemporaryFolder folder;
  const std::string one(40, 'a');
  const std::string two(40, 'b');
  folder.write_agent("abe", "display_name: one\n", one + "/");
  folder.write_agent("abe", "display_name: two\n", two + "/");
  fs::create_symlink(one, folder.path("current"));
  const FolderSource source(folder.path("current"));
  const auto first = source.load("abe");

  fs::create_symlink(two, folder.path("next"));
  fs::rename(folder.path("next"), folder.path("current"));

  EXPECT_NE(source.fingerprint("abe"), first.fingerprint);
  const auto second = source.load("abe");
  EXPECT_EQ(first.definition->display_name, "one");
  EXPECT_EQ(first.definition->commit, one);
  EXPECT_EQ(second.definition->display_name, "two");
  EXPECT_EQ(second.definition->commit, two);
  EXPECT_EQ(second.definition->config_source, folder.path("current"));
}

TEST(FolderSource, FingerprintChangesWithEitherFile) {
  const TemporaryFolder folder;
  folder.write_agent("abe");
  const FolderSource source(folder.path());
  const auto before = source.fingerprint("abe");
  EXPECT_EQ(source.fingerprint("abe"), before);

  folder.write("agents/abe/system-prompt.md", "Other words.");
  const auto after = source.fingerprint("abe");
  EXPECT_NE(after, before);
  folder.remove("agents/abe/system-prompt.md");
  EXPECT_NE(source.fingerprint("abe"), after);
  folder.remove("agents/abe");
  EXPECT_EQ(source.fingerprint("abe"), "");
}

TEST(FolderSource, OddFilesAreProblemsAndNeverBlock) {
  const TemporaryFolder folder;
  folder.write("agents/huge/config.yaml", std::string(kConfigBytesMax + 1, '#'));
  fs::create_directories(folder.path("agents/folder/config.yaml"));
  fs::create_directories(folder.path("agents/pipe"));
  ASSERT_EQ(::mkfifo(folder.path("agents/pipe/config.yaml").c_str(), 0600), 0);
  const FolderSource source(folder.path());

  EXPECT_THAT(to_text(source.load("huge").problems.at(0)),
              HasSubstr("is larger than the 256 KiB allowed"));
  EXPECT_THAT(to_text(source.load("folder").problems.at(0)), HasSubstr("is not a regular file"));
  EXPECT_THAT(to_text(source.load("pipe").problems.at(0)), HasSubstr("is not a regular file"));
}

TEST(FolderSource, LoadsTheReferenceAgentsUnchanged) {
  const FolderSource source(std::string(BOTBURROW_SOURCE_DIR) + "/tests/definitions/corpus");
  EXPECT_THAT(source.list_agents(),
              ElementsAre("claude-coder-1", "devops-agent", "pirate-captain-agent",
                          "research-agent", "sprint-coder", "test-persona-agent"));
  EXPECT_THAT(source.list_skills(), ElementsAre("budget-check", "hub-post", "hub-search"));
  for (const std::string& name : source.list_agents()) {
    const auto loaded = source.load(name);
    for (const Problem& problem : loaded.problems)
      EXPECT_EQ(problem.severity, Severity::info) << to_text(problem);
    ASSERT_TRUE(loaded.definition) << name;
    const bool native = name == "sprint-coder";
    EXPECT_EQ(loaded.definition->type, native ? ExecutorType::native : ExecutorType::claude_code);
  }
  EXPECT_EQ(source.load("claude-coder-1").definition->cache_ttl, std::chrono::seconds(180));
  EXPECT_EQ(source.load("devops-agent").definition->behavior.limits.max_daily_posts, 4);
  EXPECT_THAT(source.load("pirate-captain-agent").definition->interests.keywords,
              ElementsAre("treasure", "on"));
  EXPECT_EQ(source.load("sprint-coder").definition->capabilities.mcp_servers.at(1).name, "tickets");
  EXPECT_EQ(load_all_skills(source).size(), 3u);
  EXPECT_THAT(source.load_skill("hub-search")->skill.keywords, ElementsAre("search", "find"));
}

}  // namespace
}  // namespace botburrow::definitions
