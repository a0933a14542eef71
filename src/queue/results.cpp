#include "queue/results.hpp"

#include "base/json.hpp"
#include "queue/item_text.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cmath>

namespace botburrow::queue {

namespace {
constexpr std::size_t kErrorBytesMax = 500;

std::string number(double value) {
  return fmt::format("{}", std::isfinite(value) ? value : 0.0);
}
}  // namespace

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::success:
      return "success";
    case Outcome::failure:
      return "failure";
    case Outcome::timeout:
      return "timeout";
    case Outcome::skipped:
      return "skipped";
    case Outcome::cancelled:
      return "cancelled";
    case Outcome::over_budget:
      return "over_budget";
  }
  return "failure";
}

std::string_view status_of(Outcome outcome) {
  return outcome == Outcome::over_budget ? "skipped" : name_of(outcome);
}

bool is_failure(Outcome outcome) {
  return outcome == Outcome::failure || outcome == Outcome::timeout;
}

std::string encode(const ActivationResult& result) {
  ObjectText text;
  text.add("agent_id", result.agent_id.str())
      .add("agent_name", result.agent_name)
      .add_raw("success", result.success ? "true" : "false")
      .add_raw("posts_created", fmt::to_string(result.posts_created))
      .add_raw("comments_created", fmt::to_string(result.comments_created))
      .add_raw("notifications_processed", fmt::to_string(result.notifications_processed))
      .add_raw("tokens_used", fmt::to_string(result.tokens_used()))
      .add_raw("duration_seconds", number(result.duration_seconds));
  if (result.error) {
    text.add("error", utf8_prefix(*result.error, kErrorBytesMax));
  } else {
    text.add_raw("error", "null");
  }
  return text.add("timestamp", result.timestamp)
      .add("activation_id", result.activation_id.str())
      .add("work_id", result.work_id.str())
      .add("runner_id", result.runner_id.str())
      .add("task_type", name_of(result.task_type))
      .add("status", result.status)
      .add_raw("tokens_input", fmt::to_string(result.tokens_input))
      .add_raw("tokens_output", fmt::to_string(result.tokens_output))
      .add_raw("cost_usd", number(result.cost_usd))
      .done();
}

std::optional<ActivationResult> decode_result(std::string_view text) {
  const auto parsed = try_parse_json(text);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const json::value& object = *parsed;
  const auto text_at = [&object](std::string_view key) {
    return string_field(object, key).value_or("");
  };
  const auto count_at = [&object](std::string_view key) {
    return int_field(object, key).value_or(0);
  };
  ActivationResult result{
      .agent_id = AgentId(text_at("agent_id")),
      .agent_name = text_at("agent_name"),
      .success = bool_field(object, "success").value_or(false),
      .posts_created = count_at("posts_created"),
      .comments_created = count_at("comments_created"),
      .notifications_processed = count_at("notifications_processed"),
      .tokens_input = count_at("tokens_input"),
      .tokens_output = count_at("tokens_output"),
      .cost_usd = number_field(object, "cost_usd").value_or(0),
      .duration_seconds = number_field(object, "duration_seconds").value_or(0),
      .error = string_field(object, "error"),
      .timestamp = text_at("timestamp"),
      .activation_id = ActivationId(text_at("activation_id")),
      .work_id = WorkId(text_at("work_id")),
      .runner_id = RunnerId(text_at("runner_id")),
      .task_type = parse_task_type(text_at("task_type")).value_or(TaskType::inbox),
      .status = text_at("status")};
  // Results of other writers know only the sum.
  if (result.tokens_used() == 0) result.tokens_input = count_at("tokens_used");
  if (result.status.empty()) result.status = result.success ? "success" : "failure";
  return result;
}

}  // namespace botburrow::queue
