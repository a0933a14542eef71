#include "agent/loop.hpp"

#include "base/json.hpp"
#include "tests/agent/scripted_model.hpp"
#include "tests/tools/hub_world.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

namespace botburrow::agent {
namespace {

using namespace std::chrono_literals;
using llm::Role;
using llm::StopReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// Answers its `text` argument, numbered.
class Echo final : public tools::Tool {
 public:
  explicit Echo(std::vector<std::string>& ran) : ran_(ran) {
    spec_ = {.name = "echo",
             .input_schema = {{"type", "object"},
                              {"properties", {{"text", {{"type", "string"}}}}},
                              {"required", json::array{"text"}}}};
  }
  const llm::ToolSpec& spec() const override { return spec_; }
  Task<tools::ToolOutput> call(json::value arguments, Deadline) override {
    const auto text = string_field(arguments, "text").value_or("");
    ran_.push_back(text);
    if (text == "fatal") co_return tools::ToolOutput{.error = "it burns", .fatal = true};
    if (text == "stale") throw Error(errc::stale_fence, "another activation");
    co_return tools::ToolOutput::ok("echo of " + text);
  }

 private:
  std::vector<std::string>& ran_;
  llm::ToolSpec spec_;
};

class LoopTest : public ::testing::Test {
 protected:
  LoopTest() { box.add(std::make_unique<Echo>(ran)); }

  LoopTask task() {
    return {.messages = {llm::Message::system("sys"), llm::Message::user("hello")},
            .limits = {.iterations_max = 5}};
  }
  LoopResult run(LoopTask task) {
    return test::run_task(ioc,
                          run_loop(std::move(task), model, box, hooks, Deadline::in(10s), log));
  }
  LoopResult run() { return run(task()); }
  static llm::ModelAnswer echo(std::string text) { return calls({{"echo", {{"text", text}}}}); }
  static llm::ModelAnswer broken(StopReason stop) {
    auto answer = calls({{"echo", json::object{}}});
    answer.tool_calls[0].malformed = "{\"text\": \"ha";
    answer.stop = stop;
    return answer;
  }

