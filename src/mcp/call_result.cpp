#include "mcp/call_result.hpp"

#include "mcp/json_schema.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::mcp {
namespace {

std::string field(const json::value& part, std::string_view name) {
  return string_field(part, name).value_or("");
}

std::string described_data(const json::value& part, std::string_view kind) {
  return fmt::format("[{} {}, {} bytes of base64]", kind, field(part, "mimeType"),
                     field(part, "data").size());
}

std::string described_resource(const json::value& part) {
  const auto* resource = find_field(part, "resource");
  if (!resource) return "[resource]";
  const auto uri = field(*resource, "uri");
  if (const auto text = string_field(*resource, "text"))
    return fmt::format("[resource {}]\n{}", uri, *text);
  return fmt::format("[resource {} {}, {} bytes of base64]", uri, field(*resource, "mimeType"),
                     field(*resource, "blob").size());
}

std::string text_of(const json::value& part) {
  const auto type = field(part, "type");
  if (type == "text") return field(part, "text");
  if (type == "image" || type == "audio") return described_data(part, type);
  if (type == "resource") return described_resource(part);
  if (type == "resource_link")
    return fmt::format("[resource link {} {}]", field(part, "name"), field(part, "uri"));
  return fmt::format("[content of type \"{}\"]", utf8_prefix(type, 40));
}

std::string joined_content(const json::value& result) {
  std::string text;
  for (const auto& part : array_field(result, "content")) {
    if (!text.empty()) text += '\n';
    text += text_of(part);
  }
  return text;
}

std::string structured_fault(const json::object& result, const json::value& output_schema) {
  if (output_schema.is_null()) return "";
  const auto* structured = result.if_contains("structuredContent");
  if (!structured) return "it has none, although the tool defines outputSchema";
  return schema_fault(output_schema, *structured).value_or("");
}

}  // namespace

CallResult read_call_result(const json::object& result, const json::value& output_schema) {
  const json::value value(result);
  CallResult read{.text = joined_content(value),
                  .is_error = bool_field(value, "isError").value_or(false),
                  .source = result};
  const auto* structured = result.if_contains("structuredContent");
  if (read.text.empty() && structured) read.text = to_pretty_json(*structured);
  read.text = clean_text(read.text);
  // A failed call need not have the form of a good one.
  if (read.is_error) return read;
  const auto fault = structured_fault(result, output_schema);
  if (!fault.empty()) {
    read.is_error = true;
    read.text =
        clean_text(fmt::format("the server's structured result is not what it defines: {}", fault));
  }
  return read;
}

std::optional<Unfinished> unfinished_result(const json::object& result) {
  const json::value value(result);
  const auto type = string_field(value, "resultType").value_or("complete");
  if (type == "complete") return std::nullopt;
  if (type != "input_required")
    return Unfinished{.fault = fmt::format("a result of the unknown type \"{}\"",
                                           clean_text(utf8_prefix(type, 40)))};
  const auto* requests = find_field(value, "inputRequests");
  if (requests && requests->is_object() && !requests->get_object().empty()) {
    const auto& first = *requests->get_object().begin();
    return Unfinished{.fault =
                          fmt::format("the server asks for what no agent can give ({})",
                                      clean_text(utf8_prefix(field(first.value(), "method"), 60)))};
  }
  const auto state = string_field(value, "requestState");
  if (!state) return Unfinished{.fault = "an input_required result that requires nothing"};
  return Unfinished{.request_state = *state};
}

}  // namespace botburrow::mcp
