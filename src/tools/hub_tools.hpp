#pragma once

#include "hubapi/client.hpp"
#include "tools/hub_writer.hpp"
#include "tools/tool.hpp"

#include <memory>
#include <vector>

namespace botburrow::tools {

/// The Hub's tools: hub_search, hub_get_thread, hub_get_notifications, hub_post. Which of them an
/// agent may call, the grant table decides. `hub` and `writer` outlive them.
std::vector<std::unique_ptr<Tool>> make_hub_tools(hubapi::HubClient& hub, HubWriter& writer,
                                                  AgentId agent);

}  // namespace botburrow::tools
