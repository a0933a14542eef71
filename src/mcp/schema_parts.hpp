#pragma once
// Where a schema's references lead: JSON Pointers (RFC 6901) and anchors inside it.
#include "base/json.hpp"

#include <map>
#include <string>
#include <string_view>

namespace botburrow::mcp {

/// How deep a schema may nest.
inline constexpr int kSchemaDepthMax = 64;

/// Subschemas by the name of their `$anchor` or `$dynamicAnchor`; they live as long as the schema.
using Anchors = std::map<std::string, const json::value*, std::less<>>;

/// The anchors of `schema`, down to kSchemaDepthMax; of two of one name the one that stands first.
Anchors find_anchors(const json::value& schema);

/// What `pointer` (empty, or "/…") leads to; null where `root` has no such part.
const json::value* find_part(const json::value& root, std::string_view pointer);

/// Whether `$schema` names a dialect whose keywords are judged here.
bool known_dialect(std::string_view uri);

}  // namespace botburrow::mcp
