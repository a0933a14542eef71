// What an activation does with files, and that nothing of it stays.
#include "base/stop.hpp"
#include "tests/agent/activation_world.hpp"

namespace botburrow::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HandsTest : public ::testing::Test {
 protected:
  HandsTest() { world.new_post("@ada please work"); }
  /// The results that the model was sent with its newest request.
  std::vector<std::string> results() {
    std::vector<std::string> texts;
    for (const auto& result : world.model->requests.back().messages.back().tool_results)
      texts.push_back(result.content);
    return texts;
  }
  ActivationWorld world;
};

TEST_F(HandsTest, FilesLastForOneActivationAndAreGoneAfterIt) {
  std::vector<std::string> during;
  world.model->then(calls(
      {{"Write", {{"file_path", "a/note.md"}, {"content", "one\ntwo\n"}}},
       {"Edit", {{"file_path", "/workspace/a/note.md"}, {"old_text", "two"}, {"new_text", "2"}}}}));
  world.model->then(calls({{"Read", {{"file_path", "a/note.md"}}},
                           {"Glob", {{"pattern", "**/*.md"}}},
                           {"Grep", {{"pattern", "^2$"}}}}));
  world.model->then([&](const llm::ModelRequest&) -> Task<llm::ModelAnswer> {
    during = world.workspaces();
    co_return says("done");
  });

  EXPECT_EQ(world.inbox().outcome(), "success");

  EXPECT_THAT(results(), ElementsAre("one\n2\n", "a/note.md", "a/note.md:2:2"));
  EXPECT_THAT(during, ElementsAre("a-5"));
  EXPECT_THAT(world.workspaces(), IsEmpty());
}

TEST_F(HandsTest, WhoOnlyTalksGetsNoWorkspace) {
  std::vector<std::string> during;
  world.model->then([&](const llm::ModelRequest&) -> Task<llm::ModelAnswer> {
    during = world.workspaces();
    co_return says("hello");
  });
  EXPECT_EQ(world.inbox().outcome(), "success");
  EXPECT_THAT(during, IsEmpty());
  EXPECT_EQ(world.lines->count("sandbox_started"), 0U);
}

TEST_F(HandsTest, AFailedRunLeavesNothing) {
  world.model->then(calls({{"Write", {{"file_path", "x"}, {"content", "x"}}}}));
  world.model->always(Error(errc::model_refused_request, "no"));
  EXPECT_EQ(world.inbox().outcome(), "failure");
  EXPECT_EQ(world.lines->count("sandbox_started"), 1U);
  EXPECT_THAT(world.workspaces(), IsEmpty());
}

TEST_F(HandsTest, ACancelledRunLeavesNothing) {
  world.model->then(calls({{"Write", {{"file_path", "x"}, {"content", "x"}}}}));
  StopSource stop(world.ioc.get_executor());
  std::vector<std::string> during;
  world.model->always([&](const llm::ModelRequest&) -> Task<llm::ModelAnswer> {
    during = world.workspaces();
    stop.stop();
    co_await sleep_for(1h);
    co_return says("never");
  });
  Activation activation(world.services(), world.settings, world.claim(),
                        {.may_write = [] { return true; }}, world.log);
  std::optional<Ending> ending;
  const auto run = [&]() -> Task<> { ending = co_await activation.run(Deadline::in(20s)); };

  EXPECT_EQ(world.run(run_bounded(run(), Deadline::in(20s), stop)), BoundedEnd::stopped);

  EXPECT_FALSE(ending);
  EXPECT_THAT(during, ElementsAre("a-5"));
  EXPECT_THAT(world.workspaces(), IsEmpty());
}

TEST_F(HandsTest, ACallWithoutItsGrantSaysWhichIsMissing) {
  world.define("ada", "", "[hub:write]");
  world.model->then(calls({{"hub_search", {{"query", "x"}}}, {"Bash", {{"command", "ls"}}}}));
  world.model->then(says("I see"));
  EXPECT_EQ(world.inbox().outcome(), "success");
  EXPECT_THAT(results(), ElementsAre(HasSubstr("does not hold the grant hub:read"),
                                     HasSubstr("capabilities.shell.enabled is false")));
  EXPECT_EQ(world.lines->count("grant_denied"), 2U);
}

}  // namespace
}  // namespace botburrow::agent