  boost::asio::io_context ioc;
  Metrics metrics;
  std::shared_ptr<test::LinesSink> lines = std::make_shared<test::LinesSink>();
  Log log{lines, {.level = LogLevel::debug}};
  tools::Toolbox box{log, metrics};
  std::vector<std::string> ran;
  std::shared_ptr<ScriptedModel> model = std::make_shared<ScriptedModel>();
  LoopHooks hooks;
};

TEST_F(LoopTest, TextEndsTheRun) {
  model->then(says("hi"));
  const auto result = run();
  EXPECT_TRUE(result.success());
  EXPECT_EQ(result.response, "hi");
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.iterations, 1);
  EXPECT_EQ(lines->count("loop_starting"), 1u);
  EXPECT_EQ(lines->count("loop_completed"), 1u);
}

TEST_F(LoopTest, TranscriptIsAssistantThenAllResultsOfItsCallsInOrder) {
  model->then(calls({{"echo", {{"text", "one"}}}, {"echo", {{"text", "two"}}}}, "let me see"));
  model->then(echo("three"));
  model->then(says("done"));
  const auto result = run();
  EXPECT_EQ(result.tool_calls, 3);
  EXPECT_THAT(result.tools_used, ElementsAre("echo", "echo", "echo"));
  EXPECT_THAT(ran, ElementsAre("one", "two", "three"));
  const auto& messages = model->requests[2].messages;
  ASSERT_EQ(messages.size(), 6u);
  EXPECT_EQ(messages[2].role, Role::assistant);
  EXPECT_EQ(messages[2].text, "let me see");
  EXPECT_EQ(messages[2].tool_calls.size(), 2u);
  EXPECT_EQ(messages[3].role, Role::tool);
  ASSERT_EQ(messages[3].tool_results.size(), 2u);
  EXPECT_EQ(messages[3].tool_results[0].content, "echo of one");
  EXPECT_EQ(messages[3].tool_results[0].call_id, "id-0");
  EXPECT_EQ(messages[3].tool_results[1].content, "echo of two");
  EXPECT_EQ(messages[4].role, Role::assistant);
  EXPECT_EQ(messages[5].tool_results[0].content, "echo of three");
}

TEST_F(LoopTest, UnknownToolIsToldToTheModel) {
  model->then(calls({{"fly", json::object{}}})).then(says("done"));
  EXPECT_TRUE(run().success());
  const auto& result = model->requests[1].messages.back().tool_results.at(0);
  EXPECT_EQ(result.content, "Error: Unknown tool: fly");
  EXPECT_TRUE(result.is_error);
}

TEST_F(LoopTest, MalformedArgumentsAreAnErrorResult) {
  model->then(broken(StopReason::tool_use)).then(says("done"));
  EXPECT_TRUE(run().success());
  EXPECT_TRUE(ran.empty());
  EXPECT_THAT(model->requests[1].messages.back().tool_results.at(0).content,
              HasSubstr("not a complete JSON object"));
}

TEST_F(LoopTest, ThreeMalformedAnswersEndTheRun) {
  model->always(broken(StopReason::tool_use));
  const auto result = run();
  EXPECT_EQ(result.end, LoopEnd::malformed);
  EXPECT_EQ(result.iterations, 3);
  EXPECT_TRUE(ran.empty());
}

TEST_F(LoopTest, TruncatedCallIsNeverRunAndAskedForOnceMore) {
  auto cut = calls({{"echo", {{"text", "whole"}}}, {"echo", json::object{}}});
  cut.tool_calls[1].malformed = "{\"text\": \"ha";
  cut.stop = StopReason::max_tokens;
  model->then(cut).then(echo("again")).then(says("done"));
  EXPECT_TRUE(run().success());
  EXPECT_THAT(ran, ElementsAre("whole", "again"));

  model->then(broken(StopReason::max_tokens)).then(broken(StopReason::max_tokens));
  EXPECT_EQ(run().end, LoopEnd::cut);
}

TEST_F(LoopTest, LastIterationOffersNoTools) {
  model->then(echo("1")).then(echo("2")).then(echo("3")).then(echo("4")).then(says("at last"));
  const auto result = run();
  EXPECT_EQ(result.response, "at last");
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(model->requests[i].may_call_tools, i < 4) << i;
    EXPECT_EQ(model->requests[i].tools.size(), 1u) << "described all the same";
  }
}

TEST_F(LoopTest, ModelThatGoesOnCallingRunsOutOfIterations) {
  int number = 0;
  model->always(
      [&](const auto&) -> Task<llm::ModelAnswer> { co_return echo(std::to_string(++number)); });
  const auto result = run();
  EXPECT_EQ(result.error, "Exceeded maximum iterations");
  EXPECT_EQ(result.iterations, 5);
  EXPECT_EQ(ran.size(), 4u);
  EXPECT_EQ(lines->count("loop_exceeded_iterations"), 1u);
}

TEST_F(LoopTest, OneIterationIsOneCallWithoutTools) {
  auto one = task();
  one.limits.iterations_max = 1;
  model->then(says("only"));
  EXPECT_EQ(run(std::move(one)).response, "only");
  EXPECT_FALSE(model->requests[0].may_call_tools);
}

TEST_F(LoopTest, TokenLimitEndsTheRunBeforeMoreIsSpent) {
  auto limited = task();
  limited.limits.tokens_max = 200;  // an answer takes 120
  model->always(echo("x"));
  const auto result = run(std::move(limited));
  EXPECT_EQ(result.error, "Token limit reached");
  EXPECT_EQ(result.iterations, 2);
  EXPECT_EQ(ran.size(), 1u);
}

