#include "tools/core_tools.hpp"

#include "tools/search_tools.hpp"

#include <utility>

namespace botburrow::tools {

std::vector<std::unique_ptr<Tool>> make_core_tools(sandbox::Place& place, const definitions::Shell&,
                                                   const CoreToolLimits& limits) {
  auto tools = make_file_tools(place, limits.files);
  for (auto& tool : make_search_tools(place))
    tools.push_back(std::move(tool));
  return tools;
}

}  // namespace botburrow::tools
