// Activations of agents that are programs beside us: here a double that does what a test says, with
// the real tools served to it.
#include "base/json.hpp"
#include "tests/agent/activation_world.hpp"

#include <boost/json.hpp>

namespace botburrow::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

using Work = std::function<Task<llm::ModelAnswer>(const llm::ModelRequest&, tools::ToolServer&)>;

class FakeProgram final : public llm::Model {
 public:
  FakeProgram(Work work, std::shared_ptr<tools::ToolServer> tools)
      : work_(std::move(work)), tools_(std::move(tools)) {}
  Task<llm::ModelAnswer> complete(const llm::ModelRequest& request, Deadline) override {
    auto answer = co_await work_(request, *tools_);
    co_await tools_->finish();
    if (tools_->failure()) std::rethrow_exception(tools_->failure());
    co_return answer;
  }
  std::string_view provider() const override { return "anthropic"; }

 private:
  Work work_;
  std::shared_ptr<tools::ToolServer> tools_;
};

class FakeOutside final : public OutsideAgents {
 public:
  Task<std::optional<std::string>> refusal(
      std::shared_ptr<const definitions::AgentDefinition>) override {
    co_return std::nullopt;
  }
  std::vector<std::string> kinds() const override { return {"goose"}; }
  Task<std::shared_ptr<llm::Model>> model_for(OutsideRun run) override {
    turns_max = run.turns_max;
    budgets.push_back(run.budget_usd);
    co_return std::make_shared<FakeProgram>(work, run.tools);
  }
  Work work;
  int turns_max = 0;
  std::vector<double> budgets;
};

Task<std::string> call(tools::ToolServer& tools, std::string tool, json::object arguments) {
  const json::value message{{"jsonrpc", "2.0"},
                            {"id", 1},
                            {"method", "tools/call"},
                            {"params", {{"name", tool}, {"arguments", std::move(arguments)}}}};
  net::ServerRequest request{.method = "POST",
                             .headers = {{"content-type", "application/json"},
                                         {"accept", "application/json, text/event-stream"}},
                             .body = to_json(message)};
  const auto answer = co_await tools.serve(std::move(request));
  co_return answer.body;
}

Work saying(std::string text) {
  return [text](const llm::ModelRequest&, tools::ToolServer&) -> Task<llm::ModelAnswer> {
    llm::ModelAnswer answer{.text = text,
                            .usage = {.input = 100, .output = 10},
                            .model = "m-1",
                            .provider = "anthropic",
                            .cost_usd = 0.25};
    co_return answer;
  };
}

class OutsideTest : public ::testing::Test {
 protected:
  OutsideTest() {
    world.write("agents/ada/config.yaml",
                "name: ada\ntype: goose\nbrain: {provider: anthropic, model: m-1}\n"
                "capabilities: {grants: [hub:read, hub:write]}\n"
                "behavior:\n  max_iterations: 7\n  limits: {min_interval_seconds: 0}\n");
    world.catalog.invalidate();
  }
  ActivationWorld::Ran activate() {
    auto services = world.services();
    services.outside = &outside;
    Activation activation(services, world.settings, world.claim(),
                          {.may_write = [this] { return world.trusted; }}, world.log);
    auto ending = world.run(activation.run(Deadline::in(20s)));
    return {.ending = std::move(ending), .tally = activation.tally()};
  }
  ActivationWorld world;
  FakeOutside outside;
};

TEST_F(OutsideTest, ItsLastWordsAreTheAnswerAndItsCostCounts) {
  const auto post = world.new_post("@ada hello");
  outside.work = saying("from a program");

  const auto ran = activate();

  EXPECT_EQ(ran.outcome(), "success") << ran.ending.reason;
  ASSERT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_EQ(world.comments_by("ada", post).front().content, "from a program");
  EXPECT_DOUBLE_EQ(ran.tally.cost_usd, 0.25);
  EXPECT_EQ(ran.tally.tool_type, "goose");
  EXPECT_EQ(outside.turns_max, 7);
  EXPECT_TRUE(world.model->requests.empty()) << "nobody else was asked";
}

TEST_F(OutsideTest, ItIsServedTheToolsOfTheHubAndPostsOnce) {
  const auto post = world.new_post("@ada hello");
  outside.work = [&](const llm::ModelRequest&, tools::ToolServer& tools) -> Task<llm::ModelAnswer> {
    EXPECT_THAT(tools.names(), Contains("hub_post"));
    EXPECT_THAT(tools.names(), Not(Contains("Read"))) << "it has hands of its own";
    const auto said = co_await call(tools, "hub_post", {{"content", "posted"}, {"reply_to", post}});
    EXPECT_THAT(said, HasSubstr("Comment posted successfully"));
    llm::ModelAnswer answer{.text = "I have posted it.", .model = "m-1", .provider = "anthropic"};
    co_return answer;
  };

  const auto ran = activate();

  EXPECT_EQ(ran.outcome(), "success") << ran.ending.reason;
  ASSERT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_EQ(world.comments_by("ada", post).front().content, "posted");
  EXPECT_EQ(ran.tally.tool_calls, 1);
}

TEST_F(OutsideTest, OneThatEndsBadlyIsAFailedTryThatWasPaidFor) {
  const auto post = world.new_post("@ada hello");
  outside.work = [](const llm::ModelRequest&, tools::ToolServer&) -> Task<llm::ModelAnswer> {
    llm::ModelAnswer answer{.text = "half",
                            .model = "m-1",
                            .provider = "anthropic",
                            .cost_usd = 0.5,
                            .failure = "it ended with exit code 3"};
    co_return answer;
  };

  const auto ran = activate();

  EXPECT_EQ(ran.outcome(), "failure");
  EXPECT_EQ(ran.ending.reason, "it ended with exit code 3");
  EXPECT_DOUBLE_EQ(ran.tally.cost_usd, 0.5);
  EXPECT_THAT(world.comments_by("ada", post), SizeIs(0));
}

TEST_F(OutsideTest, AToolThatMayNoLongerWriteEndsTheActivation) {
  world.new_post("@ada hello");
  outside.work = [&](const llm::ModelRequest&, tools::ToolServer& tools) -> Task<llm::ModelAnswer> {
    world.trusted = false;
    co_await call(tools, "hub_post", {{"content", "too late"}, {"title", "x"}});
    llm::ModelAnswer answer{.text = "done", .model = "m-1", .provider = "anthropic"};
    co_return answer;
  };

  EXPECT_EQ(activate().outcome(), "abandoned");
}

TEST_F(OutsideTest, WithoutSuchAgentsHereItIsADependencyThatIsAway) {
  world.new_post("@ada hello");
  const auto ran = world.inbox();
  EXPECT_THAT(ran.ending.reason, HasSubstr("Executor 'goose' not available"));
  EXPECT_THAT(world.unread("ada"), SizeIs(1));
}

}  // namespace
}  // namespace botburrow::agent
