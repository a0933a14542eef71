#include "mcp/server_rules.hpp"

#include "mcp/json_schema.hpp"
#include "mcp/revisions.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::mcp {
namespace {

using Kind = ServerStep::Kind;

constexpr std::size_t kShownBytes = 100;
/// How long a client may keep a list of ours: it changes with a restart only.
constexpr std::int64_t kListLifeMs = 60'000;

json::array spoken() {
  json::array list;
  for (const auto revision : revisions())
    list.emplace_back(revision);
  return list;
}

const json::value* meta_field(const json::object& params, std::string_view key) {
  const auto* about = params.if_contains("_meta");
  return about && about->is_object() ? about->get_object().if_contains(key) : nullptr;
}

std::string shown(std::string_view text) {
  return valid_utf8(utf8_prefix(text, kShownBytes));
}

json::object definition_of(const ServerTool& tool) {
  json::object fields{
      {"name", tool.name}, {"description", tool.description}, {"inputSchema", tool.input_schema}};
  if (!tool.title.empty()) fields["title"] = tool.title;
  if (!tool.output_schema.is_null()) fields["outputSchema"] = tool.output_schema;
  if (!tool.annotations.empty()) fields["annotations"] = tool.annotations;
  return fields;
}

json::object text_part(std::string text) {
  return {{"type", "text"}, {"text", std::move(text)}};
}

}  // namespace

ToolReply ToolReply::text(std::string text) {
  return {.content = {text_part(std::move(text))}};
}

ToolReply ToolReply::failed(std::string why) {
  return {.content = {text_part(std::move(why))}, .is_error = true};
}

bool says_modern(const Message& message) {
  return meta_field(message.params, meta::kProtocolVersion) != nullptr;
}

ServerRules::ServerRules(ServerIdentity identity, std::vector<ServerTool> tools)
    : identity_(std::move(identity)), tools_(std::move(tools)) {}

json::object ServerRules::own_info() const {
  return {{"name", identity_.name}, {"version", identity_.version}};
}

json::object ServerRules::capabilities() const {
  return {{"tools", {{"listChanged", false}}}};
}

const ServerTool* ServerRules::find(std::string_view name) const {
  const auto found = std::ranges::find(tools_, name, &ServerTool::name);
  return found == tools_.end() ? nullptr : &*found;
}

json::object ServerRules::result_of(json::object fields, bool modern) const {
  if (!modern) return fields;
  fields["resultType"] = "complete";
  fields["_meta"] = json::object{{meta::kServerInfo, own_info()}};
  return fields;
}

ServerStep ServerRules::answer(const Message& message, json::object result, bool modern) const {
  return {.kind = Kind::answer,
          .reply = result_text(message.id, result_of(std::move(result), modern)),
          .modern = modern};
}

ServerStep ServerRules::refuse(const Message& message, RpcError error, bool modern) const {
  return {.kind = Kind::answer,
          .reply = error_text(message.id, error),
          .is_error = true,
          .error_code = error.code,
          .modern = modern};
}

std::string ServerRules::refuse(const ReadMessage& broken) const {
  return error_text(broken.id, {.code = broken.code, .message = broken.fault, .data = nullptr});
}

// Each request of the modern era says which revision it speaks and what its sender can do.
std::optional<RpcError> ServerRules::meta_fault(const json::object& params) const {
  const auto* version = meta_field(params, meta::kProtocolVersion);
  if (!version || !version->is_string()) {
    return RpcError{.code = rpc_code::kInvalidParams,
                    .message = fmt::format("_meta lacks {}", meta::kProtocolVersion)};
  }
  const std::string_view asked(version->get_string().data(), version->get_string().size());
  if (asked != kModern) {
    return RpcError{.code = rpc_code::kUnsupportedVersion,
                    .message = "Unsupported protocol version",
                    .data = {{"supported", spoken()}, {"requested", shown(asked)}}};
  }
  const auto* able = meta_field(params, meta::kClientCapabilities);
  if (!able || !able->is_object()) {
    return RpcError{.code = rpc_code::kInvalidParams,
                    .message = fmt::format("_meta lacks {}", meta::kClientCapabilities)};
  }
  return std::nullopt;
}

ServerStep ServerRules::step(const Message& message, bool modern) const {
  switch (message.kind) {
    case Message::Kind::result:
    case Message::Kind::error:
      return {};
    case Message::Kind::notification:
      if (message.method != "notifications/cancelled") return {};
      if (const auto* id = message.params.if_contains("requestId"))
        return {.kind = Kind::cancel, .cancelled = *id};
      return {};
    case Message::Kind::request:
      break;
  }
  return modern || says_modern(message) ? modern_step(message) : legacy_step(message);
}

