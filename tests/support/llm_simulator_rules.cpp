// What vendors refuse, in their words.
#include "tests/support/llm_simulator_wire.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace botburrow::test {
namespace {

using Request = LlmSimulator::Request;
using Options = LlmSimulator::Options;
using Verdict = std::optional<Refusal>;

bool blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

bool name_ok(std::string_view name) {
  if (name.empty() || name.size() > 64) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

template <class... Args>
Refusal bad(fmt::format_string<Args...> format, Args&&... args) {
  return {.message = fmt::format(format, std::forward<Args>(args)...)};
}

Verdict check_sampling(const json::value& body, double temperature_max) {
  const auto* temperature = find_field(body, "temperature");
  if (temperature == nullptr) return {};
  const auto value = number_field(body, "temperature");
  if (!value) return bad("temperature: Input should be a valid number");
  if (*value < 0 || *value > temperature_max)
    return bad("temperature: range: 0..{}", temperature_max);
  return {};
}

// --- Anthropic ---

Verdict check_anthropic_tools(const json::value& body) {
  const auto* given = body.get_object().if_contains("tools");
  if (given == nullptr) return {};
  if (!given->is_array()) return bad("tools: Input should be a valid list");
  std::set<std::string> names;
  std::size_t i = 0;
  for (const auto& tool : given->get_array()) {
    const auto name = string_field(tool, "name").value_or("");
    if (!name_ok(name)) {
      return bad("tools.{}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'", i);
    }
    if (!names.insert(name).second) return bad("tools: Tool names must be unique.");
    const auto* schema = find_field(tool, "input_schema");
    const bool server_tool = string_field(tool, "type").value_or("custom") != "custom";
    if (!server_tool && (schema == nullptr || string_field(*schema, "type") != "object")) {
      return bad("tools.{}.custom.input_schema.type: Field required", i);
    }
    ++i;
  }
  return {};
}

struct AnthropicBlocks {
  std::vector<std::string> uses, results;
  bool result_after_text = false;
};

Verdict check_block(const json::value& block, std::string_view role, const std::string& at,
                    AnthropicBlocks& seen, bool& text_seen) {
  const auto type = string_field(block, "type").value_or("");
  if (type == "text") {
    const auto text = string_field(block, "text");
    if (!text) return bad("{}.text: Field required", at);
    if (text->empty()) return bad("messages: text content blocks must be non-empty");
    if (blank(*text)) return bad("messages: text content blocks must contain non-whitespace text");
    text_seen = true;
  } else if (type == "tool_use") {
    if (role != "assistant")
      return bad("{}: `tool_use` blocks can only be in `assistant` messages", at);
    const auto id = string_field(block, "id").value_or("");
    if (!name_ok(id))
      return bad("{}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'", at);
    if (!name_ok(string_field(block, "name").value_or(""))) {
      return bad("{}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'", at);
    }
    const auto* input = find_field(block, "input");
    if (input == nullptr || !input->is_object()) {
      return bad("{}.tool_use.input: Input should be a valid dictionary", at);
    }
    if (std::ranges::find(seen.uses, id) != seen.uses.end())
      return bad("{}: `tool_use` ids must be unique", at);
    seen.uses.push_back(id);
  } else if (type == "tool_result") {
    if (role != "user") return bad("{}: `tool_result` blocks can only be in `user` messages", at);
    if (text_seen) seen.result_after_text = true;
    seen.results.push_back(string_field(block, "tool_use_id").value_or(""));
  } else if (type == "thinking") {
    if (string_field(block, "signature").value_or("").empty()) {
      return bad("{}.thinking.signature: Field required", at);
    }
  } else if (type.empty()) {
    return bad("{}: Input tag '' found using 'type' does not match any of the expected tags", at);
  }
  return {};
}

Verdict check_anthropic_content(const json::value& message, std::string_view role, std::size_t i,
                                bool last, AnthropicBlocks& seen) {
  const auto* content = find_field(message, "content");
  if (content == nullptr) return bad("messages.{}.content: Field required", i);
  if (const auto* text = content->if_string()) {
    if (blank({text->data(), text->size()}))
      return bad("messages.{}: all messages must have non-empty content", i);
    return {};
  }
  if (!content->is_array()) return bad("messages.{}.content: Input should be a valid list", i);
  if (content->get_array().empty()) {
    return bad(
        "messages.{}: all messages must have non-empty content except for the optional final "
        "assistant message",
        i);
  }
  bool text_seen = false;
  std::size_t j = 0;
  for (const auto& block : content->get_array()) {
    if (auto fault = check_block(block, role, fmt::format("messages.{}.content.{}", i, j++), seen,
                                 text_seen)) {
      return fault;
    }
  }
  const auto final_text = string_field(content->get_array().back(), "text").value_or("x");
  if (last && role == "assistant" && blank(final_text.substr(final_text.size() - 1))) {
    return bad("messages: final assistant content cannot end with trailing whitespace");
  }
  return {};
}

Verdict check_anthropic_messages(const json::value& body) {
  const auto& messages = array_field(body, "messages");
  if (messages.empty()) return bad("messages: at least one message is required");
  std::vector<std::string> open;
  bool any_calls = false;
  std::string before;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto role = string_field(messages[i], "role").value_or("");
    if (role != "user" && role != "assistant") {
      return bad("messages.{}.role: Input should be 'user' or 'assistant'", i);
    }
    if (i == 0 && role != "user") return bad("messages: first message must use the \"user\" role");
    if (role == before)
      return bad("messages: roles must alternate between \"user\" and \"assistant\"");
    before = role;
    AnthropicBlocks seen;
    if (auto fault = check_anthropic_content(messages[i], role, i, i + 1 == messages.size(), seen))
      return fault;
    if (seen.result_after_text)
      return bad("messages.{}: `tool_result` blocks must come before text", i);
    for (const auto& id : seen.results) {
      if (std::ranges::find(open, id) == open.end()) {
        return bad(
            "messages.{}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {}. "
            "Each "
            "`tool_result` block must have a corresponding `tool_use` block in the previous "
            "message.",
            i, id);
      }
      std::erase(open, id);
    }
    if (!open.empty()) {
      return bad(
          "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: "
          "{}. Each "
          "`tool_use` block must have a corresponding `tool_result` block in the next message.",
          i - 1, fmt::join(open, ", "));
    }
    open = seen.uses;
    any_calls = any_calls || !seen.uses.empty();
  }
  if (!open.empty())
    return bad("messages: `tool_use` ids were found without `tool_result` blocks: {}",
               fmt::join(open, ", "));
  if (any_calls && array_field(body, "tools").empty()) {
    return bad(
        "Requests which have `tool_use` or `tool_result` blocks in messages must define tools");
  }
  return {};
}

Verdict check_anthropic(const Request& request, const Options& options) {
  const auto& body = request.body;
  const bool key_given = request.header("x-api-key") == options.key ||
                         request.header("authorization") == "Bearer " + options.key;
  if (!options.key.empty() && !key_given) return Refusal{401, "invalid x-api-key", ""};
  if (request.header("anthropic-version").empty())
    return bad("anthropic-version: header is required");
  static const std::set<std::string, std::less<>> kFields{
      "model",       "max_tokens", "messages",       "system",       "temperature",
      "top_p",       "top_k",      "stop_sequences", "stream",       "tools",
      "tool_choice", "metadata",   "thinking",       "service_tier", "cache_control"};
  if (request.path.find("beta=") == std::string::npos) {
    for (const auto& [key, value] : body.get_object()) {
      if (!kFields.contains(std::string_view(key.data(), key.size()))) {
        return bad("{}: Extra inputs are not permitted", std::string_view(key.data(), key.size()));
      }
    }
  }
  if (string_field(body, "model").value_or("").empty()) return bad("model: Field required");
  if (int_field(body, "max_tokens").value_or(0) < 1) return bad("max_tokens: Field required");
  if (auto fault = check_sampling(body, 1)) return fault;
  if (auto fault = check_anthropic_tools(body)) return fault;
  if (find_field(body, "tool_choice") != nullptr && array_field(body, "tools").empty()) {
    return bad("tool_choice may only be specified while providing tools");
  }
  return check_anthropic_messages(body);
}

// --- OpenAI style ---

Verdict check_functions(const json::value& body) {
  const auto* given = body.get_object().if_contains("tools");
  if (given == nullptr) return {};
  if (!given->is_array()) return bad("Invalid type for 'tools': expected an array of objects");
  if (given->get_array().empty())
    return bad("Invalid 'tools': empty array. Expected an array with minimum length 1");
  std::set<std::string> names;
  std::size_t i = 0;
  for (const auto& tool : given->get_array()) {
    const auto* function = find_field(tool, "function");
    if (string_field(tool, "type") != "function" || function == nullptr) {
      return bad("Missing required parameter: 'tools[{}].function'.", i);
    }
    const auto name = string_field(*function, "name").value_or("");
    if (!name_ok(name)) {
      return bad(
          "Invalid 'tools[{}].function.name': string does not match pattern. Expected a string "
          "that matches "
          "the pattern '^[a-zA-Z0-9_-]+$'.",
          i);
    }
    if (!names.insert(name).second)
      return bad("Invalid 'tools[{}].function.name': duplicate name {}", i, name);
    const auto* parameters = find_field(*function, "parameters");
    if (parameters == nullptr || string_field(*parameters, "type") != "object") {
      return bad(
          "Invalid schema for function '{}': schema must be a JSON Schema of 'type: \"object\"'",
          name);
    }
    ++i;
  }
  return {};
}

Verdict check_openai_call(const json::value& call, std::size_t i, std::vector<std::string>& open) {
  const auto id = string_field(call, "id").value_or("");
  if (id.empty()) return bad("Missing required parameter: 'messages[{}].tool_calls[0].id'.", i);
  const auto* function = find_field(call, "function");
  if (string_field(call, "type") != "function" || function == nullptr) {
    return bad("Missing required parameter: 'messages[{}].tool_calls[0].function'.", i);
  }
  if (!name_ok(string_field(*function, "name").value_or(""))) {
    return bad("Invalid 'messages[{}].tool_calls[0].function.name': string does not match pattern.",
               i);
  }
  const auto arguments = string_field(*function, "arguments");
  if (!arguments || !try_parse_json(*arguments)) {
    return bad("Invalid 'messages[{}].tool_calls[0].function.arguments': expected a JSON string",
               i);
  }
  open.push_back(id);
  return {};
}

Verdict check_openai_message(const json::value& message, std::size_t i,
                             std::vector<std::string>& open) {
  const auto role = string_field(message, "role").value_or("");
  const auto content = string_field(message, "content");
  const auto& calls = array_field(message, "tool_calls");
  if (role == "tool") {
    const auto id = string_field(message, "tool_call_id").value_or("");
    if (std::ranges::find(open, id) == open.end()) {
      return bad(
          "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
          "with "
          "'tool_calls'.");
    }
    std::erase(open, id);
    if (!content || content->empty())
      return bad("Invalid value for 'content': expected a string, got null.");
    return {};
  }
  if (!open.empty()) {
    return bad(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each "
        "'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        fmt::join(open, ", "));
  }
  if (role == "assistant") {
    const auto* list = find_field(message, "tool_calls");
    if (list != nullptr && calls.empty())
      return bad("[] is too short - 'messages.{}.tool_calls'", i);
    if (calls.empty() && (!content || content->empty())) {
      return bad("Invalid value for 'content': expected a string, got null.");
    }
    for (const auto& call : calls) {
      if (auto fault = check_openai_call(call, i, open)) return fault;
    }
    return {};
  }
  if (role != "system" && role != "user" && role != "developer") {
    return bad(
        "Invalid value: '{}'. Supported values are: 'system', 'assistant', 'user', 'tool', and "
        "'developer'.",
        role);
  }
  const auto* any = find_field(message, "content");
  if (any == nullptr || (content && blank(*content))) {
    return bad("Invalid value for 'content': expected a string, got null.");
  }
  return {};
}

Verdict check_openai(const Request& request, const Options& options) {
  const auto& body = request.body;
  if (!options.key.empty() && request.header("authorization") != "Bearer " + options.key) {
    return Refusal{401,
                   "Incorrect API key provided: sk-wrong*********long. You can find your API key "
                   "at your account.",
                   "invalid_api_key"};
  }
  const auto model = string_field(body, "model").value_or("");
  if (model.empty()) return bad("you must provide a model parameter");
  const bool reasons =
      std::ranges::find(options.reasoning_models, model) != options.reasoning_models.end();
  if (reasons && find_field(body, "max_tokens") != nullptr) {
    return Refusal{400,
                   "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                   "'max_completion_tokens' instead.",
                   "unsupported_parameter"};
  }
  if (reasons && number_field(body, "temperature").value_or(1) != 1) {
    return Refusal{400,
                   "Unsupported value: 'temperature' does not support this value with this model. "
                   "Only the default "
                   "(1) value is supported.",
                   "unsupported_value"};
  }
  if (auto fault = check_sampling(body, 2)) return fault;
  if (auto fault = check_functions(body)) return fault;
  if (find_field(body, "tool_choice") != nullptr && array_field(body, "tools").empty()) {
    return bad(
        "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are "
        "specified.");
  }
  if (find_field(body, "stream_options") != nullptr &&
      !bool_field(body, "stream").value_or(false)) {
    return bad("The 'stream_options' parameter is only allowed when 'stream' is enabled.");
  }
  const auto& messages = array_field(body, "messages");
  if (messages.empty())
    return bad("Invalid 'messages': empty array. Expected an array with minimum length 1");
  std::vector<std::string> open;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (auto fault = check_openai_message(messages[i], i, open)) return fault;
  }
  if (!open.empty()) {
    return bad(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each "
        "'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        fmt::join(open, ", "));
  }
  return {};
}

// --- Ollama ---

Verdict check_ollama_message(const json::value& message) {
  const auto role = string_field(message, "role").value_or("");
  if (role != "system" && role != "user" && role != "assistant" && role != "tool") {
    return bad("invalid role: {}", role);
  }
  const auto& calls = array_field(message, "tool_calls");
  const auto content = string_field(message, "content").value_or("");
  if (blank(content) && calls.empty()) return bad("message content is empty");
  if (role == "tool" && string_field(message, "tool_name").value_or("").empty())
    return bad("tool_name is missing");
  for (const auto& call : calls) {
    const auto* function = find_field(call, "function");
    const auto* arguments = function != nullptr ? find_field(*function, "arguments") : nullptr;
    if (arguments == nullptr || !arguments->is_object()) {
      return bad("json: cannot unmarshal string into Go struct field .arguments of type map");
    }
  }
  return {};
}

Verdict check_ollama(const Request& request, const Options& options) {
  const auto& body = request.body;
  const auto model = string_field(body, "model").value_or("");
  if (model.empty()) return bad("model is required");
  const bool known = std::ranges::any_of(options.ollama_models, [&](const auto& one) {
    return one == model || one == model + ":latest";
  });
  if (!known) return Refusal{404, fmt::format("model '{}' not found", model), ""};
  if (auto fault = check_functions(body)) return fault;
  const auto* window = find_field(body, "options");
  if (window == nullptr || int_field(*window, "num_ctx").value_or(0) < 1)
    return bad("options.num_ctx is missing");
  std::size_t calls = 0, results = 0;
  for (const auto& message : array_field(body, "messages")) {
    if (auto fault = check_ollama_message(message)) return fault;
    calls += array_field(message, "tool_calls").size();
    if (string_field(message, "role") == "tool") ++results;
  }
  if (calls != results) return bad("{} tool calls, but {} results", calls, results);
  return {};
}

}  // namespace

std::optional<Refusal> refusal_of(const Request& request, const Options& options) {
  if (!request.body.is_object())
    return bad("The request body is not valid JSON: expected an object");
  if (!request.header("content-type").starts_with("application/json")) {
    return bad("content-type: expected application/json");
  }
  switch (request.protocol) {
    case LlmSimulator::Protocol::anthropic:
      return check_anthropic(request, options);
    case LlmSimulator::Protocol::openai:
      return check_openai(request, options);
    case LlmSimulator::Protocol::ollama:
      return check_ollama(request, options);
  }
  return {};
}

}  // namespace botburrow::test
