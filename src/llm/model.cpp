#include "llm/model.hpp"

#include "base/error.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <array>
#include <utility>

namespace botburrow::llm {
namespace {

constexpr std::array<std::pair<Role, std::string_view>, 4> kRoles{{
    {Role::system, "system"},
    {Role::user, "user"},
    {Role::assistant, "assistant"},
    {Role::tool, "tool"},
}};

constexpr std::array<std::pair<StopReason, std::string_view>, 7> kStops{{
    {StopReason::end, "end"},
    {StopReason::tool_use, "tool_use"},
    {StopReason::max_tokens, "max_tokens"},
    {StopReason::refusal, "refusal"},
    {StopReason::pause, "pause"},
    {StopReason::content_filter, "content_filter"},
    {StopReason::other, "other"},
}};

template <class Enum, std::size_t N>
std::string_view name_in(const std::array<std::pair<Enum, std::string_view>, N>& names,
                         Enum value) {
  for (const auto& [one, name] : names) {
    if (one == value) return name;
  }
  return "other";
}

template <class Enum, std::size_t N>
Enum value_in(const std::array<std::pair<Enum, std::string_view>, N>& names, std::string_view name,
              std::string_view field) {
  for (const auto& [value, one] : names) {
    if (one == name) return value;
  }
  throw Error(errc::bad_input, fmt::format("{}: \"{}\" is none of its values", field, name));
}

std::string required_string(const json::value& object, std::string_view key) {
  if (auto text = string_field(object, key)) return *std::move(text);
  throw Error(errc::bad_input, fmt::format("{}: missing or no text", key));
}

json::array blocks_of(const json::value& object) {
  return array_field(object, "provider_blocks");
}

json::array calls_to_json(const std::vector<ToolCall>& calls) {
  json::array out;
  for (const auto& call : calls)
    out.push_back(to_json_value(call));
  return out;
}

std::vector<ToolCall> calls_from_json(const json::value& object) {
  std::vector<ToolCall> calls;
  for (const auto& call : array_field(object, "tool_calls"))
    calls.push_back(tool_call_from_json(call));
  return calls;
}

}  // namespace

Message Message::system(std::string text) {
  Message message;
  message.role = Role::system;
  message.text = std::move(text);
  return message;
}

Message Message::user(std::string text) {
  Message message;
  message.text = std::move(text);
  return message;
}

Message Message::assistant(const ModelAnswer& answer) {
  Message message;
  message.role = Role::assistant;
  message.text = answer.text;
  message.tool_calls = answer.tool_calls;
  message.provider_blocks = answer.provider_blocks;
  if (!answer.provider_blocks.empty()) message.provider_blocks_of = answer.provider;
  return message;
}

Message Message::tool(std::vector<ToolResult> results) {
  Message message;
  message.role = Role::tool;
  message.tool_results = std::move(results);
  return message;
}

Usage& Usage::operator+=(const Usage& other) {
  input += other.input;
  output += other.output;
  cache_read += other.cache_read;
  cache_write += other.cache_write;
  estimated = estimated || other.estimated;
  return *this;
}

std::string_view name_of(Role role) {
  return name_in(kRoles, role);
}
std::string_view name_of(StopReason stop) {
  return name_in(kStops, stop);
}

json::value to_json_value(const ToolCall& call) {
  json::object out{{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}};
  if (call.malformed) out["malformed"] = *call.malformed;
  return out;
}

ToolCall tool_call_from_json(const json::value& value) {
  ToolCall call;
  call.id = required_string(value, "id");
  call.name = required_string(value, "name");
  const auto* arguments = find_field(value, "arguments");
  call.arguments = arguments && arguments->is_object() ? *arguments : json::value(json::object{});
  call.malformed = string_field(value, "malformed");
  return call;
}

json::value to_json_value(const ToolResult& result) {
  json::object out{
      {"call_id", result.call_id}, {"tool_name", result.tool_name}, {"content", result.content}};
  if (result.is_error) out["is_error"] = true;
  return out;
}

ToolResult tool_result_from_json(const json::value& value) {
  ToolResult result;
  result.call_id = required_string(value, "call_id");
  result.tool_name = string_field(value, "tool_name").value_or("");
  result.content = string_field(value, "content").value_or("");
  result.is_error = bool_field(value, "is_error").value_or(false);
  return result;
}

json::value to_json_value(const Message& message) {
  json::object out{{"role", name_of(message.role)}};
  if (!message.text.empty()) out["text"] = message.text;
  if (!message.tool_calls.empty()) out["tool_calls"] = calls_to_json(message.tool_calls);
  if (!message.tool_results.empty()) {
    json::array results;
    for (const auto& result : message.tool_results)
      results.push_back(to_json_value(result));
    out["tool_results"] = std::move(results);
  }
  if (!message.provider_blocks.empty()) {
    out["provider_blocks"] = message.provider_blocks;
    out["provider_blocks_of"] = message.provider_blocks_of;
  }
  return out;
}

Message message_from_json(const json::value& value) {
  Message message;
  message.role = value_in(kRoles, required_string(value, "role"), "role");
  message.text = string_field(value, "text").value_or("");
  message.tool_calls = calls_from_json(value);
  for (const auto& result : array_field(value, "tool_results")) {
    message.tool_results.push_back(tool_result_from_json(result));
  }
  message.provider_blocks = blocks_of(value);
  message.provider_blocks_of = string_field(value, "provider_blocks_of").value_or("");
  return message;
}

json::value to_json_value(const ModelAnswer& answer) {
  json::object usage{{"input", answer.usage.input}, {"output", answer.usage.output}};
  if (answer.usage.cache_read != 0) usage["cache_read"] = answer.usage.cache_read;
  if (answer.usage.cache_write != 0) usage["cache_write"] = answer.usage.cache_write;
  if (answer.usage.estimated) usage["estimated"] = true;
  json::object out{{"text", answer.text},         {"stop", name_of(answer.stop)},
                   {"usage", std::move(usage)},   {"model", answer.model},
                   {"provider", answer.provider}, {"offline", answer.offline}};
  if (!answer.tool_calls.empty()) out["tool_calls"] = calls_to_json(answer.tool_calls);
  if (!answer.provider_blocks.empty()) out["provider_blocks"] = answer.provider_blocks;
  if (answer.cost_usd) out["cost_usd"] = *answer.cost_usd;
  if (!answer.failure.empty()) out["failure"] = answer.failure;
  return out;
}

ModelAnswer answer_from_json(const json::value& value) {
  ModelAnswer answer;
  answer.text = string_field(value, "text").value_or("");
  answer.tool_calls = calls_from_json(value);
  answer.stop = value_in(kStops, required_string(value, "stop"), "stop");
  if (const auto* usage = find_field(value, "usage")) {
    answer.usage.input = int_field(*usage, "input").value_or(0);
    answer.usage.output = int_field(*usage, "output").value_or(0);
    answer.usage.cache_read = int_field(*usage, "cache_read").value_or(0);
    answer.usage.cache_write = int_field(*usage, "cache_write").value_or(0);
    answer.usage.estimated = bool_field(*usage, "estimated").value_or(false);
  }
  answer.model = string_field(value, "model").value_or("");
  answer.provider = string_field(value, "provider").value_or("");
  answer.offline = bool_field(value, "offline").value_or(false);
  answer.cost_usd = number_field(value, "cost_usd");
  answer.failure = string_field(value, "failure").value_or("");
  answer.provider_blocks = blocks_of(value);
  return answer;
}

std::int64_t estimated_tokens(std::string_view text) {
  return static_cast<std::int64_t>((text.size() + 3) / 4);
}

std::int64_t estimated_tokens(const std::vector<Message>& messages,
                              const std::vector<ToolSpec>& tools) {
  std::int64_t tokens = 0;
  for (const auto& message : messages) {
    tokens += 4 + estimated_tokens(message.text);
    for (const auto& call : message.tool_calls) {
      tokens += estimated_tokens(call.name) + estimated_tokens(to_json(call.arguments));
    }
    for (const auto& result : message.tool_results)
      tokens += estimated_tokens(result.content);
  }
  for (const auto& tool : tools) {
    tokens += estimated_tokens(tool.name) + estimated_tokens(tool.description) +
              estimated_tokens(to_json(tool.input_schema));
  }
  return tokens;
}

}  // namespace botburrow::llm
