#pragma once

#include "agent/next_step.hpp"
#include "agent/past_work.hpp"
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

/// What earlier runs of the same work said and heard, and where this one writes it down.
class LoopJournal {
 public:
  virtual ~LoopJournal() = default;
  /// The next exchange that is written down; each is given out once, and before any new one is
  /// made.
  virtual std::optional<RecordedTurn> next_turn() = 0;
  virtual bool has_turns() const = 0;
  /// The model is about to be asked; `added` came to the transcript since the call before.
  virtual Task<> calling(std::vector<llm::Message> added) = 0;
  virtual Task<> answered(const llm::ModelAnswer& answer) = 0;
};

/// What the loop tells its owner while it runs.
struct LoopHooks {
  /// Before each model call, with the tokens its prompt has by estimate: how long the answer may be
  /// at most, the task's max_tokens or less. May throw Error{budget_exceeded} to end the run.
  std::function<Task<int>(std::int64_t input_estimate)> before_model;
  /// After each answer that was paid for: the tokens were spent, whatever comes next.
  std::function<void(const llm::ModelAnswer&)> after_model;
  /// After each answer, those of earlier runs too.
  std::function<void(const llm::ModelAnswer&)> on_answer;
  /// After each tool call, whatever came of it.
  std::function<void()> after_tool;
  /// May be null.
  LoopJournal* journal = nullptr;
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

/// Runs model ⇄ tools until an answer or a limit. What the journal holds of earlier runs comes
/// first: their answers are not asked for again, and tools whose results were sent to the model are
/// not run again; `messages` are not looked at then, for the journal has what the model was shown.
/// Model errors become results; what before_model and the tools with effects throw (a stale fence,
/// budget_exceeded, a Hub that is away) and cancellation pass through.
Task<LoopResult> run_loop(LoopTask task, std::shared_ptr<llm::Model> model, tools::Toolbox& toolbox,
                          LoopHooks hooks, Deadline deadline, Log log);

/// The line of a model that failed: `llm_auth_error` for a key that is missing or not accepted,
/// else `reasoning_error`.
void log_model_error(const Log& log, std::string_view provider, const Error& error);

}  // namespace botburrow::agent
