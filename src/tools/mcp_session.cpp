#include "tools/mcp_session.hpp"

#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/stop.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::tools {
namespace {

/// Of all definitions that one server may show to a model.
constexpr std::size_t kOfferedBytesMax = 256u << 10;

}  // namespace

McpSession::McpSession(McpServices services, McpGround ground, Agent agent, McpCalls calls, Log log)
    : services_(std::move(services)),
      ground_(std::move(ground)),
      agent_(std::move(agent)),
      calls_(std::move(calls)),
      log_(std::move(log)) {}

McpSession::~McpSession() = default;

// A call of one of its tools is then told what is missing, and not that there is no such tool.
void McpSession::withhold(const std::string& server, const std::string& missing, Toolbox& toolbox) {
  denied_grants(services_.metrics).with({missing}).add();
  toolbox.withhold_server(fmt::format("mcp_{}_", server), missing);
}

// Nothing where the agent may not have it, or nobody knows it.
std::unique_ptr<McpServer> McpSession::make(const definitions::McpServer& listed,
                                            Toolbox& toolbox) {
  // The loop has the Hub's tools of its own.
  if (listed.name == "hub" && !listed.command) return nullptr;
  std::optional<McpEntry> entry;
  std::string trust_name = listed.name;
  if (listed.command) {
    auto own = own_mcp_server(listed, services_.settings.own, services_.registry);
    if (!own.entry) {
      log_.warning("custom_mcp_config_not_supported",
                   {{"server", listed.name}, {"reason", own.fault}});
      if (!own.missing.empty()) withhold(listed.name, own.missing, toolbox);
      return nullptr;
    }
    entry = std::move(own.entry);
    // An agent's repository must not speak for a server of the registry.
    trust_name = agent_.name + ":" + listed.name;
  } else if (const auto* known = services_.registry.find(listed.name)) {
    entry = *known;
  } else {
    log_.warning("unknown_mcp_server", {{"server", listed.name}});
    return nullptr;
  }
  if (!agent_.grants.holds_any({entry->read_grant, entry->write_grant})) {
    log_.warning("missing_grants_for_mcp",
                 {{"server", listed.name},
                  {"required", fmt::format("{} or {}", entry->read_grant, entry->write_grant)}});
    withhold(listed.name, entry->read_grant, toolbox);
    return nullptr;
  }
  return std::make_unique<McpServer>(services_, ground_, *std::move(entry), std::move(trust_name),
                                     log_);
}

Task<> McpSession::start_one(McpServer& server, Deadline deadline, std::string& failure) {
  const auto& name = server.entry().name;
  try {
    co_await server.start(deadline);
    log_.info("mcp_server_started", {{"name", name}, {"tools_count", server.tools().size()}});
  } catch (const Error& error) {
    failure = error.message();
    log_.error("mcp_server_start_failed",
               {{"name", name},
                {"error_type", name_of(error.code())},
                {"msg", fmt::format("failed to start MCP server '{}' (MCP server '{}' failed to "
                                    "start): {}",
                                    name, name, error.message())}});
  }
}

void McpSession::offer(McpServer& server, Toolbox& toolbox) {
  const auto before = toolbox.specs().size();
  std::size_t bytes = 0, too_many = 0;
  for (const auto& tool : server.tools()) {
    const auto& grant = server.entry().grant_for(tool.name);
    auto made =
        std::make_unique<McpTool>(names_.add(server.entry().name, tool.name), tool, server, calls_);
    const auto& spec = made->spec();
    const bool shown = agent_.grants.holds(grant);
    if (shown)
      bytes += spec.name.size() + spec.description.size() + to_json(spec.input_schema).size();
    if (shown && bytes > kOfferedBytesMax) {
      ++too_many;
      continue;
    }
    toolbox.offer(std::move(made), grant);
  }
  if (too_many > 0) {
    log_.warning("mcp_tools_not_offered",
                 {{"server", server.entry().name},
                  {"count", too_many},
                  {"msg", fmt::format("its definitions are over {} bytes, which every call of the "
                                      "model would carry; those at the end are left out",
                                      kOfferedBytesMax)}});
  }
  const auto offered = toolbox.specs().size() - before;
  log_.debug("mcp_tools_discovered", {{"server", server.entry().name},
                                      {"offered", offered},
                                      {"not_granted", server.tools().size() - offered - too_many}});
}

// At once: each takes some tenths of a second.
Task<> McpSession::start_all(Deadline deadline, std::vector<std::string>& failures) {
  if (servers_.empty()) co_return;
  const auto executor = co_await boost::asio::this_coro::executor;
  StopSource all_done(executor);
  std::size_t left = servers_.size();
  TaskGroup starting(executor);
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    starting.spawn("mcp start", [&, i]() -> Task<> {
      co_await start_one(*servers_[i], deadline, failures[i]);
      if (--left == 0) all_done.stop();
    });
  }
  co_await with_cleanup<void>(all_done.wait(), [&starting] { return starting.stop(); });
}

Task<> McpSession::ensure_started(Toolbox& toolbox, Deadline deadline) {
  if (std::exchange(started_, true)) co_return;
  std::vector<std::string> failures;
  std::vector<bool> required;
  for (const auto& listed : agent_.servers) {
    auto server = make(listed, toolbox);
    if (!server && listed.required) {
      throw Error(errc::mcp_unavailable,
                  fmt::format("the MCP server {}, which this agent requires, cannot be used; the "
                              "log says why",
                              listed.name));
    }
    if (!server) continue;
    servers_.push_back(std::move(server));
    required.push_back(listed.required);
  }
  failures.resize(servers_.size());
  co_await start_all(deadline, failures);
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (failures[i].empty()) {
      // Withheld ones are not offered at all: a model has no use for their names.
      if (servers_[i]->quarantined().empty()) offer(*servers_[i], toolbox);
    } else if (required[i]) {
      throw Error(errc::mcp_unavailable,
                  fmt::format("the MCP server {}, which this agent requires, did not start: {}",
                              servers_[i]->entry().name, failures[i]));
    }
  }
}

Task<> McpSession::stop() {
  // Ending may take seconds each; together they take as long as the slowest.
  TaskGroup stopping(co_await boost::asio::this_coro::executor);
  for (auto& server : servers_)
    stopping.spawn("mcp stop", [&server] { return server->stop(); });
  co_await stopping.join();
}

}  // namespace botburrow::tools
