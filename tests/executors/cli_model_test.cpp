// Programs in the place of a model, in real sandboxes. The program is bash, told what to do by the
// definition's arguments.
#include "executors/cli_model.hpp"

#include "base/error.hpp"
#include "tests/sandbox/sandbox_world.hpp"
#include "tools/toolbox.hpp"

#include <boost/json.hpp>

#include <filesystem>

namespace botburrow::executors {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Writes down what it is called with; may do what ends an activation.
class NoteTool final : public tools::Tool {
 public:
  explicit NoteTool(std::vector<std::string>& notes) : notes_(notes) {
    spec_ = {.name = "note",
             .description = "Notes a text",
             .input_schema = {{"type", "object"},
                              {"properties", {{"text", {{"type", "string"}}}}},
                              {"required", {"text"}}}};
  }
  const llm::ToolSpec& spec() const override { return spec_; }
  Task<tools::ToolOutput> call(json::value arguments, Deadline) override {
    const std::string text(arguments.at("text").as_string());
    if (text == "stale") throw Error(errc::stale_fence, "somebody else has it");
    notes_.push_back(text);
    co_return tools::ToolOutput::ok("noted " + text);
  }
  bool has_effects() const override { return true; }

 private:
  std::vector<std::string>& notes_;
  llm::ToolSpec spec_;
};

class CliModelTest : public testing::Test {
 protected:
  CliModelTest() { box.add(std::make_unique<NoteTool>(notes)); }

  std::unique_ptr<CliModel> program(const std::string& script,
                                    std::map<std::string, std::string> environment = {}) {
    served = std::make_shared<tools::ToolServer>(
        world.ioc.get_executor(), box,
        tools::ToolServer::Options{.version = "test",
                                   .deadline = Deadline::in(60s),
                                   .after_tool = [this] { ++tool_calls; }},
        Log::none());
    definitions::ExecutorCommand command{.command = "bash", .args = {"-c", script}};
    Job job{.provider = "anthropic",
            .model = "some-model",
            .custom = command,
            .custom_environment = std::move(environment)};
    return std::make_unique<CliModel>(CliModel::Parts{.executor = custom,
                                                      .place = world.place,
                                                      .tools = served,
                                                      .job = std::move(job),
                                                      .program = "/usr/bin/bash",
                                                      .type = "custom",
                                                      .log = Log::none()});
  }
  llm::ModelAnswer ask(CliModel& model, Deadline deadline = Deadline::in(60s)) {
    llm::ModelRequest request{.messages = {llm::Message::system("You are Bot."),
                                           llm::Message::user("the thread"),
                                           llm::Message::user("the question")}};
    return world.run(model.complete(std::move(request), deadline));
  }
  llm::ModelAnswer answer(const std::string& script) { return ask(*program(script)); }
  std::size_t processes_with(const std::string& word) const {
    std::size_t found = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc"))
      found += sandbox::got(entry.path() / "cmdline").find(word) != std::string::npos ? 1 : 0;
    return found;
  }
  /// A script that calls a tool over HTTP with what bash alone can do.
  static std::string calling(const std::string& text) {
    return R"(call() { local body="$1"
exec 3<>/dev/tcp/127.0.0.1/3128
printf 'POST /_/mcp/hub HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n%s' "${#body}" "$body" >&3
cat <&3; exec 3>&-; }
call '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"note","arguments":{"text":")" +
           text + R"("}}}'
)";
  }

  sandbox::SandboxWorld world;
  std::vector<std::string> notes;
  int tool_calls = 0;
  tools::Toolbox box{Log::none(), world.metrics};
  std::shared_ptr<tools::ToolServer> served;
};

TEST_F(CliModelTest, TheTranscriptGoesInAndItsLastWordsComeOut) {
  const auto said = answer("cat; echo; pwd; id -u");
  EXPECT_EQ(said.text, "You are Bot.\n\nthe thread\n\nthe question\n/workspace\n1000");
  EXPECT_EQ(said.failure, "");
  EXPECT_EQ(said.model, "some-model");
  EXPECT_EQ(said.cost_usd, 0.0) << "nobody knows, and nothing is made up";
}

