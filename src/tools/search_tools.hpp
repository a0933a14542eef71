#pragma once

#include "sandbox/place.hpp"
#include "tools/tool.hpp"

#include <memory>
#include <vector>

namespace botburrow::tools {

/// Glob and Grep on the workspace of an activation, in this process and in linear time. `place`
/// outlives them.
std::vector<std::unique_ptr<Tool>> make_search_tools(sandbox::Place& place);

}  // namespace botburrow::tools
