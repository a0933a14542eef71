#include "llm/wire.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "llm/transcript.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace botburrow::llm {
namespace {

constexpr std::size_t kMessageBytesMax = 300;

constexpr std::size_t kBodyBytesShown = 200;
constexpr int kDepthMax = 4;
constexpr std::size_t kDetailsMax = 3;

std::string words_in(const json::value& from, int depth);

// "body.model" of `["body","model"]`, where FastAPI says what it did not like.
std::string place_of(const json::value& detail) {
  std::string out;
  for (const auto& step : array_field(detail, "loc")) {
    if (!out.empty()) out += '.';
    out += step.is_string() ? std::string(step.get_string()) : to_json(step);
  }
  return out.empty() ? out : out + ": ";
}

std::string words_of_list(const json::array& list, int depth) {
  std::string out;
  for (std::size_t i = 0; i < std::min(list.size(), kDetailsMax); ++i) {
    const auto words = words_in(list[i], depth + 1);
    if (!out.empty() && !words.empty()) out += "; ";
    out += words;
  }
  return out;
}

// What is said in an error of whatever form; empty where nothing is.
std::string words_in(const json::value& from, int depth) {
  if (depth > kDepthMax) return {};
  if (const auto* text = from.if_string()) return {text->data(), text->size()};
  if (const auto* list = from.if_array()) return words_of_list(*list, depth);
  for (const std::string_view key :
       {"message", "detail", "msg", "error_description", "error", "errors", "title"}) {
    const auto* field = find_field(from, key);
    if (field == nullptr) continue;
    if (auto words = words_in(*field, depth + 1); !words.empty())
      return key == "msg" ? place_of(from) + words : words;
  }
  return {};
}

// Ollama, llama.cpp ("tools param requires --jinja flag"), vLLM ("requires
// --enable-auto-tool-choice and --tool-call-parser"), OpenRouter ("no endpoints … support tool
// use").
constexpr std::array<std::string_view, 7> kNoTools{
    "support tool",          "tools is not supported", "tools are not supported",
    "support function call", "requires --jinja",       "--enable-auto-tool-choice",
    "--tool-call-parser"};

bool in_stream_retryable(std::string_view type) {
  for (const std::string_view hopeless :
       {"invalid_request_error", "not_found_error", "request_too_large", "permission_error",
        "billing_error", "insufficient_quota", "authentication_error"}) {
    if (type == hopeless) return false;
  }
  return true;
}

}  // namespace

std::string one_line(std::string_view text, std::size_t bytes_max) {
  std::string out = valid_utf8(utf8_prefix(text, bytes_max));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

bool refuses_tools(const VendorError& error) {
  auto said = error.message;
  for (char& c : said) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::ranges::any_of(
      kNoTools, [&](std::string_view words) { return said.find(words) != std::string::npos; });
}

VendorError vendor_error_in(const json::value& body) {
  if (const auto* list = body.if_array(); list && !list->empty())
    return vendor_error_in(list->front());
  VendorError out;
  const auto* error = find_field(body, "error");
  const bool whole = error == nullptr || !error->is_object();
  const json::value& from = whole ? body : *error;
  out.message = error != nullptr && error->is_string() ? string_field(body, "error").value_or("")
                                                       : words_in(from, 0);
  if (error == nullptr || !error->is_string()) {
    out.type =
        string_field(from, "code")
            .value_or(
                string_field(from, "type").value_or(string_field(from, "status").value_or("")));
  }
  out.message = one_line(out.message, kMessageBytesMax);
  out.type = one_line(out.type, kMessageBytesMax);
  return out;
}

VendorError parse_vendor_error(std::string_view body) {
  if (const auto value = try_parse_json(body)) {
    auto error = vendor_error_in(*value);
    if (error.message.empty()) error.message = one_line(to_json(*value), kBodyBytesShown);
    return error;
  }
  // Proxies answer HTML; that says nothing to an operator.
  const auto begin = body.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (begin == std::string_view::npos || body[begin] == '<') return {};
  return {.message = one_line(body, kMessageBytesMax)};
}

Error error_in_stream(std::string_view provider, const VendorError& error) {
  const auto text = fmt::format("{}: the answer broke off: {}", provider,
                                error.message.empty() ? error.type : error.message);
  if (error.type == "rate_limit_error" || error.type == "rate_limit_exceeded") {
    return Error(errc::model_rate_limited, text, Retry::after_backoff).with_detail(error.type);
  }
  if (!in_stream_retryable(error.type)) {
    return Error(errc::model_refused_request, text).with_detail(error.type);
  }
  return Error(errc::model_unavailable, text, Retry::after_backoff).with_detail(error.type);
}

void set_arguments(ToolCall& call, const json::value& value) {
  call.arguments = json::object{};
  call.malformed.reset();
  if (value.is_null()) return;
  if (value.is_object())
    call.arguments = value;
  else if (const auto* text = value.if_string())
    set_arguments_text(call, {text->data(), text->size()});
  else
    call.malformed = to_json(value);
}

void set_arguments_text(ToolCall& call, std::string_view json_text) {
  call.arguments = json::object{};
  call.malformed.reset();
  if (is_blank(json_text)) return;
  const auto value = try_parse_json(json_text);
  if (value && value->is_object())
    call.arguments = *value;
  else if (!value || !value->is_null())
    call.malformed = valid_utf8(json_text);
}

void settle(ModelAnswer& answer, std::int64_t estimated_input) {
  if (answer.stop == StopReason::end && !answer.tool_calls.empty())
    answer.stop = StopReason::tool_use;
  if (answer.stop == StopReason::tool_use && answer.tool_calls.empty())
    answer.stop = StopReason::end;
  if (answer.stop == StopReason::max_tokens && !answer.tool_calls.empty()) {
    auto& last = answer.tool_calls.back();
    if (!last.malformed) last.malformed = to_json(last.arguments);
    last.arguments = json::object{};
  }
  if (answer.usage.input == 0 && answer.usage.output == 0) {
    answer.usage.input = estimated_input;
    answer.usage.output = estimated_tokens(answer.text);
    for (const auto& call : answer.tool_calls) {
      answer.usage.output +=
          estimated_tokens(call.name) + estimated_tokens(to_json(call.arguments));
    }
    answer.usage.estimated = true;
  }
}

json::object object_schema(const json::value& input_schema) {
  json::object schema;
  if (const auto* given = input_schema.if_object()) schema = *given;
  if (!schema.contains("type")) schema["type"] = "object";
  if (!schema.contains("properties")) schema["properties"] = json::object{};
  return schema;
}

}  // namespace botburrow::llm
