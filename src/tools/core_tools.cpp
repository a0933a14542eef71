#include "tools/core_tools.hpp"

#include "tools/bash_tool.hpp"
#include "tools/search_tools.hpp"

#include <utility>

namespace botburrow::tools {

std::vector<std::unique_ptr<Tool>> make_core_tools(sandbox::Place& place,
                                                   const definitions::Shell& shell,
                                                   const CoreToolLimits& limits) {
  auto tools = make_file_tools(place, limits.files);
  for (auto& tool : make_search_tools(place))
    tools.push_back(std::move(tool));
  tools.push_back(make_bash_tool(place, shell, limits.output_bytes_max));
  return tools;
}

}  // namespace botburrow::tools
