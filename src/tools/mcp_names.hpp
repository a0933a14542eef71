#pragma once

#include <set>
#include <string>
#include <string_view>

namespace botburrow::tools {

/// Names under which tools of MCP servers are offered to models: `mcp_<server>_<tool>` in the form
/// that all vendors take, `[A-Za-z0-9_-]{1,64}`, no two the same. A name that is too long, or
/// taken, is cut and marked with a piece of its hash: the same tools in the same order give the
/// same names in every run.
class McpToolNames {
 public:
  std::string add(std::string_view server, std::string_view tool);

 private:
  std::set<std::string> taken_;
};

}  // namespace botburrow::tools
