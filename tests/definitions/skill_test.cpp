#include "definitions/skill.hpp"

#include "tests/definitions/support_files.hpp"

#include <gmock/gmock.h>

#include <sys/stat.h>

namespace botburrow::definitions {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

ParsedSkill parse(std::string_view text, const std::string& folder = "notes") {
  return parse_skill(text, folder, "skills/" + folder + "/SKILL.md");
}

std::string texts(const ParsedSkill& parsed) {
  std::string out;
  for (const Problem& problem : parsed.problems)
    out += to_text(problem) + "\n";
  return out;
}

std::vector<std::string> names(const std::vector<Skill>& skills) {
  std::vector<std::string> out;
  for (const Skill& skill : skills)
    out.push_back(skill.name);
  return out;
}

TEST(ParseSkill, ReadsEveryField) {
  const auto parsed = parse(R"(---
name: notes
description: Take notes
version: 2.1.0
author: ada
requires_cli: [git, gh]
requires_grants: [hub:write]
triggers:
  keywords: [note]
  communities: [m/notes]
mcp:
  server: {command: notes-server, args: [-v, 1], env: {A: b}}
tags: [writing]
license: MIT
metadata: {a: b}
allowed-tools: Read
---

# Notes

Write them down.
)");
  EXPECT_THAT(parsed.problems, IsEmpty()) << texts(parsed);
  EXPECT_EQ(parsed.skill.description, "Take notes");
  EXPECT_EQ(parsed.skill.version, "2.1.0");
  EXPECT_EQ(parsed.skill.author, "ada");
  EXPECT_THAT(parsed.skill.requires_cli, ElementsAre("git", "gh"));
  EXPECT_THAT(parsed.skill.requires_grants, ElementsAre("hub:write"));
  EXPECT_THAT(parsed.skill.keywords, ElementsAre("note"));
  EXPECT_THAT(parsed.skill.communities, ElementsAre("m/notes"));
  ASSERT_TRUE(parsed.skill.mcp_server);
  EXPECT_EQ(parsed.skill.mcp_server->command, "notes-server");
  EXPECT_THAT(parsed.skill.tags, ElementsAre("writing"));
  EXPECT_EQ(parsed.skill.instructions, "# Notes\n\nWrite them down.");
}

TEST(ParseSkill, WithoutFrontMatterAllIsInstructions) {
  const auto parsed = parse("# Just text\n\n---\n\nmore\n");
  EXPECT_EQ(parsed.skill.instructions, "# Just text\n\n---\n\nmore");
  EXPECT_EQ(parsed.skill.description, "Skill: notes");
  EXPECT_EQ(parsed.skill.version, "1.0.0");
  EXPECT_EQ(parsed.skill.author, "unknown");
  EXPECT_THAT(texts(parsed), HasSubstr("there is no front matter"));
}

TEST(ParseSkill, BadFrontMatterMeansDefaultsAndKeepsTheInstructions) {
  const auto parsed = parse("---\nname: [broken\n---\nDo it.\n");
  EXPECT_EQ(parsed.skill.name, "notes");
  EXPECT_EQ(parsed.skill.description, "Skill: notes");
  EXPECT_EQ(parsed.skill.instructions, "Do it.");
  EXPECT_THAT(texts(parsed), HasSubstr("ERROR [notes] skills/notes/SKILL.md:"));

  EXPECT_EQ(parse("---\nname: notes\nno end\n").skill.instructions, "---\nname: notes\nno end");
}

TEST(ParseSkill, PlacesCountFromTheTopOfTheFile) {
  const auto parsed = parse("---\nname: notes\ndescription: d\nrequires_grants: [bad]\n---\nDo.\n");
  EXPECT_THAT(texts(parsed),
              HasSubstr("SKILL.md:4:19 requires_grants[0]: \"bad\" is not service:permission"));
}

TEST(ParseSkill, TriggersMayBeAListOfMaps) {
  const auto parsed = parse(
      "---\nname: notes\ndescription: d\ntriggers:\n  - keywords: [a, b]\n  - keywords: c\n  - "
      "communities: [m/x]\n---\nDo.\n");
  EXPECT_THAT(parsed.problems, IsEmpty()) << texts(parsed);
  EXPECT_THAT(parsed.skill.keywords, ElementsAre("a", "b", "c"));
  EXPECT_THAT(parsed.skill.communities, ElementsAre("m/x"));
}

TEST(ParseSkill, WindowsLineEndsAndByteOrderMark) {
  const auto parsed = parse("\xEF\xBB\xBF---\r\nname: notes\r\ndescription: d\r\n---\r\nDo.\r\n");
  EXPECT_THAT(parsed.problems, IsEmpty()) << texts(parsed);
  EXPECT_EQ(parsed.skill.instructions, "Do.");
}

TEST(ParseSkill, NamesItsFaults) {
  EXPECT_THAT(texts(parse("---\nname: other\ndescription: d\n---\nDo.\n")),
              HasSubstr("is not the name of its folder, \"notes\""));
  EXPECT_THAT(texts(parse("---\nname: no--tes\ndescription: d\n---\nDo.\n")),
              HasSubstr("single inner hyphens"));
  EXPECT_THAT(texts(parse("---\ndescription: d\n---\nDo.\n")),
              HasSubstr("name: is required; add name: notes"));
  EXPECT_THAT(texts(parse("---\nname: notes\n---\nDo.\n")), HasSubstr("description: is required"));
  EXPECT_THAT(
      texts(parse("---\nname: notes\ndescription: " + std::string(1025, 'd') + "\n---\nDo.\n")),
      HasSubstr("1025 bytes are more than 1024"));
  EXPECT_THAT(texts(parse("---\nname: notes\ndescription: d\n---\n")),
              HasSubstr("there are no instructions"));
  EXPECT_THAT(texts(parse("---\nname: notes\ndescription: d\nrequire_cli: [a]\n---\nDo.\n")),
              HasSubstr("did you mean \"requires_cli\"?"));
  EXPECT_THAT(
      texts(parse("---\nname: notes\ndescription: d\nmcp: {server: {args: [a]}}\n---\nDo.\n")),
      HasSubstr("mcp.server.command: is required"));
  EXPECT_THAT(texts(parse("---\n---\nDo.\n")), HasSubstr("the front matter is empty"));
  EXPECT_THAT(texts(parse(std::string(kSkillBytesMax + 1, 'x'))), HasSubstr("bytes are more than"));
}

Skill skill(std::string name, std::vector<std::string> keywords = {},
            std::vector<std::string> grants = {}) {
  return {.name = std::move(name),
          .description = "d",
          .requires_grants = std::move(grants),
          .keywords = std::move(keywords),
          .instructions = "Do."};
}

bool no_program(const std::string&) {
  return false;
}

TEST(SelectSkills, NativeOnesNeedTheirGrant) {
  EXPECT_THAT(
      names(select_skills({.grants = GrantSet({"hub:read", "hub:write"})}, {}, no_program).skills),
      ElementsAre("hub-post", "hub-search"));
  const auto reader = select_skills({.grants = GrantSet({"hub:read"})}, {}, no_program);
  EXPECT_THAT(names(reader.skills), ElementsAre("hub-search"));
  EXPECT_EQ(reader.skipped.at(0).reason, "needs grant hub:write");
}

TEST(SelectSkills, ARepositoryFileReplacesANativeSkillOfItsName) {
  const auto selected = select_skills({.wanted = {"hub-post"}, .grants = GrantSet({"hub:write"})},
                                      {skill("hub-post")}, no_program);
  ASSERT_THAT(names(selected.skills), ElementsAre("hub-post"));
  EXPECT_FALSE(selected.skills[0].native);
  EXPECT_EQ(selected.skills[0].instructions, "Do.");
}

TEST(SelectSkills, WantedOnesComeInTheirOrderAndMissingOnesAreNamed) {
  const auto selected =
      select_skills({.wanted = {"b", "gone", "a", "b"}}, {skill("a"), skill("b")}, no_program);
  EXPECT_THAT(names(selected.skills), ElementsAre("b", "a"));
  ASSERT_EQ(selected.skipped.size(), 3u);
  EXPECT_EQ(selected.skipped[2].name, "gone");
  EXPECT_TRUE(selected.skipped[2].missing);
}

TEST(SelectSkills, KeywordsMatchWholeWordsInAnyCase) {
  const std::vector<Skill> available{skill("plan", {"plan"}), skill("cpp", {"C++"}),
                                     skill("two", {"break down"})};
  const auto chosen = [&](std::string task) {
    return names(select_skills({.task = std::move(task)}, available, no_program).skills);
  };
  EXPECT_THAT(chosen("Make a PLAN, please"), ElementsAre("plan"));
  EXPECT_THAT(chosen("an airplane, planning"), IsEmpty());
  EXPECT_THAT(chosen("I love c++!"), ElementsAre("cpp"));
  EXPECT_THAT(chosen("break down this goal"), ElementsAre("two"));
  EXPECT_THAT(chosen("planö"), IsEmpty());
  EXPECT_THAT(chosen(""), IsEmpty());
}

TEST(SelectSkills, AtMostFiveComeByContext) {
  std::vector<Skill> available;
  for (int i = 0; i < 9; ++i)
    available.push_back(skill("s" + std::to_string(i), {"go"}));
  EXPECT_EQ(select_skills({.task = "go"}, available, no_program).skills.size(), 5u);
  Skill by_place = skill("place");
  by_place.communities = {"m/x"};
  EXPECT_THAT(names(select_skills({.community = "m/x"}, {by_place}, no_program).skills),
              ElementsAre("place"));
}

TEST(SelectSkills, FiltersByGrantsAndPrograms) {
  Skill tool = skill("tool");
  tool.requires_cli = {"gh"};
  const std::vector<Skill> available{tool, skill("writer", {}, {"github:write"})};
  const SkillRequest request{.wanted = {"tool", "writer"}, .grants = GrantSet({"github:read"})};

  const auto without = select_skills(request, available, no_program);
  EXPECT_THAT(names(without.skills), IsEmpty());
  EXPECT_EQ(without.skipped.at(2).reason, "needs program gh");
  EXPECT_EQ(without.skipped.at(3).reason, "needs grant github:write");
  EXPECT_THAT(
      names(
          select_skills(request, available, [](const std::string& p) { return p == "gh"; }).skills),
      ElementsAre("tool"));
}

TEST(SkillsPrompt, HasTheAgreedFormAndIsBounded) {
  EXPECT_EQ(skills_prompt({}), "");
  EXPECT_EQ(skills_prompt({skill("a")}), "## Available Skills\n\n### a\n\n*d*\n\nDo.\n\n---\n\n");

  Skill huge = skill("huge");
  huge.instructions = std::string(40'000, 'x');
  const std::string text = skills_prompt({skill("a"), huge, skill("b")});
  EXPECT_LE(text.size(), kSkillsPromptBytesMax);
  EXPECT_THAT(text, HasSubstr("### b"));
  EXPECT_THAT(text, HasSubstr("Too long to show here: huge."));

  std::vector<Skill> many(2000, skill("a-rather-long-name-of-a-skill"));
  EXPECT_LE(skills_prompt(many).size(), kSkillsPromptBytesMax);
}

TEST(ProgramOnPath, FindsOnlyRunnableFiles) {
  const TemporaryFolder folder;
  folder.write("tool", "#!/bin/sh\n");
  EXPECT_FALSE(program_on_path("tool", folder.path()));
  ::chmod(folder.path("tool").c_str(), 0755);
  EXPECT_TRUE(program_on_path("tool", "/nowhere::" + folder.path()));
  EXPECT_FALSE(program_on_path(folder.path("tool"), folder.path()));
  EXPECT_FALSE(program_on_path("", folder.path()));
}

}  // namespace
}  // namespace botburrow::definitions
