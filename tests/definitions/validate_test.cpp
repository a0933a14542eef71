#include "definitions/validate.hpp"

#include "base/json.hpp"
#include "definitions/source.hpp"
#include "tests/definitions/support_files.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>

#include <filesystem>

namespace botburrow::definitions {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

std::string check(const std::string& path, ValidateOptions options = {}) {
  return to_text(validate({path}, options));
}

TEST(Validate, ExamplesHaveNoProblemsAtAll) {
  const auto report = validate({std::string(BOTBURROW_SOURCE_DIR) + "/examples"}, {.strict = true});
  EXPECT_THAT(to_text(report), MatchesRegex("OK: [0-9]+ agents, 3 skills; 0 errors, 0 warnings\n"));
}

TEST(Validate, ReferenceAgentsHaveNoErrors) {
  const auto report =
      validate({std::string(BOTBURROW_SOURCE_DIR) + "/tests/definitions/corpus"}, {});
  EXPECT_EQ(report.errors, 0) << to_text(report);
  EXPECT_EQ(report.agents, 6);
  EXPECT_EQ(report.skills, 3);
}

TEST(Validate, TakesEveryKindOfPath) {
  const TemporaryFolder folder;
  folder.write_agent("abe");
  folder.write_agent("zoe");
  folder.write("skills/notes/SKILL.md", "---\nname: notes\ndescription: d\n---\nDo.\n");
  const auto counts = [&](const std::string& path) {
    const auto report = validate({folder.path(path)}, {});
    EXPECT_TRUE(report.ok()) << to_text(report);
    return std::pair(report.agents, report.skills);
  };
  EXPECT_EQ(counts(""), std::pair(2, 1));
  EXPECT_EQ(counts("agents"), std::pair(2, 0));
  EXPECT_EQ(counts("agents/"), std::pair(2, 0));
  EXPECT_EQ(counts("agents/abe"), std::pair(1, 0));
  EXPECT_EQ(counts("agents/abe/"), std::pair(1, 0));
  EXPECT_EQ(counts("agents/abe/config.yaml"), std::pair(1, 0));
  EXPECT_EQ(counts("skills"), std::pair(0, 1));
  EXPECT_EQ(counts("skills/notes"), std::pair(0, 1));
  EXPECT_EQ(counts("skills/notes/SKILL.md"), std::pair(0, 1));

  const auto twice =
      validate({folder.path(), folder.path("agents/abe"), folder.path("skills/../agents")}, {});
  EXPECT_EQ(twice.agents, 2);
}

TEST(Validate, ABadPathIsAProblem) {
  const TemporaryFolder folder;
  folder.write("file.txt", "x");
  EXPECT_THAT(check(folder.path("gone")), HasSubstr("gone path: is not there; name a repository"));
  EXPECT_THAT(check(folder.path("file.txt")), HasSubstr("is no config.yaml and no SKILL.md"));
  EXPECT_THAT(check(folder.path()), HasSubstr("holds no agents/, no config.yaml and no SKILL.md"));
  EXPECT_THAT(check(folder.path("gone")),
              HasSubstr("FAILED: 0 agents, 0 skills; 1 error, 0 warnings\n"));
}

TEST(Validate, RequiredFieldsAndFilesAreErrors) {
  const TemporaryFolder folder;
  folder.write("agents/abe/config.yaml", "name: abe\n");
  const std::string text = check(folder.path());
  EXPECT_THAT(text, HasSubstr("ERROR [abe] " + folder.path("agents/abe/config.yaml") +
                              " type: is required; add type"));
  EXPECT_THAT(text, HasSubstr("brain.model: is required"));
  EXPECT_THAT(text, HasSubstr("capabilities: is required"));
  EXPECT_THAT(text,
              HasSubstr(folder.path("agents/abe/system-prompt.md") + ": the file is missing"));

  folder.write("agents/zoe/system-prompt.md", std::string(60, 'x'));
  EXPECT_THAT(check(folder.path("agents/zoe")), HasSubstr("config.yaml: the file is missing"));
}

TEST(Validate, NameMustBeTheFolders) {
  const TemporaryFolder folder;
  folder.write_agent("abe");
  std::filesystem::rename(folder.path("agents/abe"), folder.path("agents/eve"));
  EXPECT_THAT(check(folder.path("agents/eve")),
              HasSubstr("config.yaml:1:7 name: \"abe\" is not the name of its folder, \"eve\""));
}

TEST(Validate, SkillsMustExist) {
  const TemporaryFolder folder;
  folder.write_agent("abe");
  folder.write("agents/abe/config.yaml",
               "name: abe\ntype: native\nbrain: {model: m}\ncapabilities:\n  skills: [hub-post, "
               "notes, nots]\n");
  folder.write("skills/notes/SKILL.md", "---\nname: notes\ndescription: d\n---\nDo.\n");
  const auto report = validate({folder.path("agents/abe")}, {});
  EXPECT_EQ(report.errors, 1);
  EXPECT_THAT(to_text(report),
              HasSubstr("config.yaml:5:29 capabilities.skills[2]: the skill \"nots\" is not in " +
                        folder.path("skills") + " (did you mean \"notes\"?)"));

  const TemporaryFolder elsewhere;
  elsewhere.write("skills/nots/SKILL.md", "---\nname: nots\ndescription: d\n---\nDo.\n");
  EXPECT_THAT(check(folder.path("agents/abe"), {.root = elsewhere.path()}),
              HasSubstr("capabilities.skills[1]"));
}

TEST(Validate, AServerWithoutAGrantWouldNotStart) {
  const TemporaryFolder folder;
  const auto with = [&](const std::string& capabilities) {
    folder.write_agent("abe");
    folder.write(
        "agents/abe/config.yaml",
        "name: abe\ntype: native\nbrain: {model: m}\ncapabilities: " + capabilities + "\n");
    return check(folder.path());
  };
  EXPECT_THAT(with("{mcp_servers: [github], grants: [hub:read]}"),
              HasSubstr("4:30 capabilities.mcp_servers[0]: the server \"github\" would not start: "
                        "none of github:read, "
                        "github:write, github:actions, github:admin is granted; add github:read"));
  EXPECT_THAT(with("{mcp_servers: [github], grants: [github:read]}"), HasSubstr("OK: 1 agent"));
  EXPECT_THAT(with("{mcp_servers: [brave-search]}"), HasSubstr("none of brave:search is granted"));
  EXPECT_THAT(with("{mcp_servers: [postgres], grants: [postgres:orders:read]}"),
              HasSubstr("OK: 1 agent"));
}

TEST(Validate, OddLimitsAndPrompts) {
  const TemporaryFolder folder;
  folder.write_agent(
      "abe",
      "behavior: {max_iterations: 60, limits: {min_interval_seconds: 5, max_daily_posts: 101}}\n");
  folder.write("agents/abe/system-prompt.md", "Short.\n");
  const std::string text = check(folder.path());
  EXPECT_THAT(text, HasSubstr("WARNING [abe] " + folder.path("agents/abe/config.yaml") +
                              ":5:28 behavior.max_iterations"));
  EXPECT_THAT(
      text,
      HasSubstr("behavior.limits.min_interval_seconds: 5 seconds between two messages are few"));
  EXPECT_THAT(text, HasSubstr("INFO [abe] " + folder.path("agents/abe/config.yaml")));
  EXPECT_THAT(text, HasSubstr("7 characters say little about the agent"));

  folder.write("agents/abe/system-prompt.md", std::string(9000, 'x'));
  EXPECT_THAT(check(folder.path()), HasSubstr("about 2250 tokens go with every request"));
}

TEST(Validate, WarningsCountOnlyWhenStrict) {
  const TemporaryFolder folder;
  folder.write_agent("abe", "colour: red\n");
  EXPECT_TRUE(validate({folder.path()}, {}).ok());
  const auto strict = validate({folder.path()}, {.strict = true});
  EXPECT_FALSE(strict.ok());
  EXPECT_EQ(strict.errors, 0);
  EXPECT_EQ(strict.warnings, 1);
}

TEST(Validate, FailFastStopsAfterTheFirstBadAgent) {
  const TemporaryFolder folder;
  for (const std::string name : {"aaa", "bbb", "ccc"})
    folder.write_agent(name, name == "aaa" ? "" : "cache_ttl: x\n");
  const auto report = validate({folder.path()}, {.fail_fast = true});
  EXPECT_EQ(report.agents, 2);
  EXPECT_EQ(report.errors, 1);
}

TEST(Validate, SeverityFloorHidesButDoesNotChangeTheVerdict) {
  const TemporaryFolder folder;
  folder.write_agent("abe", "colour: red\ncache_ttl: x\nnetwork: {}\n");
  const auto report = validate({folder.path()}, {});
  EXPECT_THAT(to_text(report, *find_severity_floor("error")), Not(HasSubstr("WARNING")));
  EXPECT_THAT(to_text(report, *find_severity_floor("error")), HasSubstr("1 error, 1 warning"));
  EXPECT_THAT(to_text(report, *find_severity_floor("warning")), Not(HasSubstr("INFO")));
  EXPECT_THAT(to_text(report, *find_severity_floor("all")), HasSubstr("INFO"));
  EXPECT_FALSE(find_severity_floor("loud"));
}

TEST(Validate, JsonHasTheAgreedShape) {
  const TemporaryFolder folder;
  folder.write_agent("abe", "cache_ttl: x\n");
  const auto parsed = parse_json(to_json_text(validate({folder.path()}, {})), "report");
  EXPECT_EQ(int_field(parsed, "agents"), 1);
  EXPECT_EQ(int_field(parsed, "errors"), 1);
  const auto& problem = array_field(parsed, "problems").at(0);
  std::vector<std::string> keys;
  for (const auto& member : problem.as_object())
    keys.emplace_back(member.key());
  EXPECT_THAT(keys, ElementsAre("severity", "agent", "file", "line", "column", "field", "value",
                                "message", "fix"));
  EXPECT_EQ(string_field(problem, "value"), "x");
  EXPECT_EQ(int_field(problem, "line"), 5);
  EXPECT_EQ(int_field(problem, "column"), 12);
}

TEST(Validate, LinkedFoldersAreJudgedAsRunnersJudgeThem) {
  const TemporaryFolder outside;
  outside.write_agent("out-one");
  const TemporaryFolder folder;
  folder.write_agent("a-one", "", "shared/");  // shared/agents/a-one, found by two names
  std::filesystem::create_directories(folder.path("agents"));
  const auto link = [&](const std::string& to, const std::string& name) {
    std::filesystem::create_directory_symlink(to, folder.path("agents/" + name));
  };
  link("../shared/agents/a-one", "a-one");
  link("../shared/agents/a-one", "b-two");
  link(outside.path("agents/out-one"), "out-one");

  const std::string text = check(folder.path());
  EXPECT_THAT(text, HasSubstr("3 agents"));
  EXPECT_THAT(text, Not(HasSubstr("agents/a-one/config.yaml")));
  EXPECT_THAT(text, HasSubstr("\"a-one\" is not the name of its folder, \"b-two\""));
  EXPECT_THAT(text, HasSubstr("agents/out-one/config.yaml: the file is a link that leads out of "
                              "the repository, or lies behind one; copy what the link names"));
  const FolderSource runner(folder.path());
  for (const std::string name : {"a-one", "b-two", "out-one"}) {
    const auto alone = validate({folder.path("agents/" + name)}, {});
    EXPECT_EQ(alone.ok(), runner.load(name).definition.has_value()) << name << to_text(alone);
  }
}

TEST(Validate, HostileNamesStayOneLine) {
  const TemporaryFolder folder;
  folder.write("agents/a\x1b[31m\nb/config.yaml", "");
  const std::string text = check(folder.path());
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_EQ(std::ranges::count(text, '\n'), 3);  // empty config, missing prompt, verdict
}

}  // namespace
}  // namespace botburrow::definitions
