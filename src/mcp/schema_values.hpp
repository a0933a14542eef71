#pragma once
// What JSON Schema asks of one value: its type, its length, and how it is shown in a refusal.
#include "base/json.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace botburrow::mcp {

/// How many bytes of a stranger's value or name a refusal shows.
inline constexpr std::size_t kShownBytes = 80;

std::string_view view(const json::string& text);

/// The front of the value's JSON, at most `kShownBytes`. Costs what is shown, whatever the value's
/// size.
std::string shown(const json::value& value);

/// 0 where it is no number.
double as_double(const json::value& value);

/// `type` as JSON Schema names them; one that it does not know is nobody's. 1.0 is an integer.
bool has_type(const json::value& value, std::string_view type);

/// Of UTF-8.
std::size_t code_points(std::string_view text);

}  // namespace botburrow::mcp
