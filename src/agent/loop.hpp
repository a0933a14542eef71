#pragma once

#include "agent/next_step.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "base/task.hpp"
#include "llm/model.hpp"
#include "tools/toolbox.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::agent {

/// What one run of the loop works on.
struct LoopTask {
  std::vector<llm::Message> messages;  ///< system and user messages to begin with
  int max_tokens = 4096;               ///< per answer
  double temperature = 0.7;
  LoopLimits limits;
  std::int64_t tokens_spent = 0;  ///< by earlier runs of the same activation
};

/// What the loop tells its owner while it runs.
struct LoopHooks {
  /// Before each model call, with the tokens its prompt has by estimate; may throw
  /// Error{budget_exceeded} to end the run.
  std::function<Task<>(std::int64_t input_estimate)> before_model;
  /// After each answer: the tokens were spent, whatever comes next.
  std::function<void(const llm::ModelAnswer&)> after_model;
  /// After each tool call, whatever came of it.
  std::function<void()> after_tool;
};

struct LoopResult {
  LoopEnd end = LoopEnd::answered;
  std::string response;            ///< of an answered run
  std::string error;               ///< of any other end
  std::optional<errc> error_code;  ///< of a model_error: tells a dependency's fault from others
  int iterations = 0;
  int tool_calls = 0;
  std::vector<std::string> tools_used;
  bool success() const { return end == LoopEnd::answered; }
};

/// Runs model ⇄ tools until an answer or a limit. Model errors become results; what before_model
/// and the tools with effects throw (a stale fence, budget_exceeded, a Hub that is away) and
/// cancellation pass through.
Task<LoopResult> run_loop(LoopTask task, std::shared_ptr<llm::Model> model, tools::Toolbox& toolbox,
                          LoopHooks hooks, Deadline deadline, Log log);

/// The line of a model that failed: `llm_auth_error` for a key that is missing or not accepted,
/// else `reasoning_error`.
void log_model_error(const Log& log, std::string_view provider, const Error& error);

}  // namespace botburrow::agent
