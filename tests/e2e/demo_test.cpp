#include "tests/support/sanitizers.hpp"
#include "world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

namespace botburrow::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Demo : public World {
 protected:
  /// agent -> its entry, over all threads; checks the shape on the way.
  std::map<std::string, json::object> mentions(const json::value& story) {
    std::map<std::string, json::object> found;
    for (const auto& thread : story.at("threads").as_array()) {
      EXPECT_FALSE(text_of(thread, "post_id").empty());
      for (const auto& entry : thread.at("mentioned").as_array()) {
        for (const auto* field : {"agent", "outcome", "reason", "comment_id"})
          EXPECT_TRUE(entry.as_object().contains(field)) << field;
        EXPECT_TRUE(found.emplace(text_of(entry, "agent"), entry.as_object()).second);
      }
    }
    return found;
  }
};

std::set<std::string> folders_in(const std::string& path) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    names.insert(entry.path().filename().string());
  return names;
}

TEST_F(Demo, EveryExampleAnswersOnceOrSaysWhyNot) {
  if (test::kSanitized) GTEST_SKIP() << "the server of this build needs more than the sandbox has";
  const auto examples = std::string(BOTBURROW_SOURCE_DIR) + "/examples";
  const auto ran = run({"demo", "--json", "--definitions", examples});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto found = mentions(ran.json());
  std::set<std::string> names, comments;
  for (const auto& [name, entry] : found) {
    names.insert(name);
    if (text_of(entry, "outcome") == "answered") {
      EXPECT_TRUE(comments.insert(text_of(entry, "comment_id")).second) << name;
      EXPECT_TRUE(entry.at("reason").is_null()) << name;
    } else {
      EXPECT_EQ(text_of(entry, "outcome"), "skipped") << name;
      EXPECT_FALSE(text_of(entry, "reason").empty()) << name;
      EXPECT_TRUE(entry.at("comment_id").is_null()) << name;
    }
  }
  EXPECT_EQ(names, folders_in(examples + "/agents"));
  EXPECT_EQ(text_of(found.at("ada-guide"), "outcome"), "answered");
  EXPECT_THAT(text_of(found.at("archivist"), "reason"), StartsWith("missing grant hub:write"));
  EXPECT_EQ(text_of(found.at("frugal"), "reason"), "Daily budget exceeded");
  EXPECT_THAT(text_of(found.at("night-owl"), "reason"), HasSubstr("respond_to_mentions"));
  EXPECT_EQ(text_of(found.at("toolsmith"), "outcome"), "answered");
  EXPECT_EQ(text_of(found.at("bookkeeper"), "outcome"), "answered");
  EXPECT_THAT(ran.err, IsEmpty());
  EXPECT_THAT(folders_in(folder_.file("tmp")), IsEmpty()) << "a demo leaves nothing behind";
}

TEST_F(Demo, OneAgentWritesEditsAndReadsAFile) {
  const auto ran = run({"demo", "--definitions", std::string(BOTBURROW_SOURCE_DIR) + "/examples"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("Read answered:\n  - ink\n  - paper\n  - a stapler"));
}

TEST_F(Demo, OneAgentUsesAnMcpServer) {
  if (test::kSanitized) GTEST_SKIP() << "the server of this build needs more than the sandbox has";
  const auto ran = run({"demo", "--definitions", std::string(BOTBURROW_SOURCE_DIR) + "/examples"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("mcp_desk_add_numbers answered:\n  36.4"));
}

// As in a container that lets nobody make namespaces.
TEST_F(Demo, WithoutBubblewrapItSaysSoAndGoesOn) {
  set("SANDBOX_BACKEND", "landlock");
  const auto examples = std::string(BOTBURROW_SOURCE_DIR) + "/examples";
  const auto ran = run({"demo", "--definitions", examples});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, ::testing::ContainsRegex("Sandbox: (landlock|none) here, so agents have"));
  const auto story = run({"demo", "--json", "--definitions", examples}).json();
  EXPECT_NE(text_of(story.at("sandbox"), "tier"), "bwrap");
  EXPECT_EQ(text_of(mentions(story).at("toolsmith"), "outcome"), "answered");
  EXPECT_EQ(text_of(mentions(story).at("bookkeeper"), "outcome"), "answered");
}

TEST_F(Demo, PrintsTheThreadForPeople) {
  define_agent("anna");
  define_agent("mute", {.grants = "hub:read"});
  const auto ran = run({"demo", "--definitions", definitions()});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("@anna"));
  EXPECT_THAT(ran.out, HasSubstr("mute did not answer: missing grant hub:write"));
}

TEST_F(Demo, ForeignRepositoryRunsWhatItCan) {
  const auto corpus = std::string(BOTBURROW_SOURCE_DIR) + "/tests/definitions/corpus";
  const auto ran = run({"demo", "--json", "--definitions", corpus});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto found = mentions(ran.json());
  EXPECT_EQ(found.size(), 6u);
  for (const auto& [name, entry] : found) {
    if (name == "sprint-coder") {
      EXPECT_EQ(text_of(entry, "outcome"), "answered") << json::value(entry);
      continue;
    }
    EXPECT_EQ(text_of(entry, "outcome"), "skipped") << name;
    EXPECT_THAT(text_of(entry, "reason"), HasSubstr("waiting for an executor")) << name;
  }
}

TEST_F(Demo, AsksTheVendorWhoseKeyIsSet) {
  define_agent("anna");
  define_agent("bert");
  use_model();
  const auto ran = run({"demo", "--json", "--definitions", definitions()});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(model().requests(), 2u);
  EXPECT_EQ(model().rejected(), 0u);
  for (const auto& [name, entry] : mentions(ran.json()))
    EXPECT_EQ(text_of(entry, "outcome"), "answered") << name;
}

TEST_F(Demo, ModelThatFailsIsAFailedDemo) {
  define_agent("anna");
  use_model();
  model().script(
      [](const auto&) { return test::LlmSimulator::Answer::error(400, "no such model"); });
  const auto ran = run({"demo", "--json", "--definitions", definitions()});
  EXPECT_EQ(ran.code, 1);
  const auto entry = mentions(ran.json()).at("anna");
  EXPECT_EQ(text_of(entry, "outcome"), "failed");
  EXPECT_THAT(text_of(entry, "reason"), HasSubstr("LLM error"));
}

TEST_F(Demo, MoreAgentsThanOnePostMayMention) {
  for (int i = 0; i < 23; ++i)
    define_agent(fmt::format("agent-{:02}", i));
  const auto ran = run({"demo", "--json", "--definitions", definitions()});
  ASSERT_EQ(ran.code, 0) << ran.out << ran.err;
  const auto found = mentions(ran.json());
  EXPECT_EQ(found.size(), 23u);
  for (const auto& [name, entry] : found)
    EXPECT_EQ(text_of(entry, "outcome"), "answered") << name;
}

TEST_F(Demo, FolderWithoutAgentsIsSaid) {
  const auto ran = run({"demo", "--json", "--definitions", definitions()});
  EXPECT_EQ(ran.code, 65);
  EXPECT_EQ(ran.err_lines().size(), 1u) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("no agents"));
}

}  // namespace
}  // namespace botburrow::e2e
