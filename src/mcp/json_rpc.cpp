#include "mcp/json_rpc.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <utility>

namespace botburrow::mcp {
namespace {

constexpr std::size_t kShownBytes = 120;

ReadMessage fault(std::int64_t code, std::string what, json::value id = nullptr) {
  return {.message = std::nullopt, .fault = std::move(what), .code = code, .id = std::move(id)};
}

json::object object_or_empty(const json::value* value) {
  return value && value->is_object() ? value->get_object() : json::object();
}

/// An answer's `error`; false where it is none.
bool read_error(const json::value& from, RpcError& into) {
  const auto code = int_field(from, "code");
  if (!from.is_object() || !code) return false;
  into.code = *code;
  into.message = string_field(from, "message").value_or("");
  if (const auto* data = find_field(from, "data")) into.data = *data;
  return true;
}

ReadMessage read_answer(const json::object& object, json::value id, Message message) {
  const auto* result = object.if_contains("result");
  const auto* error = object.if_contains("error");
  if ((result != nullptr) == (error != nullptr))
    return fault(rpc_code::kInvalidRequest, "an answer has a result or an error, and only one",
                 std::move(id));
  message.id = id;
  if (result) {
    // Also an empty answer is an object.
    if (!result->is_object() || id.is_null())
      return fault(rpc_code::kInvalidRequest, "a result is an object and has an id", std::move(id));
    message.kind = Message::Kind::result;
    message.result = result->get_object();
  } else {
    if (!read_error(*error, message.error))
      return fault(rpc_code::kInvalidRequest, "an error has a whole number as code", std::move(id));
    message.kind = Message::Kind::error;
  }
  return {.message = std::move(message)};
}

ReadMessage read_value(const json::value& value) {
  if (!value.is_object()) return fault(rpc_code::kInvalidRequest, "a message is a JSON object");
  const auto& object = value.get_object();
  const auto* written_id = object.if_contains("id");
  const json::value id =
      written_id && is_request_id(*written_id) ? *written_id : json::value(nullptr);
  if (string_field(value, "jsonrpc") != "2.0")
    return fault(rpc_code::kInvalidRequest, "jsonrpc is not \"2.0\"", id);
  const auto* method = object.if_contains("method");
  Message message;
  if (!method) return read_answer(object, id, std::move(message));
  if (!method->is_string() || method->get_string().empty())
    return fault(rpc_code::kInvalidRequest, "method is not a text", id);
  const auto* params = object.if_contains("params");
  if (params && !params->is_object() && !params->is_null())
    return fault(rpc_code::kInvalidRequest, "params is not an object", id);
  if (written_id && id.is_null())
    return fault(rpc_code::kInvalidRequest, "id is neither a whole number nor a text");
  message.kind = written_id ? Message::Kind::request : Message::Kind::notification;
  message.id = id;
  message.method = std::string(method->get_string());
  message.params = object_or_empty(params);
  return {.message = std::move(message)};
}

ReadMessage parse_fault(std::string_view text) {
  return fault(rpc_code::kParseError,
               fmt::format("not JSON: {}", valid_utf8(utf8_prefix(text, kShownBytes))));
}

std::string text_of(json::object fields, json::object params) {
  if (!params.empty()) fields["params"] = std::move(params);
  return to_json(fields);
}

}  // namespace

bool is_request_id(const json::value& id) {
  return id.is_string() || id.is_int64() || id.is_uint64();
}

std::string shown_id(const json::value& id) {
  return to_json(id);
}

bool is_batch(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '[';
}

std::vector<ReadMessage> read_messages(std::string_view text) {
  const auto value = try_parse_json(text);
  if (!value) return {parse_fault(text)};
  if (!value->is_array()) return {read_value(*value)};
  const auto& list = value->get_array();
  if (list.empty()) return {fault(rpc_code::kInvalidRequest, "a batch is not empty")};
  if (list.size() > kBatchMax) {
    return {fault(rpc_code::kInvalidRequest,
                  fmt::format("a batch has at most {} messages", kBatchMax))};
  }
  std::vector<ReadMessage> messages;
  for (const auto& one : list)
    messages.push_back(read_value(one));
  return messages;
}

ReadMessage read_message(std::string_view text) {
  const auto value = try_parse_json(text);
  return value ? read_value(*value) : parse_fault(text);
}

std::string request_text(const json::value& id, std::string_view method, json::object params) {
  return text_of({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}}, std::move(params));
}

std::string notification_text(std::string_view method, json::object params) {
  return text_of({{"jsonrpc", "2.0"}, {"method", method}}, std::move(params));
}

std::string result_text(const json::value& id, json::object result) {
  return to_json(json::object{{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
}

std::string error_text(const json::value& id, const RpcError& error) {
  json::object body{{"code", error.code}, {"message", error.message}};
  if (!error.data.is_null()) body["data"] = error.data;
  json::object fields{{"jsonrpc", "2.0"}};
  if (!id.is_null()) fields["id"] = id;
  fields["error"] = std::move(body);
  return to_json(fields);
}

}  // namespace botburrow::mcp
