#pragma once

#include "definitions/definition.hpp"
#include "sandbox/place.hpp"
#include "tools/file_tools.hpp"
#include "tools/tool.hpp"
#include "tools/toolbox.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace botburrow::tools {

/// What operators set.
struct CoreToolLimits {
  FileToolLimits files;
  std::size_t output_bytes_max = kToolOutputBytesMax;  ///< TOOL_OUTPUT_LIMIT_KB
};

/// What every agent works with: Read, Write, Edit, Glob and Grep on the workspace of its
/// activation, and Bash in its sandbox, as far as the grant table allows. `place` outlives them.
std::vector<std::unique_ptr<Tool>> make_core_tools(sandbox::Place& place,
                                                   const definitions::Shell& shell,
                                                   const CoreToolLimits& limits);

}  // namespace botburrow::tools
