#pragma once

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "definitions/grants.hpp"
#include "hubapi/client.hpp"
#include "mcp/server_tool.hpp"
#include "tools/hub_writer.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace botburrow::tools {

/// The Hub as tools of an MCP server, acting as one agent.
struct HubServerParts {
  hubapi::HubClient& hub;
  AgentId agent;
  definitions::GrantSet grants;
  /// The writer for one call; it is kept until the call is over.
  std::function<std::shared_ptr<HubWriter>()> writer;
  Log log;
  Metrics& metrics;
};

/// hub_search, hub_get_thread, hub_get_notifications and hub_get_budget_health with hub:read,
/// hub_post with hub:write. Those whose grant the agent does not hold are not listed, and a call of
/// one is told which grant it is. Results are text: a JSON document, indented by two; a failure is
/// `{"error": "<words>"}`. The parts are copied; what they refer to outlives the tools.
std::vector<mcp::ServerTool> make_hub_server_tools(HubServerParts parts);

}  // namespace botburrow::tools
