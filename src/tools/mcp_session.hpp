#pragma once

#include "base/ids.hpp"
#include "tools/mcp_names.hpp"
#include "tools/mcp_tool.hpp"
#include "tools/toolbox.hpp"

#include <memory>
#include <string>
#include <vector>

namespace botburrow::tools {

/// The MCP servers of one activation: those that its agent lists, may use, and that start. Started
/// all at once when they are first needed, so that an agent that has nothing to do pays for none.
class McpSession {
 public:
  struct Agent {
    AgentId id;
    std::string name;
    definitions::GrantSet grants;
    std::vector<definitions::McpServer> servers;  ///< as its definition lists them
  };

  McpSession(McpServices services, McpGround ground, Agent agent, McpCalls calls, Log log);
  ~McpSession();
  McpSession(const McpSession&) = delete;

  /// Starts the servers and puts their tools into the box; the second call does nothing. One that
  /// does not start is logged and left out, unless the agent requires it: then
  /// Error{mcp_unavailable} is thrown. Tools whose grant the agent does not hold are not offered.
  Task<> ensure_started(Toolbox& toolbox, Deadline deadline);
  /// Ends all servers. To be awaited before the end, whatever the end is.
  Task<> stop();

 private:
  std::unique_ptr<McpServer> make(const definitions::McpServer& listed, Toolbox& toolbox);
  void withhold(const std::string& server, const std::string& missing, Toolbox& toolbox);
  Task<> start_all(Deadline deadline, std::vector<std::string>& failures);
  Task<> start_one(McpServer& server, Deadline deadline, std::string& failure);
  void offer(McpServer& server, Toolbox& toolbox);

  McpServices services_;
  McpGround ground_;
  Agent agent_;
  McpCalls calls_;
  Log log_;
  McpToolNames names_;
  std::vector<std::unique_ptr<McpServer>> servers_;
  bool started_ = false;
};

}  // namespace botburrow::tools
