#include "tests/coordinator/coordinator_fixture.hpp"
#include "tests/support/hung_folder.hpp"

namespace botburrow::coordinator {
namespace {

/// A leader with definitions, at a Hub where everybody is idle.
class DiscoveryTest : public CoordinatorTest {
 protected:
  Place place() {
    auto there = at_foreign();
    there.definitions = folder.path();
    return there;
  }
  void define(const std::string& name, const std::string& behavior) {
    folder.write("agents/" + name + "/config.yaml",
                 "name: " + name + "\ntype: native\nbrain: {model: m}\n" + behavior);
  }
  std::string waits(const std::string& agent) { return ask({"HGET", "work:queued", agent}); }
  test::ScratchFolder folder;
};

TEST_F(DiscoveryTest, WhoNeverLooksAroundIsNotSent) {
  define("curious", "behavior: {discovery: {enabled: true}}\n");
  define("homebody", "behavior: {discovery: {enabled: false}}\n");
  define("silent", "");  // the default is not to
  folder.write("agents/broken/config.yaml", "name: [");
  std::map<std::string, std::string> ids;
  for (const auto* name : {"curious", "homebody", "silent", "broken", "stranger"})
    ids[name] = foreign_hub().add_agent(name);
  auto& only = replica("c-1", place());
  ASSERT_TRUE(until([&] { return integer({"HLEN", "work:queued"}) == 2; }));
  for (const auto* name : {"curious", "broken"})
    EXPECT_EQ(waits(ids[name]), "normal:discovery") << name;
  EXPECT_TRUE(until([&] {
    return only.lines->count("poll_completed", "\"agents\":5,\"enqueued\":2,\"skipped\":3") > 0;
  }));

  EXPECT_EQ(only.lines->count("agent_without_definition", "stranger"), 1U) << "once";
  EXPECT_EQ(only.lines->count("agent_without_definition"), 1U);

  // The next look sees what changed.
  define("homebody", "behavior: {discovery: {enabled: true}}\n");
  EXPECT_TRUE(until([&] { return waits(ids["homebody"]) == "normal:discovery"; }));
}

TEST_F(DiscoveryTest, MentionsAreNotFiltered) {
  define("homebody", "behavior: {discovery: {enabled: false}}\n");
  const auto id = foreign_hub().add_agent("homebody");
  foreign_hub().notify(id, "mention", "p");
  replica("c-1", place());
  EXPECT_TRUE(until([&] { return waits(id) == "high:inbox"; }));
}

TEST_F(DiscoveryTest, DefinitionsThatCannotBeReadLeaveEverybodyIn) {
  const auto id = foreign_hub().add_agent("homebody");
  auto& only = replica("c-1", place());  // no agents/ folder
  EXPECT_TRUE(until([&] { return waits(id) == "normal:discovery"; }));
  EXPECT_EQ(only.lines->count("prewarm_error"), 0U) << "a coordinator may run without them";
  EXPECT_EQ(only.lines->count("no_agents_to_prewarm"), 1U);
}

TEST_F(DiscoveryTest, DefinitionsThatHangHoldUpNeitherWorkNorTheEnd) {
  if (!test::HungFolder::possible()) GTEST_SKIP() << "needs root and /dev/fuse";
  define("homebody", "behavior: {discovery: {enabled: false}}\n");
  const auto id = foreign_hub().add_agent("homebody");
  const test::HungFolder hung(folder.file("agents"));
  auto& only = replica("c-1", place());
  EXPECT_TRUE(until([&] { return waits(id) == "normal:discovery"; }));
  EXPECT_TRUE(only.leads());
  run(only.coordinator.stop(), 2s);
  EXPECT_EQ(only.lines->count("released_leadership"), 1U);
}

}  // namespace
}  // namespace botburrow::coordinator
