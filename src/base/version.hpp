#pragma once

#include <string_view>

namespace botburrow {

/// From the file VERSION, e.g. "0.1.0".
std::string_view version();
/// Abbreviated commit the build came from, or "unknown".
std::string_view commit();

}  // namespace botburrow
