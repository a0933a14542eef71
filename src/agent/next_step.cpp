#include "agent/next_step.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::agent {
namespace {

constexpr int kMalformedMax = 3;
constexpr int kCutMax = 2;

NextStep finish(LoopEnd end) {
  return {.kind = NextStep::Kind::finish, .end = end};
}

bool has_malformed(const llm::ModelAnswer& answer) {
  return std::any_of(answer.tool_calls.begin(), answer.tool_calls.end(),
                     [](const auto& call) { return call.malformed.has_value(); });
}

}  // namespace

bool may_begin(const LoopState& state, const LoopLimits& limits) {
  return limits.tokens_max <= 0 || state.tokens < limits.tokens_max;
}

bool may_call_tools(const LoopState& state, const LoopLimits& limits) {
  return state.iterations + 1 < limits.iterations_max;
}

NextStep after_answer(LoopState& state, const llm::ModelAnswer& answer, const LoopLimits& limits) {
  const bool tools_were_offered = may_call_tools(state, limits);
  ++state.iterations;
  state.tokens += answer.usage.input + answer.usage.output;
  if (!answer.failure.empty()) {
    return {.kind = NextStep::Kind::finish, .end = LoopEnd::outside_failed, .text = answer.failure};
  }
  const bool last = state.iterations >= limits.iterations_max;
  const bool tokens_gone = !may_begin(state, limits);
  const bool declined =
      answer.stop == llm::StopReason::refusal || answer.stop == llm::StopReason::content_filter;
  // What a declined answer would have done is not done.
  if (declined && (answer.text.empty() || !answer.tool_calls.empty())) {
    return finish(LoopEnd::refused);
  }

  if (answer.stop == llm::StopReason::pause && answer.tool_calls.empty()) {
    if (last) return finish(LoopEnd::iterations_used_up);
    return tokens_gone ? finish(LoopEnd::token_limit) : NextStep{.kind = NextStep::Kind::ask_again};
  }
  if (answer.tool_calls.empty()) {
    return {.kind = NextStep::Kind::finish, .end = LoopEnd::answered, .text = answer.text};
  }
  if (last || !tools_were_offered) return finish(LoopEnd::iterations_used_up);
  if (tokens_gone) return finish(LoopEnd::token_limit);

  const bool malformed = has_malformed(answer);
  const bool cut = malformed && answer.stop == llm::StopReason::max_tokens;
  state.cut_in_a_row = cut ? state.cut_in_a_row + 1 : 0;
  state.malformed_in_a_row = malformed ? state.malformed_in_a_row + 1 : 0;
  if (state.cut_in_a_row >= kCutMax) return finish(LoopEnd::cut);
  if (state.malformed_in_a_row >= kMalformedMax) return finish(LoopEnd::malformed);
  return {.kind = NextStep::Kind::run_tools};
}

std::string end_text(LoopEnd end, std::string_view detail) {
  switch (end) {
    case LoopEnd::answered:
      return "";
    case LoopEnd::iterations_used_up:
      return "Exceeded maximum iterations";
    case LoopEnd::token_limit:
      return "Token limit reached";
    case LoopEnd::refused:
      return "The model refused to answer";
    case LoopEnd::cut:
      return "Answer cut at max_tokens in the middle of a tool call; raise brain.max_tokens";
    case LoopEnd::malformed:
      return "Stopped: malformed tool arguments three times in a row";
    case LoopEnd::repeating:
      return fmt::format("Stopped repeating: {}", detail);
    case LoopEnd::fatal_tool:
      return fmt::format("Fatal tool error: {}", detail);
    case LoopEnd::model_error:
      return fmt::format("LLM error: {}", detail);
    case LoopEnd::outside_failed:
      return std::string(detail);
  }
  return "";
}

}  // namespace botburrow::agent
