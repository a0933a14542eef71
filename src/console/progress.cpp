// Rules only.
#include "console/progress.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>

namespace botburrow::console {
namespace {

constexpr std::size_t kWordsBytes = 120;

std::string text(const json::value& object, std::string_view key) {
  return string_field(object, key).value_or("");
}

std::string words_of_notification(const json::value& line) {
  const auto* what = find_field(line, "notification");
  if (!what) return "settled a notification: " + text(line, "outcome");
  const auto* from = find_field(*what, "from");
  const auto name = from ? text(*from, "name") : "";
  return "begins a " + text(*what, "type") + (name.empty() ? "" : " by " + name);
}

// What is stored apart is not looked at: a long answer is an answer.
std::string words_of_answer(const json::value& line) {
  const auto* answer = find_field(line, "answer");
  if (!answer) return "has an answer";
  std::string tools;
  for (const auto& call : array_field(*answer, "tool_calls"))
    tools += (tools.empty() ? "" : ", ") + text(call, "name");
  return tools.empty() ? "has an answer" : "runs " + tools;
}

std::string words_of(const std::string& kind, const json::value& line) {
  if (kind == "started") return "started";
  if (kind == "notification") return words_of_notification(line);
  if (kind == "model_call") return "asks the model";
  if (kind == "model_answer") return words_of_answer(line);
  if (kind == "effect") return "writes to the Hub";
  if (kind == "effect_done") return "has written to the Hub";
  if (kind == "ended") return "ends";
  return "";
}

}  // namespace

void Progress::take(std::int64_t from, const std::vector<std::string>& lines) {
  for (const auto& line : lines) {
    if (from++ != next_) continue;
    ++next_;
    take_line(line);
  }
}

void Progress::take_line(const std::string& line) {
  const auto parsed = try_parse_json(line);
  if (!parsed || text(*parsed, "activation_id") != activation_.str()) return;
  const auto kind = text(*parsed, "kind");
  if (kind == "model_call") ++steps_;
  if (kind == "model_answer") cost_usd_ += number_field(*parsed, "cost_usd").value_or(0);
  auto words = words_of(kind, *parsed);
  if (words.empty()) return;
  doing_ = utf8_prefix(words, kWordsBytes);
  since_ = text(*parsed, "at");
}

}  // namespace botburrow::console
