// The real command-line agents from npm, in real sandboxes, against the model simulator: each calls
// a tool that the runner serves, and answers. `./dev test-peers` installs them.
#include "executors/cli_model.hpp"
#include "tests/sandbox/sandbox_world.hpp"
#include "tests/support/llm_simulator.hpp"
#include "tools/toolbox.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <filesystem>

namespace botburrow::executors {
namespace {

using namespace std::chrono_literals;
using test::LlmSimulator;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kKey = "sk-real-key-of-the-runner";

std::filesystem::path modules() {
  return std::filesystem::path(BOTBURROW_SOURCE_DIR) / "build/peers/node_modules";
}

class PostTool final : public tools::Tool {
 public:
  explicit PostTool(std::vector<std::string>& posts) : posts_(posts) {
    spec_ = {.name = "hub_post",
             .description = "Posts a comment",
             .input_schema = {{"type", "object"},
                              {"properties", {{"content", {{"type", "string"}}}}},
                              {"required", {"content"}}}};
  }
  const llm::ToolSpec& spec() const override { return spec_; }
  Task<tools::ToolOutput> call(json::value arguments, Deadline) override {
    posts_.emplace_back(arguments.at("content").as_string());
    co_return tools::ToolOutput::ok("Comment posted successfully. ID: 1");
  }
  bool has_effects() const override { return true; }

 private:
  std::vector<std::string>& posts_;
  llm::ToolSpec spec_;
};

class ExecutorPeers : public testing::Test {
 protected:
  ExecutorPeers() {
    box.add(std::make_unique<PostTool>(posts));
    model.start();
    model.script([this](const LlmSimulator::Request& request) {
      const auto names = request.tool_names();
      const auto post =
          std::ranges::find_if(names, [](const auto& name) { return name.ends_with("hub_post"); });
      if (post == names.end() || !posts.empty()) return LlmSimulator::Answer::say("All done.");
      return LlmSimulator::Answer::call(*post, {{"content", "hi there"}});
    });
  }
  ~ExecutorPeers() override {
    world.run(world.place.close());
    world.run(model.stop());
  }

  /// Empty where it is not installed. The programs themselves: the scripts that link to them are
  /// not run.
  static std::string find(const std::string& below_modules) {
    const auto path = modules() / below_modules;
    return std::filesystem::exists(path) ? path.string() : "";
  }
  llm::ModelAnswer run(const Executor& executor, const std::string& program, Job job,
                       sandbox::ModelRoute route) {
    const auto located = world.place.locate(program);
    EXPECT_TRUE(located);
    served = std::make_shared<tools::ToolServer>(
        world.ioc.get_executor(), box,
        tools::ToolServer::Options{.version = "test", .deadline = Deadline::in(120s)}, Log::none());
    sandbox::Place::Extra extra{.read_only = located->read_only};
    extra.routes.emplace(job.provider, std::move(route));
    CliModel cli({.executor = executor,
                  .place = world.place,
                  .tools = served,
                  .job = std::move(job),
                  .program = located->path,
                  .type = "peer",
                  .sandbox = std::move(extra),
                  .log = Log::none()});
    llm::ModelRequest request{.messages = {llm::Message::system("You are Bot of the tests."),
                                           llm::Message::user("Please say hello.")}};
    return world.run(cli.complete(std::move(request), Deadline::in(110s)));
  }
  void expect_good(const llm::ModelAnswer& answer) {
    EXPECT_EQ(answer.failure, "");
    EXPECT_EQ(answer.text, "All done.");
    EXPECT_THAT(posts, ElementsAre("hi there"));
    EXPECT_GT(answer.usage.input, 0);
    EXPECT_FALSE(answer.usage.estimated);
    bool told = false;
    for (const auto& request : model.ledger()) {
      EXPECT_LT(request.answered_status, 400) << request.raw_body.substr(0, 300);
      told = told || request.raw_body.find("You are Bot of the tests.") != std::string::npos;
    }
    EXPECT_TRUE(told) << "its system prompt did not reach the model";
  }

  sandbox::SandboxWorld world{{}, true};
  LlmSimulator model{world.ioc.get_executor(), {.key = kKey, .validate = false}};
  std::vector<std::string> posts;
  tools::Toolbox box{Log::none(), world.metrics};
  std::shared_ptr<tools::ToolServer> served;
};

TEST_F(ExecutorPeers, ClaudeCodePostsThroughTheRunner) {
  const auto program = find("@anthropic-ai/claude-code-linux-x64/claude");
  if (program.empty()) GTEST_SKIP() << "not installed; ./dev test-peers does";
  Job job{.provider = "anthropic", .model = "claude-sonnet-4-20250514", .budget_usd = 1};
  const auto answer = run(claude_code, program, std::move(job),
                          {.base_url = model.url(), .headers = {{"x-api-key", Secret(kKey)}}});
  expect_good(answer);
  EXPECT_GT(answer.cost_usd.value_or(0), 0);
}

TEST_F(ExecutorPeers, OpenCodePostsThroughTheRunner) {
  const auto program = find("opencode-linux-x64/bin/opencode");
  if (program.empty()) GTEST_SKIP() << "not installed; ./dev test-peers does";
  Job job{.provider = "openai", .model = "gpt-4o", .api = Job::Api::openai};
  expect_good(run(opencode, program, std::move(job),
                  {.base_url = model.url() + "/v1",
                   .headers = {{"Authorization", Secret(std::string("Bearer ") + kKey)}},
                   .api = sandbox::ModelApi::openai}));
}

TEST_F(ExecutorPeers, OpenCodeSpeaksToAnthropicToo) {
  const auto program = find("opencode-linux-x64/bin/opencode");
  if (program.empty()) GTEST_SKIP() << "not installed; ./dev test-peers does";
  Job job{.provider = "anthropic", .model = "claude-sonnet-4-20250514"};
  expect_good(run(opencode, program, std::move(job),
                  {.base_url = model.url(), .headers = {{"x-api-key", Secret(kKey)}}}));
}

}  // namespace
}  // namespace botburrow::executors
