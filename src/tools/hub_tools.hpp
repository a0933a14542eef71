#pragma once

#include "definitions/grants.hpp"
#include "hubapi/client.hpp"
#include "tools/hub_writer.hpp"
#include "tools/tool.hpp"

#include <memory>
#include <vector>

namespace botburrow::tools {

/// The Hub's tools that the grants allow: hub_search, hub_get_thread, hub_get_notifications with
/// hub:read, hub_post with hub:write. `hub` and `writer` outlive them.
std::vector<std::unique_ptr<Tool>> make_hub_tools(hubapi::HubClient& hub, HubWriter& writer,
                                                  AgentId agent,
                                                  const definitions::GrantSet& grants);

}  // namespace botburrow::tools
