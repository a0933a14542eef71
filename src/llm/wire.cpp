#include "llm/wire.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "llm/transcript.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::llm {
namespace {

constexpr std::size_t kMessageBytesMax = 300;

// One line without controls, of bounded size.
std::string one_line(std::string_view text) {
  std::string out = valid_utf8(utf8_prefix(text, kMessageBytesMax));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

bool in_stream_retryable(std::string_view type) {
  for (const std::string_view hopeless :
       {"invalid_request_error", "not_found_error", "request_too_large", "permission_error",
        "billing_error", "insufficient_quota", "authentication_error"}) {
    if (type == hopeless) return false;
  }
  return true;
}

}  // namespace

VendorError vendor_error_in(const json::value& body) {
  if (const auto* list = body.if_array(); list && !list->empty())
    return vendor_error_in(list->front());
  VendorError out;
  const auto* error = find_field(body, "error");
  if (error != nullptr && error->is_string()) {
    out.message = string_field(body, "error").value_or("");
  } else {
    const json::value& from = error != nullptr ? *error : body;
    out.message = string_field(from, "message").value_or(string_field(from, "detail").value_or(""));
    out.type =
        string_field(from, "code")
            .value_or(
                string_field(from, "type").value_or(string_field(from, "status").value_or("")));
  }
  out.message = one_line(out.message);
  out.type = one_line(out.type);
  return out;
}

VendorError parse_vendor_error(std::string_view body) {
  if (const auto value = try_parse_json(body)) return vendor_error_in(*value);
  // Proxies answer HTML; that says nothing to an operator.
  if (body.find('<') != std::string_view::npos) return {};
  return {.message = one_line(body)};
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
