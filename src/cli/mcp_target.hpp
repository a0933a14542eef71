#pragma once

#include "base/log.hpp"
#include "base/settings.hpp"
#include "cli/commands.hpp"
#include "mcp/client.hpp"

#include <functional>
#include <string>
#include <vector>

namespace botburrow::cli {

/// A server as an operator types it: a command with its arguments, or a URL.
struct McpTarget {
  std::vector<std::string> command;  ///< empty: `url`
  std::string url;
};

/// `words` are what stands before `--`, `command` what stands behind it. Throws Error{usage} where
/// there is neither a URL nor a command, with the form that is expected.
McpTarget mcp_target(const std::vector<std::string>& words,
                     const std::vector<std::string>& command);

/// Connects to the server, does `work` with it, and ends it whatever happened. A command runs as
/// the operator, with the whole environment and without a sandbox.
int with_mcp_server(const Context& context, McpTarget target,
                    std::function<Task<int>(mcp::Client& client, Deadline start_end)> work);

}  // namespace botburrow::cli
