#pragma once

#include "definitions/definition.hpp"
#include "sandbox/place.hpp"
#include "tools/tool.hpp"

#include <cstddef>
#include <memory>

namespace botburrow::tools {

/// Bash: one command in the sandbox of an activation, as far as `shell` allows. `place` outlives
/// it.
std::unique_ptr<Tool> make_bash_tool(sandbox::Place& place, definitions::Shell shell,
                                     std::size_t output_bytes_max);

}  // namespace botburrow::tools
