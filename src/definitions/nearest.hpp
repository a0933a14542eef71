#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::definitions {

/// The closest of `names` to what was probably a typing error: at most a third of its letters (and
/// never more than three) inserted, dropped, changed or swapped. Case, `-` and `_` do not count.
std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& names);

/// ` (did you mean "x"?)`, or an empty text.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& names);

}  // namespace botburrow::definitions