TEST_F(LoopTest, TokensOfEarlierRunsCountAndMayForbidTheFirstCall) {
  auto spent = task();
  spent.limits.tokens_max = 200;
  spent.tokens_spent = 200;
  model->always(says("x"));
  EXPECT_EQ(run(std::move(spent)).end, LoopEnd::token_limit);
  EXPECT_TRUE(model->requests.empty());
}

TEST_F(LoopTest, PausedAnswerIsSentBackAndGoesOn) {
  auto paused = says("thinking");
  paused.stop = StopReason::pause;
  model->then(paused).then(says("done"));
  EXPECT_EQ(run().response, "done");
  EXPECT_EQ(model->requests[1].messages.back().role, Role::assistant);
  EXPECT_EQ(model->requests[1].messages.back().text, "thinking");
}

TEST_F(LoopTest, RefusalIsAnError) {
  auto refused = says("");
  refused.stop = StopReason::refusal;
  model->then(refused);
  EXPECT_EQ(run().error, "The model refused to answer");
}

TEST_F(LoopTest, OfAFloodOfCallsTheFirstSixteenAreRunAndTheRestIsTold) {
  llm::ModelAnswer flood;
  for (int number = 0; number < 500; ++number) {
    auto one = echo(std::to_string(number));
    one.tool_calls[0].id = fmt::format("call_{}", number);
    flood.tool_calls.push_back(one.tool_calls[0]);
  }
  flood.stop = StopReason::tool_use;
  model->then(flood).then(says("done"));
  EXPECT_TRUE(run().success());
  EXPECT_EQ(ran.size(), 16U);
  EXPECT_EQ(ran.back(), "15");
  // Every call has a result all the same, in its order.
  const auto& sent = model->requests.at(1).messages.back();
  ASSERT_EQ(sent.tool_results.size(), 500U);
  EXPECT_EQ(sent.tool_results[15].content, "echo of 15");
  EXPECT_EQ(sent.tool_results[16].call_id, "call_16");
  EXPECT_THAT(sent.tool_results[16].content, HasSubstr("at most 16 calls of one answer"));
  EXPECT_TRUE(sent.tool_results[499].is_error);
  EXPECT_EQ(lines->count("tool_calls_left_out"), 1U);
}

TEST_F(LoopTest, FatalToolEndsTheRunWithoutTheRest) {
  model->then(calls({{"echo", {{"text", "fatal"}}}, {"echo", {{"text", "never"}}}}));
  const auto result = run();
  EXPECT_EQ(result.error, "Fatal tool error: Error: it burns");
  EXPECT_THAT(ran, ElementsAre("fatal"));
  EXPECT_EQ(result.tool_calls, 1);
}

TEST_F(LoopTest, RepeatingIsWarnedAboutThenStopped) {
  auto patient = task();
  patient.limits.iterations_max = 20;
  model->always(echo("same"));
  const auto result = run(std::move(patient));
  EXPECT_EQ(result.error, "Stopped repeating: echo");
  EXPECT_EQ(ran.size(), 5u);
  const auto seen = [&](std::size_t request) {
    return model->requests[request].messages.back().tool_results.at(0);
  };
  EXPECT_FALSE(seen(2).is_error);
  EXPECT_TRUE(seen(3).is_error) << "after the third";
  EXPECT_THAT(seen(3).content, HasSubstr("several times"));
  EXPECT_EQ(lines->count("tool_repeat_stopped"), 1u);
}

TEST_F(LoopTest, WarnedModelMayRecover) {
  auto patient = task();
  patient.limits.iterations_max = 20;
  model->then(echo("same")).then(echo("same")).then(echo("same")).then(says("else"));
  EXPECT_EQ(run(std::move(patient)).response, "else");
}

