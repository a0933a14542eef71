#pragma once

#include "llm/model.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::agent {

/// Calls of one answer that are run; what is beyond is answered unrun.
inline constexpr std::size_t kCallsOfAnAnswerMax = 16;

struct LoopLimits {
  int iterations_max = 10;      ///< model calls
  std::int64_t tokens_max = 0;  ///< input and output of one activation; 0 = no limit
};

/// Why a run of the loop is over.
enum class LoopEnd {
  answered,
  iterations_used_up,
  token_limit,
  refused,    ///< the model or its vendor declined
  cut,        ///< cut by max_tokens twice in the middle of a tool call
  malformed,  ///< three answers in a row with unusable arguments
  repeating,  ///< going in circles
  fatal_tool,
  model_error,
  outside_failed,  ///< a command-line agent ended badly
};

/// What the loop has seen so far. Plain numbers: the journal can keep it.
struct LoopState {
  int iterations = 0;
  std::int64_t tokens = 0;  ///< of the whole activation, earlier runs included
  int malformed_in_a_row = 0;
  int cut_in_a_row = 0;
};

struct NextStep {
  enum class Kind { finish, run_tools, ask_again } kind = Kind::finish;
  LoopEnd end = LoopEnd::answered;
  std::string text;  ///< of a finish by answer; of one by outside_failed, why
};

/// False once the activation's tokens are gone: no model call is paid then.
bool may_begin(const LoopState& state, const LoopLimits& limits);

/// Whether the coming model call may use tools: not on the last one, so that it must answer.
bool may_call_tools(const LoopState& state, const LoopLimits& limits);

/// Counts an answer in and says what follows from it.
NextStep after_answer(LoopState& state, const llm::ModelAnswer& answer, const LoopLimits& limits);

/// The words of an end, as results and logs carry them; empty for `answered`.
std::string end_text(LoopEnd end, std::string_view detail = {});

}  // namespace botburrow::agent
