#pragma once

#include "sandbox/place.hpp"
#include "tools/tool.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace botburrow::tools {

struct FileToolLimits {
  std::size_t read_bytes_max = 1u << 20;  ///< FILE_READ_LIMIT_KB
};

/// Read, Write and Edit on the workspace of an activation. `place` outlives them.
std::vector<std::unique_ptr<Tool>> make_file_tools(sandbox::Place& place, FileToolLimits limits);

}  // namespace botburrow::tools
