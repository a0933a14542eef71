#include "mcp/schema_parts.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace botburrow::mcp {
namespace {

std::string unescaped(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size()) {
      out += token[i + 1] == '1' ? '/' : '~';
      ++i;
    } else {
      out += token[i];
    }
  }
  return out;
}

const json::value* step_into(const json::value& from, const std::string& token) {
  if (const auto* object = from.if_object()) return object->if_contains(token);
  const auto* list = from.if_array();
  const bool number = !token.empty() && token.size() < 6 &&
                      std::ranges::all_of(token, [](char c) { return c >= '0' && c <= '9'; });
  if (!list || !number) return nullptr;
  const auto index = static_cast<std::size_t>(std::stoul(token));
  return index < list->size() ? &(*list)[index] : nullptr;
}

void collect_anchors(const json::value& schema, int depth, Anchors& anchors) {
  if (depth > kSchemaDepthMax) return;
  if (const auto* list = schema.if_array()) {
    for (const auto& one : *list)
      collect_anchors(one, depth + 1, anchors);
  }
  const auto* object = schema.if_object();
  if (!object) return;
  for (const auto* keyword : {"$anchor", "$dynamicAnchor"}) {
    if (auto name = string_field(schema, keyword)) anchors.try_emplace(*std::move(name), &schema);
  }
  for (const auto& [key, field] : *object)
    collect_anchors(field, depth + 1, anchors);
}

}  // namespace

Anchors find_anchors(const json::value& schema) {
  Anchors anchors;
  collect_anchors(schema, 0, anchors);
  return anchors;
}

const json::value* find_part(const json::value& root, std::string_view pointer) {
  const json::value* at = &root;
  while (at && !pointer.empty()) {
    pointer.remove_prefix(1);
    const auto slash = std::min(pointer.find('/'), pointer.size());
    const auto token = unescaped(pointer.substr(0, slash));
    pointer.remove_prefix(slash);
    at = step_into(*at, token);
  }
  return at;
}

bool known_dialect(std::string_view uri) {
  if (uri.ends_with('#')) uri.remove_suffix(1);
  return uri == "https://json-schema.org/draft/2020-12/schema" ||
         uri == "https://json-schema.org/draft/2019-09/schema" ||
         uri == "http://json-schema.org/draft-07/schema" ||
         uri == "https://json-schema.org/draft-07/schema" ||
         uri == "http://json-schema.org/draft-06/schema";
}

}  // namespace botburrow::mcp
