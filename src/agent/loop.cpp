#include "agent/loop.hpp"

#include "agent/repeat_guard.hpp"
#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

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

std::string without_repeat_note(const std::string& content) {
  const auto note = fmt::format("\nError: {}", kRepeatNote);
  return content.ends_with(note) ? content.substr(0, content.size() - note.size()) : content;
}

// Each call has its result, or vendors refuse the transcript.
llm::ToolResult unrun(const llm::ToolCall& call) {
  return {
      .call_id = call.id,
      .tool_name = call.name,
      .content = fmt::format("Error: not run: at most {} calls of one answer are; make the rest "
                             "with your next answer",
                             kCallsOfAnAnswerMax),
      .is_error = true};
}

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
  if (calls.size() > kCallsOfAnAnswerMax)
    log.warning("tool_calls_left_out", {{"calls", calls.size()}, {"run", kCallsOfAnAnswerMax}});
  for (const auto& call : calls) {
    if (round.results.size() >= kCallsOfAnAnswerMax) {
      round.results.push_back(unrun(call));
      continue;
    }
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

/// The transcript, and how much of it is written down.
struct Transcript {
  std::vector<llm::Message> messages;
  std::size_t written = 0;

  /// What the model was shown then takes the place of what it would be shown now.
  void replay(std::vector<llm::Message> asked) {
    messages.resize(written);
    for (auto& message : asked)
      messages.push_back(std::move(message));
    written = messages.size();
  }
  std::vector<llm::Message> unwritten() {
    std::vector<llm::Message> added(messages.begin() + static_cast<std::ptrdiff_t>(written),
                                    messages.end());
    written = messages.size();
    return added;
  }
  /// It follows from the answer, which is written down.
  void add_answer(const llm::ModelAnswer& answer) {
    messages.push_back(llm::Message::assistant(answer));
    written = messages.size();
  }
};

struct Heard {
  std::optional<llm::ModelAnswer> answer;
  std::string error;
  std::optional<errc> error_code;
};

Task<Heard> ask(const LoopTask& task, Transcript& transcript, llm::Model& model,
                tools::Toolbox& toolbox, const LoopHooks& hooks, bool offer_tools,
                Deadline deadline, Log log) {
  int max_tokens = task.max_tokens;
  if (hooks.before_model)
    max_tokens =
        co_await hooks.before_model(llm::estimated_tokens(transcript.messages, toolbox.specs()));
  if (hooks.journal) co_await hooks.journal->calling(transcript.unwritten());
  // Lent for the time of the call: a transcript can be large, and this may wait for minutes.
  llm::ModelRequest request{.messages = std::move(transcript.messages),
                            .tools = toolbox.specs(),
                            .may_call_tools = offer_tools,
                            .max_tokens = max_tokens,
                            .temperature = task.temperature};
  Heard heard;
  try {
    heard.answer = co_await model.complete(request, deadline);
  } catch (const Error& error) {
    log_model_error(log, model.provider(), error);
    heard.error = error.message();
    heard.error_code = error.code();
  }
  transcript.messages = std::move(request.messages);
  if (!heard.answer) co_return heard;
  if (hooks.after_model) hooks.after_model(*heard.answer);
  if (hooks.journal) co_await hooks.journal->answered(*heard.answer);
  co_return heard;
}

// The results that the model was sent, as far as the rules and the tools of this run count them.
void count_recorded_round(const llm::ModelAnswer& answer, const RecordedTurn& next,
                          const tools::Toolbox& toolbox, RepeatGuard& guard, LoopResult& result) {
  for (const auto& message : next.asked) {
    for (const auto& one : message.tool_results) {
      const auto call = std::ranges::find(answer.tool_calls, one.call_id, &llm::ToolCall::id);
      if (call == answer.tool_calls.end()) continue;
      toolbox.made_before(*call, one.content);
      guard.saw(call->name, to_json(call->arguments), without_repeat_note(one.content));
      ++result.tool_calls;
      result.tools_used.push_back(call->name);
    }
  }
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
  Transcript transcript{.messages = std::exchange(task.messages, {})};
  log.info("loop_starting", {{"max_iterations", task.limits.iterations_max}});
  const auto ended = [&](LoopEnd end, std::string_view detail = {}) {
    result.end = end;
    result.error = end_text(end, detail);
  };
  auto past = hooks.journal ? hooks.journal->next_turn() : std::nullopt;
  for (;;) {
    if (past) transcript.replay(std::move(past->asked));
    const bool heard_before = past && past->answer;
    if (!heard_before && !may_begin(state, task.limits)) {
      ended(LoopEnd::token_limit);
      break;
    }
    Heard heard;
    if (heard_before) {
      heard.answer = std::move(past->answer);
    } else {
      heard = co_await ask(task, transcript, *model, toolbox, hooks,
                           may_call_tools(state, task.limits), deadline, log);
    }
    if (!heard.answer) {
      result.error_code = heard.error_code;
      ended(LoopEnd::model_error, heard.error);
      break;
    }
    const auto& answer = *heard.answer;
    if (hooks.on_answer) hooks.on_answer(answer);
    const auto step = after_answer(state, answer, task.limits);
    log.info("loop_iteration", {{"iteration", state.iterations},
                                {"max_iterations", task.limits.iterations_max},
                                {"from_journal", heard_before},
                                LogField::raw("tools", names_json(answer.tool_calls))});
    if (step.kind == NextStep::Kind::finish) {
      ended(step.end, step.text);
      if (result.success()) result.response = step.text;
      break;
    }
    transcript.add_answer(answer);
    past = hooks.journal ? hooks.journal->next_turn() : std::nullopt;
    if (step.kind == NextStep::Kind::ask_again) continue;
    if (past) {
      count_recorded_round(answer, *past, toolbox, guard, result);
      continue;
    }
    auto round =
        co_await run_tools(answer.tool_calls, toolbox, guard, hooks.after_tool, deadline, log);
    result.tool_calls += static_cast<int>(round.results.size());
    for (const auto& one : round.results)
      result.tools_used.push_back(one.tool_name);
    if (round.ended) {
      ended(*round.ended, round.detail);
      break;
    }
    transcript.messages.push_back(llm::Message::tool(std::move(round.results)));
  }
  result.iterations = state.iterations;
  if (result.end == LoopEnd::iterations_used_up) {
    log.warning("loop_exceeded_iterations", {{"iterations", state.iterations}});
  }
  log.info("loop_completed", {{"iterations", state.iterations}, {"tool_calls", result.tool_calls}});
  co_return result;
}

}  // namespace botburrow::agent
