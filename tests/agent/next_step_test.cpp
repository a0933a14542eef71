#include "agent/next_step.hpp"

#include <gtest/gtest.h>

namespace botburrow::agent {
namespace {

using Kind = NextStep::Kind;
using llm::StopReason;

llm::ModelAnswer text(std::string words, StopReason stop = StopReason::end) {
  llm::ModelAnswer answer;
  answer.text = std::move(words);
  answer.stop = stop;
  answer.usage = {.input = 10, .output = 5};
  return answer;
}

llm::ModelAnswer calls(StopReason stop = StopReason::tool_use, bool malformed = false) {
  auto answer = text("", stop);
  llm::ToolCall call{.id = "1", .name = "x", .arguments = json::object{}};
  if (malformed) call.malformed = "{";
  answer.tool_calls.push_back(std::move(call));
  return answer;
}

constexpr LoopLimits kTen{.iterations_max = 10};

TEST(NextStep, TextIsTheAnswer) {
  LoopState state;
  const auto step = after_answer(state, text("hello"), kTen);
  EXPECT_EQ(step.kind, Kind::finish);
  EXPECT_EQ(step.end, LoopEnd::answered);
  EXPECT_EQ(step.text, "hello");
  EXPECT_EQ(state.iterations, 1);
  EXPECT_EQ(state.tokens, 15);
}

TEST(NextStep, EmptyTextIsAnAnswerToo) {
  LoopState state;
  EXPECT_EQ(after_answer(state, text(""), kTen).end, LoopEnd::answered);
}

TEST(NextStep, AFailureEndsItInItsOwnWords) {
  LoopState state;
  auto failed = text("half an answer");
  failed.failure = "it ended with exit code 3";
  const auto step = after_answer(state, failed, kTen);
  EXPECT_EQ(step.kind, Kind::finish);
  EXPECT_EQ(step.end, LoopEnd::outside_failed);
  EXPECT_EQ(end_text(step.end, step.text), "it ended with exit code 3");
  EXPECT_EQ(state.tokens, 15) << "it was paid for";
}

TEST(NextStep, CallsAreRun) {
  LoopState state;
  EXPECT_EQ(after_answer(state, calls(), kTen).kind, Kind::run_tools);
}

TEST(NextStep, ToolsAreOfferedUntilTheLastIteration) {
  EXPECT_TRUE(may_call_tools({.iterations = 8}, kTen));
  EXPECT_FALSE(may_call_tools({.iterations = 9}, kTen));
  EXPECT_FALSE(may_call_tools({}, {.iterations_max = 1}));
}

TEST(NextStep, CallsOfTheLastIterationAreNotRun) {
  LoopState last{.iterations = 9};
  const auto step = after_answer(last, calls(), kTen);
  EXPECT_EQ(step.kind, Kind::finish);
  EXPECT_EQ(step.end, LoopEnd::iterations_used_up);
  LoopState before{.iterations = 8};
  EXPECT_EQ(after_answer(before, calls(), kTen).kind, Kind::run_tools);
}

TEST(NextStep, TextOfTheLastIterationIsTheAnswer) {
  LoopState last{.iterations = 9};
  EXPECT_EQ(after_answer(last, text("done"), kTen).end, LoopEnd::answered);
}

TEST(NextStep, TokenLimitStopsBeforeToolsButNotBeforeAnAnswer) {
  const LoopLimits limits{.iterations_max = 10, .tokens_max = 115};
  LoopState at{.tokens = 100};
  EXPECT_EQ(after_answer(at, calls(), limits).end, LoopEnd::token_limit);
  LoopState below{.tokens = 99};
  EXPECT_EQ(after_answer(below, calls(), limits).kind, Kind::run_tools);
  LoopState paid{.tokens = 500};
  EXPECT_EQ(after_answer(paid, text("paid already"), limits).end, LoopEnd::answered);
}

TEST(NextStep, NoTokenLimitIsNoLimit) {
  LoopState state{.tokens = 1'000'000'000};
  EXPECT_EQ(after_answer(state, calls(), kTen).kind, Kind::run_tools);
  EXPECT_TRUE(may_begin(state, kTen));
}

TEST(NextStep, NothingBeginsOnceTheTokensAreGone) {
  EXPECT_TRUE(may_begin({.tokens = 99}, {.tokens_max = 100}));
  EXPECT_FALSE(may_begin({.tokens = 100}, {.tokens_max = 100}));
}

TEST(NextStep, PauseGoesOnWithinTheLimits) {
  LoopState state;
  EXPECT_EQ(after_answer(state, text("", StopReason::pause), kTen).kind, Kind::ask_again);
  LoopState last{.iterations = 9};
  EXPECT_EQ(after_answer(last, text("", StopReason::pause), kTen).end, LoopEnd::iterations_used_up);
  LoopState spent{.tokens = 100};
  EXPECT_EQ(
      after_answer(spent, text("", StopReason::pause), {.iterations_max = 10, .tokens_max = 100})
          .end,
      LoopEnd::token_limit);
}

TEST(NextStep, RefusalWithoutWordsIsAnEndWithWordsAnAnswer) {
  for (const auto stop : {StopReason::refusal, StopReason::content_filter}) {
    LoopState state;
    EXPECT_EQ(after_answer(state, text("", stop), kTen).end, LoopEnd::refused);
    LoopState other;
    EXPECT_EQ(after_answer(other, text("I cannot help with that.", stop), kTen).end,
              LoopEnd::answered);
  }
}

TEST(NextStep, CallsOfARefusalAreNotRun) {
  LoopState state;
  const auto step = after_answer(state, calls(StopReason::refusal), kTen);
  EXPECT_EQ(step.kind, Kind::finish);
  EXPECT_EQ(step.end, LoopEnd::refused);
}

TEST(NextStep, CutCallIsAskedForAgainOnce) {
  LoopState state;
  EXPECT_EQ(after_answer(state, calls(StopReason::max_tokens, true), kTen).kind, Kind::run_tools);
  EXPECT_EQ(after_answer(state, calls(StopReason::max_tokens, true), kTen).end, LoopEnd::cut);
}

TEST(NextStep, CutsCountOnlyInARow) {
  LoopState state;
  after_answer(state, calls(StopReason::max_tokens, true), kTen);
  after_answer(state, calls(), kTen);
  EXPECT_EQ(after_answer(state, calls(StopReason::max_tokens, true), kTen).kind, Kind::run_tools);
}

TEST(NextStep, WholeCallsOfACutAnswerAreRun) {
  LoopState state;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(after_answer(state, calls(StopReason::max_tokens), kTen).kind, Kind::run_tools);
  }
}

TEST(NextStep, ThreeMalformedAnswersInARowStop) {
  LoopState state;
  EXPECT_EQ(after_answer(state, calls(StopReason::tool_use, true), kTen).kind, Kind::run_tools);
  EXPECT_EQ(after_answer(state, calls(StopReason::tool_use, true), kTen).kind, Kind::run_tools);
  EXPECT_EQ(after_answer(state, calls(StopReason::tool_use, true), kTen).end, LoopEnd::malformed);
}

TEST(NextStep, MalformedCountsOnlyInARow) {
  LoopState state;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(after_answer(state, calls(StopReason::tool_use, true), kTen).kind, Kind::run_tools);
    EXPECT_EQ(after_answer(state, calls(), kTen).kind, Kind::run_tools);
  }
}

TEST(EndText, SaysWhatResultsCarry) {
  EXPECT_EQ(end_text(LoopEnd::answered), "");
  EXPECT_EQ(end_text(LoopEnd::iterations_used_up), "Exceeded maximum iterations");
  EXPECT_EQ(end_text(LoopEnd::token_limit), "Token limit reached");
  EXPECT_EQ(end_text(LoopEnd::repeating, "hub_post"), "Stopped repeating: hub_post");
  EXPECT_EQ(end_text(LoopEnd::fatal_tool, "x"), "Fatal tool error: x");
  EXPECT_EQ(end_text(LoopEnd::model_error, "x"), "LLM error: x");
  for (const auto end : {LoopEnd::refused, LoopEnd::cut, LoopEnd::malformed}) {
    EXPECT_NE(end_text(end), "");
  }
}

}  // namespace
}  // namespace botburrow::agent
