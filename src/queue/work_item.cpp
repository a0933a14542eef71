#include "queue/work_item.hpp"

#include "base/json.hpp"
#include "queue/item_text.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace botburrow::queue {

std::string_view name_of(TaskType type) {
  return type == TaskType::inbox ? "inbox" : "discovery";
}

std::string_view name_of(Priority priority) {
  switch (priority) {
    case Priority::high:
      return "high";
    case Priority::normal:
      return "normal";
    case Priority::low:
      return "low";
  }
  return "normal";
}

std::optional<TaskType> parse_task_type(std::string_view text) {
  if (text == "inbox") return TaskType::inbox;
  if (text == "discovery") return TaskType::discovery;
  return std::nullopt;
}

Priority parse_priority(std::string_view text) {
  if (text == "high") return Priority::high;
  if (text == "low") return Priority::low;
  return Priority::normal;
}

std::string queue_key(Priority priority) {
  return fmt::format("work:queue:{}", name_of(priority));
}

bool valid_agent_id(std::string_view id) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  return !id.empty() && id.size() <= kAgentIdBytesMax && std::ranges::none_of(id, is_control) &&
         valid_utf8(id) == id;
}

ObjectText& ObjectText::add(std::string_view name, std::string_view text) {
  std::string value;
  append_json_string(value, text);
  return add_raw(name, value);
}

ObjectText& ObjectText::add_raw(std::string_view name, std::string_view json) {
  text_ += text_.empty() ? "{" : ", ";
  text_ += fmt::format("\"{}\": {}", name, json);
  return *this;
}

namespace {

std::string history_text(const std::vector<Crash>& history) {
  std::string text = "[";
  for (const Crash& crash : history) {
    if (text.size() > 1) text += ", ";
    text += ObjectText()
                .add("activation_id", crash.activation_id)
                .add("runner_id", crash.runner_id)
                .add("at", crash.at)
                .add("reason", crash.reason)
                .done();
  }
  return text + "]";
}

std::string extras_text(const WorkItem& item) {
  std::string text;
  const auto add = [&text](std::string_view name, std::string_view json) {
    text += fmt::format(", \"{}\": {}", name, json);
  };
  const auto quoted = [](std::string_view value) {
    std::string out;
    append_json_string(out, value);
    return out;
  };
  if (!item.notification_id.empty()) add("notification_id", quoted(item.notification_id));
  if (item.v != kItemVersion) add("v", fmt::to_string(item.v));
  // The scripts replace these three at the end of an element; they come together and last.
  if (!item.work_id.empty() || item.attempt > 0 || !item.history.empty()) {
    add("work_id", quoted(item.work_id.str()));
    add("attempt", fmt::to_string(item.attempt));
    if (!item.history.empty()) add("history", history_text(item.history));
  }
  return text;
}

std::optional<std::string> name_field(const json::value& object, std::string_view key) {
  auto name = string_field(object, key);
  if (name && !valid_agent_id(*name)) name.reset();
  return name;
}

std::vector<Crash> crashes_of(const json::array& entries) {
  std::vector<Crash> history;
  for (const json::value& entry : entries) {
    if (!entry.is_object()) continue;
    history.push_back({.activation_id = string_field(entry, "activation_id").value_or(""),
                       .runner_id = string_field(entry, "runner_id").value_or(""),
                       .at = string_field(entry, "at").value_or(""),
                       .reason = string_field(entry, "reason").value_or("")});
  }
  return history;
}

}  // namespace

std::vector<Crash> decode_history(std::string_view text) {
  if (text.empty()) return {};
  const auto list = try_parse_json(text);
  return list && list->is_array() ? crashes_of(list->get_array()) : std::vector<Crash>{};
}

ItemText text_of(const WorkItem& item) {
  std::string head =
      ObjectText()
          .add("agent_id", item.agent_id.str())
          .add("agent_name", item.agent_name)
          .add("task_type", name_of(item.task_type))
          .add("priority", name_of(item.priority))
          .add_raw("inbox_count", fmt::to_string(std::max<std::int64_t>(0, item.inbox_count)))
          .add_raw("created_at", "")
          .done();
  head.pop_back();
  return {.head = std::move(head),
          .created = item.created_at > 0 ? fmt::format("{}", item.created_at) : "",
          .tail = extras_text(item) + "}"};
}

std::string encode(const WorkItem& item) {
  const ItemText text = text_of(item);
  return text.head + (text.created.empty() ? "0" : text.created) + text.tail;
}

std::optional<WorkItem> decode_item(std::string_view element) {
  if (element.size() > kItemBytesMax) return std::nullopt;
  const auto parsed = try_parse_json(element);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const auto agent_id = name_field(*parsed, "agent_id");
  const auto agent_name = name_field(*parsed, "agent_name");
  const auto task_type = parse_task_type(string_field(*parsed, "task_type").value_or(""));
  if (!agent_id || !agent_name || !task_type) return std::nullopt;
  const double created = number_field(*parsed, "created_at").value_or(0);
  return WorkItem{
      .agent_id = AgentId(*agent_id),
      .agent_name = *agent_name,
      .task_type = *task_type,
      .priority = parse_priority(string_field(*parsed, "priority").value_or("")),
      .inbox_count = std::max<std::int64_t>(0, int_field(*parsed, "inbox_count").value_or(0)),
      .created_at = std::isfinite(created) && created > 0 ? created : 0,
      .notification_id = name_field(*parsed, "notification_id").value_or(""),
      .v = int_field(*parsed, "v").value_or(kItemVersion),
      .work_id = WorkId(string_field(*parsed, "work_id").value_or("")),
      .attempt = std::max<std::int64_t>(0, int_field(*parsed, "attempt").value_or(0)),
      .history = crashes_of(array_field(*parsed, "history"))};
}

}  // namespace botburrow::queue