TEST_F(CliModelTest, ItSeesAnEnvironmentMadeFromNothing) {
  ::setenv("RUNNER_SECRET", "not for programs", 1);
  auto model = program("env", {{"MINE", "given"}});
  ::unsetenv("RUNNER_SECRET");
  EXPECT_THAT(ask(*model).text,
              AllOf(HasSubstr("MINE=given"), HasSubstr("HOME=/home/agent"),
                    HasSubstr("BOTBURROW_MODEL_URL=http://127.0.0.1:3128/_/llm/anthropic"),
                    Not(HasSubstr("RUNNER_SECRET"))));
}

TEST_F(CliModelTest, ItCallsTheToolsOfItsActivation) {
  const auto said = answer(calling("hello") + calling("again"));
  EXPECT_THAT(said.text, AllOf(HasSubstr("noted hello"), HasSubstr("noted again")));
  EXPECT_THAT(notes, ElementsAre("hello", "again"));
  EXPECT_EQ(tool_calls, 2);
}

TEST_F(CliModelTest, ItReachesNothingElse) {
  const auto said = answer(
      "exec 3<>/dev/tcp/127.0.0.1/3128; printf 'POST /_/mcp/other HTTP/1.1\\r\\nHost: x\\r\\n"
      "Content-Length: 0\\r\\n\\r\\n' >&3; head -1 <&3; exec 3<>/dev/tcp/127.0.0.1/3128; printf "
      "'GET http://example.com/ HTTP/1.1\\r\\nHost: example.com\\r\\n\\r\\n' >&3; head -1 <&3; "
      "cat /etc/shadow 2>&1");
  EXPECT_THAT(said.text, AllOf(HasSubstr("404"), HasSubstr("403"), HasSubstr("No such file")));
}

TEST_F(CliModelTest, OneThatEndsBadlySaysWhy) {
  EXPECT_EQ(answer("echo half; echo 'no such model' >&2; exit 3").failure,
            "it ended with exit code 3; its stderr ends: no such model");
  EXPECT_EQ(answer("kill -9 $$").failure, "it was ended by signal 9");
}

TEST_F(CliModelTest, WhatIsNotThereIsAnError) {
  auto model = program("true");
  CliModel broken({.executor = custom,
                   .place = world.place,
                   .tools = served,
                   .program = "/usr/bin/no-such-program",
                   .type = "custom",
                   .log = Log::none()});
  EXPECT_THROW(ask(broken), Error);
}

TEST_F(CliModelTest, TimeOverEndsAllOfIt) {
  auto model = program("(setsid sleep 300.03125 &) ; sleep 300.03125");
  try {
    ask(*model, Deadline::in(1s));
    FAIL() << "it answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::timeout);
    EXPECT_THAT(error.message(), HasSubstr("Execution timed out after 1 seconds"));
  }
  EXPECT_EQ(processes_with("300.03125"), 0U);
}

TEST_F(CliModelTest, NoProcessOutlivesItsAnswer) {
  EXPECT_EQ(answer("(setsid sleep 300.015625 >/dev/null 2>&1 &); echo done").text, "done");
  EXPECT_EQ(processes_with("300.015625"), 0U);
}

TEST_F(CliModelTest, AToolThatEndsTheActivationEndsTheProgram) {
  auto model = program(calling("stale") + "sleep 300.0078125");
  try {
    ask(*model);
    FAIL() << "it answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::stale_fence);
  }
  EXPECT_TRUE(served->failure());
  EXPECT_EQ(processes_with("300.0078125"), 0U);
}

TEST_F(CliModelTest, ToolsAreGoneOnceItHasEnded) {
  answer("true");
  const auto late = world.run(served->serve({.method = "POST", .body = "{}"}));
  EXPECT_EQ(late.status, 404);
}

}  // namespace
}  // namespace botburrow::executors
