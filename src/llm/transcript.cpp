#include "llm/transcript.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace botburrow::llm {
namespace {

constexpr std::string_view kNoResult = "No result: the call was not run.";
constexpr std::string_view kBegin = "Begin.";

void append_paragraph(std::string& text, std::string_view more) {
  if (is_blank(more)) return;
  if (!text.empty()) text += "\n\n";
  text += more;
}

class Arranger {
 public:
  explicit Arranger(std::string_view blocks_of) : blocks_of_(blocks_of) {}

  void add(const Message& message) {
    switch (message.role) {
      case Role::system:
        append_paragraph(out_.system, message.text);
        break;
      case Role::assistant:
        add_assistant(message);
        break;
      case Role::user:
        add_user_text(message.text);
        break;
      case Role::tool:
        for (const auto& result : message.tool_results)
          add_result(result);
        add_user_text(message.text);
        break;
    }
  }

  Transcript take() {
    if (out_.turns.empty() || out_.turns.front().assistant) {
      out_.turns.insert(out_.turns.begin(), Turn{.text = std::string(kBegin)});
    }
    answer_open_calls();
    return std::move(out_);
  }

 private:
  void add_assistant(const Message& message) {
    Turn turn{.assistant = true, .calls = message.tool_calls};
    if (!is_blank(message.text)) turn.text = message.text;
    if (message.provider_blocks_of == blocks_of_) turn.provider_blocks = message.provider_blocks;
    if (turn.text.empty() && turn.calls.empty() && turn.provider_blocks.empty()) return;
    answer_open_calls();
    out_.turns.push_back(std::move(turn));
  }

  Turn& user_turn() {
    if (out_.turns.empty() || out_.turns.back().assistant) out_.turns.emplace_back();
    return out_.turns.back();
  }

  // The assistant turn whose calls the results of the current user turn belong to.
  const Turn* caller() const {
    const auto& turns = out_.turns;
    if (turns.empty()) return nullptr;
    if (turns.back().assistant) return &turns.back();
    return turns.size() > 1 ? &turns[turns.size() - 2] : nullptr;
  }

  void add_user_text(std::string_view text) {
    if (!is_blank(text)) append_paragraph(user_turn().text, text);
  }

  void add_result(const ToolResult& result) {
    const auto* asking = caller();
    const bool asked =
        asking != nullptr && std::ranges::any_of(asking->calls, [&](const auto& call) {
          return call.id == result.call_id;
        });
    if (!asked)
      return add_user_text(fmt::format("Result of {}: {}", result.tool_name, result.content));
    auto& results = user_turn().results;
    const bool again = std::ranges::any_of(
        results, [&](const auto& one) { return one.call_id == result.call_id; });
    if (!again) results.push_back(result);
  }

  // Called when no more results can come for the last assistant turn.
  void answer_open_calls() {
    const auto* asking = caller();
    if (asking == nullptr || asking->calls.empty()) return;
    const auto calls = asking->calls;
    auto& turn = user_turn();
    std::vector<ToolResult> ordered;
    for (const auto& call : calls) {
      const auto found = std::ranges::find(turn.results, call.id, &ToolResult::call_id);
      ordered.push_back(found != turn.results.end()
                            ? *found
                            : ToolResult{call.id, call.name, std::string(kNoResult), true});
    }
    turn.results = std::move(ordered);
  }

  std::string blocks_of_;
  Transcript out_;
};

}  // namespace

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

Transcript arranged(const std::vector<Message>& messages, std::string_view blocks_of) {
  Arranger arranger(blocks_of);
  for (const auto& message : messages)
    arranger.add(message);
  return arranger.take();
}

std::size_t calls_in(const std::vector<Message>& messages) {
  std::size_t calls = 0;
  for (const auto& message : messages)
    calls += message.tool_calls.size();
  return calls;
}

}  // namespace botburrow::llm
