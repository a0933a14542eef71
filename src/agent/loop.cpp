#include "agent/loop.hpp"

#include "agent/repeat_guard.hpp"
#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::agent {
namespace {

std::string names_json(const std::vector<llm::ToolCall>& calls) {
  json::array names;
  for (const auto& call : calls)
    names.emplace_back(call.name);
  return to_json(names);
}

constexpr std::string_view kRepeatNote =
    "You have made this same call with the same result several times. Do something else, or answer "
    "with what you have.";

// Runs all calls of one answer in their order, so that the effects of a run are numbered the same
// way in every rerun of it.
struct ToolRound {
  std::vector<llm::ToolResult> results;
  std::optional<LoopEnd> ended;
  std::string detail;
};

Task<ToolRound> run_tools(std::vector<llm::ToolCall> calls, tools::Toolbox& toolbox,
                          RepeatGuard& guard, std::function<void()> after_tool, Deadline deadline,
                          Log log) {
  ToolRound round;
  for (const auto& call : calls) {
    bool fatal = false;
    auto result = co_await toolbox.call(call, deadline, fatal);
    if (after_tool) after_tool();
    const auto verdict = guard.saw(call.name, to_json(call.arguments), result.content);
    if (fatal) {
      round.ended = LoopEnd::fatal_tool;
      round.detail = result.content;
    } else if (verdict == RepeatGuard::Verdict::stop) {
      log.warning("tool_repeat_stopped", {{"tool", call.name}});
      round.ended = LoopEnd::repeating;
      round.detail = call.name;
    } else if (verdict == RepeatGuard::Verdict::warn) {
      result.content += fmt::format("\nError: {}", kRepeatNote);
      result.is_error = true;
    }
    round.results.push_back(std::move(result));
    if (round.ended) co_return round;
  }
  co_return round;
}

}  // namespace

void log_model_error(const Log& log, std::string_view provider, const Error& error) {
  if (error.code() != errc::model_auth) {
    log.error("reasoning_error", {{"error", error.message()}, {"code", name_of(error.code())}});
    return;
  }
  const auto opening = fmt::format("Invalid API key ({})", provider);
  const bool said = error.message().starts_with(opening);
  log.error("llm_auth_error", {{"provider", provider},
                               {"msg", said ? error.message() : opening + ": " + error.message()}});
}

Task<LoopResult> run_loop(LoopTask task, std::shared_ptr<llm::Model> model, tools::Toolbox& toolbox,
                          LoopHooks hooks, Deadline deadline, Log log) {
  LoopResult result;
  LoopState state{.tokens = task.tokens_spent};
  RepeatGuard guard;
  log.info("loop_starting", {{"max_iterations", task.limits.iterations_max}});
  const auto ended = [&](LoopEnd end, std::string_view detail = {}) {
    result.end = end;
    result.error = end_text(end, detail);
  };
  for (;;) {
    if (!may_begin(state, task.limits)) {
      ended(LoopEnd::token_limit);
      break;
    }
    if (hooks.before_model) {
      const auto estimate = llm::estimated_tokens(task.messages, toolbox.specs());
      co_await hooks.before_model(estimate);
    }
    const bool offer_tools = may_call_tools(state, task.limits);
    llm::ModelRequest request{.messages = task.messages,
                              .tools = toolbox.specs(),
                              .may_call_tools = offer_tools,
                              .max_tokens = task.max_tokens,
                              .temperature = task.temperature};
    llm::ModelAnswer answer;
    try {
      answer = co_await model->complete(std::move(request), deadline);
    } catch (const Error& error) {
      log_model_error(log, model->provider(), error);
      result.error_code = error.code();
      ended(LoopEnd::model_error, error.message());
      break;
    }
    if (hooks.after_model) hooks.after_model(answer);
    const auto step = after_answer(state, answer, task.limits);
    log.info("loop_iteration", {{"iteration", state.iterations},
                                {"max_iterations", task.limits.iterations_max},
                                LogField::raw("tools", names_json(answer.tool_calls))});
    if (step.kind == NextStep::Kind::finish) {
      ended(step.end);
      result.response = step.text;
      break;
    }
    task.messages.push_back(llm::Message::assistant(answer));
    if (step.kind == NextStep::Kind::ask_again) continue;
    auto round =
        co_await run_tools(answer.tool_calls, toolbox, guard, hooks.after_tool, deadline, log);
    result.tool_calls += static_cast<int>(round.results.size());
    for (const auto& one : round.results)
      result.tools_used.push_back(one.tool_name);
    if (round.ended) {
      ended(*round.ended, round.detail);
      break;
    }
    task.messages.push_back(llm::Message::tool(std::move(round.results)));
  }
  result.iterations = state.iterations;
  if (result.end == LoopEnd::iterations_used_up) {
    log.warning("loop_exceeded_iterations", {{"iterations", state.iterations}});
  }
  log.info("loop_completed", {{"iterations", state.iterations}, {"tool_calls", result.tool_calls}});
  co_return result;
}

}  // namespace botburrow::agent
