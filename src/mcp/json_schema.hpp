#pragma once

#include "base/json.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace botburrow::mcp {

/// What is wrong with `value` by a JSON Schema, in one line that names the place (`/items/3`); or
/// nothing.
///
/// Dialect 2020-12 and, where it means the same, draft-07. Whole vocabulary but: `format` and
/// `content*` are annotations, `$dynamicRef` is taken as `$ref`, and a `pattern` is read as RE2
/// reads it: one that RE2 cannot read is passed over. `$ref` leads nowhere but into the same
/// schema; one that points elsewhere, a dialect that is not known, and a schema that needs more
/// than a fixed amount of work are faults of their own: never fetched, never taken for a yes.
std::optional<std::string> schema_fault(const json::value& schema, const json::value& value);

}  // namespace botburrow::mcp
