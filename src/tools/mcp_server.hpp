#pragma once

#include "base/blocking_pool.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/stop.hpp"
#include "mcp/client.hpp"
#include "mcp/http_channel.hpp"
#include "mcp/launcher.hpp"
#include "mcp/stdio_channel.hpp"
#include "mcp/trust.hpp"
#include "net/http_client.hpp"
#include "tools/mcp_registry.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace botburrow::tools {

/// What operators set about MCP servers.
struct McpSettings {
  std::chrono::nanoseconds start_max = std::chrono::seconds(60);  ///< MCP_START_TIMEOUT
  mcp::CallTimes times;                                           ///< MCP_TIMEOUT, MCP_CALL_MAX
  int restarts_max = 3;                                           ///< MCP_RESTARTS
  std::size_t message_bytes_max = 1u << 20;                       ///< MCP_OUTPUT_LIMIT_KB
  std::string version = "0";                                      ///< ours, for servers
  OwnServerPolicy own;
};

/// What all activations of a runner share to reach MCP servers. All of it outlives them.
struct McpServices {
  const McpRegistry& registry;
  const McpSettings& settings;
  net::HttpClient& http;
  mcp::TrustStore& trust;
  BlockingPool& pool;
  Clock& clock;
  Metrics& metrics;
  /// The value of a credential by the name in `from` or `${NAME}`; empty where it is not set.
  std::function<Secret(const std::string& name)> credential;
};

/// Where the processes of one activation run.
struct McpGround {
  mcp::Launcher* launcher = nullptr;  ///< null: no process may be started
  /// The folder that `${WORKSPACE}` stands for, made when it is first asked for. May be empty.
  std::function<Task<std::string>()> workspace;
};

/// One server for one activation: started when it is needed, started anew when it died, withheld
/// when its tools are not the ones an operator trusts. Calls may overlap.
class McpServer {
 public:
  /// `trust_name` is the server's name in the store of trust.
  McpServer(McpServices services, McpGround ground, McpEntry entry, std::string trust_name,
            Log log);
  ~McpServer();
  McpServer(const McpServer&) = delete;

  const McpEntry& entry() const { return entry_; }

  /// Starts it and reads its tools. Throws Error; nothing is left of it then.
  Task<> start(Deadline deadline);
  /// As they were when it started first.
  const std::vector<mcp::ToolDefinition>& tools() const { return tools_; }
  /// Why its tools are withheld; empty while they are not.
  const std::string& quarantined() const { return quarantined_; }

  /// Throws what Client::call() throws. A server that is gone is started anew before the call, as
  /// often as the settings allow.
  Task<mcp::CallResult> call(const mcp::ToolDefinition& tool, json::object arguments,
                             Deadline deadline);
  /// Ends it. To be awaited before it is destroyed; no call may be under way.
  Task<> stop();

 private:
  Task<std::unique_ptr<mcp::Client>> connect(Deadline deadline);
  Task<mcp::LaunchSpec> launch_spec();
  mcp::HttpChannel::Options web_options() const;
  Task<> check_pin(std::string& program) const;
  Task<std::string> resolved(std::string text) const;
  Task<std::string> with_workspace(std::string word) const;
  Task<std::string> workspace() const;
  Task<> ensure_running(Deadline deadline);
  Task<> greet_and_list(Deadline deadline);
  Task<> look_at_changes(Deadline deadline);
  Task<> judge(const std::vector<mcp::ToolDefinition>& now);
  Task<> end_client();
  void count(std::string_view state, double by);

  McpServices services_;
  McpGround ground_;
  McpEntry entry_;
  std::string trust_name_;
  Log log_;
  std::unique_ptr<mcp::Client> client_;
  std::vector<mcp::ToolDefinition> tools_;
  std::string quarantined_;
  int changes_told_ = 0;    ///< how often it said that its tools are others now
  int changes_judged_ = 0;  ///< up to which of these they were looked at
  bool listed_ = false;
  std::shared_ptr<StopSource> start_under_way_;
  int starts_ = 0;
  std::string counted_as_;
  std::vector<std::unique_ptr<mcp::Client>> gone_;  ///< dead, and to be ended properly
};

}  // namespace botburrow::tools