TEST_F(LoopTest, EveryModelErrorIsAResultThatNamesItsCode) {
  for (const auto code : {errc::model_auth, errc::model_rate_limited, errc::model_unavailable,
                          errc::model_refused_request, errc::timeout}) {
    model->then(Error(code, "words"));
    const auto result = run();
    EXPECT_EQ(result.end, LoopEnd::model_error);
    EXPECT_EQ(result.error, "LLM error: words");
    EXPECT_EQ(result.error_code, code);
  }
  EXPECT_EQ(lines->count("reasoning_error"), 4u);
  EXPECT_EQ(lines->count("llm_auth_error"), 1u);
}

TEST_F(LoopTest, RejectedKeyIsLoggedTheWayOperatorsLookForIt) {
  model->then(
      Error(errc::model_auth, "Invalid API key (scripted): 401, the key from X is not accepted"));
  run();
  EXPECT_THAT(lines->find("llm_auth_error"), HasSubstr("\"level\":\"error\""));
  EXPECT_THAT(lines->find("llm_auth_error"),
              HasSubstr("\"msg\":\"Invalid API key (scripted): 401, the key"));
  lines->lines.clear();
  model->then(Error(errc::model_auth, "scripted: no key; set X"));
  run();
  EXPECT_THAT(lines->find("llm_auth_error"),
              HasSubstr("\"msg\":\"Invalid API key (scripted): scripted: no key; set X\""));
}

TEST_F(LoopTest, HooksSeeGrowingPromptsAndEveryAnswer) {
  std::vector<std::int64_t> estimates;
  int answers = 0, calls_done = 0;
  hooks.before_model = [&](std::int64_t estimate) -> Task<int> {
    estimates.push_back(estimate);
    co_return 777;
  };
  hooks.after_model = [&](const llm::ModelAnswer& answer) { answers += answer.usage.output > 0; };
  hooks.after_tool = [&] { ++calls_done; };
  model->then(echo(std::string(4000, 'x'))).then(says("done"));
  run();
  ASSERT_EQ(estimates.size(), 2u);
  EXPECT_GT(estimates[1], estimates[0] + 1000) << "call and result are part of the next prompt";
  EXPECT_EQ(model->requests.at(0).max_tokens, 777) << "what is left, not what the task allows";
  EXPECT_EQ(answers, 2);
  EXPECT_EQ(calls_done, 1);
}

TEST_F(LoopTest, BudgetThatIsExceededPassesThrough) {
  int asked = 0;
  hooks.before_model = [&](std::int64_t) -> Task<int> {
    if (++asked == 2) throw Error(errc::budget_exceeded, "Daily budget exceeded");
    co_return 4096;
  };
  model->always(echo("x"));
  try {
    run();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::budget_exceeded);
  }
  EXPECT_EQ(model->requests.size(), 1u);
}

TEST_F(LoopTest, StaleFencePassesThrough) {
  model->then(echo("stale"));
  EXPECT_THROW(run(), Error);
}

TEST_F(LoopTest, CancellationPassesThroughAndKeepsWhatHooksSaw) {
  int answers = 0;
  hooks.after_model = [&](const llm::ModelAnswer&) { ++answers; };
  model->then(echo("x"));
  model->then([](const auto&) -> Task<llm::ModelAnswer> {
    co_await sleep_for(1h);
    co_return llm::ModelAnswer{};
  });
  boost::asio::cancellation_signal signal;
  std::exception_ptr failure;
  bool ended = false;
  boost::asio::co_spawn(
      ioc, test::detail::cancellable(run_loop(task(), model, box, hooks, Deadline::in(2h), log)),
      boost::asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e, LoopResult) {
        failure = e;
        ended = true;
      }));
  ASSERT_TRUE(test::run_until(ioc, [&] { return model->requests.size() == 2; }));
  signal.emit(boost::asio::cancellation_type::all);
  ASSERT_TRUE(test::run_until(ioc, [&] { return ended; }));
  EXPECT_TRUE(is_cancellation(failure));
  EXPECT_EQ(answers, 1);
}

}  // namespace
}  // namespace botburrow::agent