ServerStep ServerRules::modern_step(const Message& message) const {
  if (auto fault = meta_fault(message.params)) return refuse(message, *std::move(fault), true);
  if (message.method == "server/discover") {
    json::object fields{{"supportedVersions", spoken()},
                        {"capabilities", capabilities()},
                        {"ttlMs", kListLifeMs},
                        {"cacheScope", "private"}};
    if (!identity_.instructions.empty()) fields["instructions"] = identity_.instructions;
    return answer(message, std::move(fields), true);
  }
  if (message.method == "tools/list") return list(message, true);
  if (message.method == "tools/call") return call(message, true);
  if (message.method == "subscriptions/listen") {
    // Nothing of ours changes while we run, so nothing is promised.
    return {.kind = Kind::subscribe,
            .reply = notification_text("notifications/subscriptions/acknowledged",
                                       {{"_meta", {{meta::kSubscriptionId, message.id}}},
                                        {"notifications", json::object()}}),
            .modern = true};
  }
  return refuse(message,
                {.code = rpc_code::kMethodNotFound,
                 .message = fmt::format("Method not found: {}", shown(message.method))},
                true);
}

ServerStep ServerRules::legacy_step(const Message& message) const {
  if (message.method == "initialize") {
    const auto asked = string_field(json::value(message.params), "protocolVersion").value_or("");
    json::object fields{{"protocolVersion", answer_to_initialize(asked)},
                        {"capabilities", capabilities()},
                        {"serverInfo", own_info()}};
    if (!identity_.instructions.empty()) fields["instructions"] = identity_.instructions;
    return answer(message, std::move(fields), false);
  }
  if (message.method == "ping") return answer(message, {}, false);
  if (message.method == "tools/list") return list(message, false);
  if (message.method == "tools/call") return call(message, false);
  return refuse(message,
                {.code = rpc_code::kMethodNotFound,
                 .message = fmt::format("Method not found: {}", shown(message.method))},
                false);
}

bool ServerRules::offers_nothing() const {
  return std::ranges::none_of(tools_, &ServerTool::listed);
}

ServerStep ServerRules::list(const Message& message, bool modern) const {
  // All tools fit on one page, so no cursor is one of ours.
  const auto* cursor = message.params.if_contains("cursor");
  if (cursor && !cursor->is_null()) {
    return refuse(message, {.code = rpc_code::kInvalidParams, .message = "Invalid cursor"}, modern);
  }
  json::array definitions;
  for (const auto& tool : tools_) {
    if (tool.listed) definitions.push_back(definition_of(tool));
  }
  json::object fields{{"tools", std::move(definitions)}};
  if (modern) {
    fields["ttlMs"] = kListLifeMs;
    fields["cacheScope"] = "private";
  }
  return answer(message, std::move(fields), modern);
}

ServerStep ServerRules::call(const Message& message, bool modern) const {
  const json::value params(message.params);
  const auto name = string_field(params, "name");
  const auto* tool = name ? find(*name) : nullptr;
  if (!tool) {
    return refuse(message,
                  {.code = rpc_code::kInvalidParams,
                   .message = fmt::format("Unknown tool: {}", shown(name.value_or("")))},
                  modern);
  }
  const auto* arguments = message.params.if_contains("arguments");
  if (arguments && !arguments->is_object() && !arguments->is_null()) {
    return refuse(message,
                  {.code = rpc_code::kInvalidParams, .message = "arguments is not an object"},
                  modern);
  }
  json::object given =
      arguments && arguments->is_object() ? arguments->get_object() : json::object();
  // Told as a result, a model can mend it.
  if (const auto fault = schema_fault(tool->input_schema, json::value(given))) {
    return {.kind = Kind::answer,
            .reply = call_answer(
                message.id, ToolReply::failed(fmt::format("{}: {}", tool->name, *fault)), modern),
            .modern = modern};
  }
  const auto* token = meta_field(message.params, meta::kProgressToken);
  return {.kind = Kind::call,
          .tool = tool,
          .arguments = std::move(given),
          .progress_token = token && is_request_id(*token) ? *token : json::value(nullptr),
          .modern = modern};
}

std::string ServerRules::call_answer(const json::value& id, const ToolReply& reply,
                                     bool modern) const {
  json::object fields{{"content", reply.content}};
  if (!reply.structured.is_null()) fields["structuredContent"] = reply.structured;
  if (reply.is_error) fields["isError"] = true;
  return result_text(id, result_of(std::move(fields), modern));
}

std::string ServerRules::progress_text(const json::value& token, double done,
                                       std::optional<double> total, const std::string& message) {
  json::object params{{"progressToken", token}, {"progress", done}};
  if (total) params["total"] = *total;
  if (!message.empty()) params["message"] = message;
  return notification_text("notifications/progress", std::move(params));
}

}  // namespace botburrow::mcp
