#pragma once

#include "base/log.hpp"
#include "mcp/call_result.hpp"
#include "mcp/channel.hpp"
#include "mcp/revisions.hpp"
#include "mcp/tool_list.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::mcp {

struct ClientOptions {
  std::string name = "botburrow-agents";
  std::string version = "0";
  /// How long `server/discover` may go without an answer before `initialize` is sent behind it.
  /// Servers of the older era may keep silent; slow ones only begin late. Which of the two it is,
  /// is decided by what the server says, never by this time.
  std::chrono::nanoseconds probe_max = std::chrono::seconds(2);
  CallTimes times;
  std::size_t tools_max = 1000;
  /// The folder that a server is shown which asks for roots; empty: none.
  std::string root;
};

/// What a server said of itself when it was greeted.
struct ServerFacts {
  std::string revision;
  json::value info;  ///< `{name, version}` as it came; null where it said nothing
  bool tells_changes = false;
};

/// Speaks to one server: greets it, lists its tools, calls them. Offers it nothing: no sampling, no
/// elicitation.
///
/// start() first, once; close() has to be awaited before the client is destroyed, and no call may
/// be under way then. Calls may overlap. Errors are those of Channel::exchange() and
///   Error{mcp_error}: `MCP error <code>: <message>`, the server's words.
class Client final : private ChannelListener {
 public:
  Client(std::unique_ptr<Channel> channel, ClientOptions options, Log log);
  ~Client() override;
  Client(const Client&) = delete;

  enum class Greeting {
    any,     ///< ask for the modern era first
    legacy,  ///< begin with `initialize`: a server that ends itself when it is asked anything else
  };
  /// Throws Error{protocol} for a server that speaks no revision of ours.
  Task<> start(Greeting greeting, Deadline deadline);
  const ServerFacts& facts() const { return facts_; }

  /// All pages. Definitions that cannot be used are left out and logged; see ToolPages for what is
  /// thrown.
  Task<std::vector<ToolDefinition>> list_tools(Deadline deadline);

  struct Call {
    std::string tool;
    json::object arguments;
    json::value input_schema;   ///< of its definition; decides about mirrored headers
    json::value output_schema;  ///< null: the result's form is not looked at
    std::function<void(double done, std::optional<double> total, std::string message)> on_progress;
  };
  Task<CallResult> call(Call call, Deadline deadline);

  /// Called whenever the server says that its list of tools has changed.
  void on_tools_changed(std::function<void()> hear) { on_tools_changed_ = std::move(hear); }

  bool alive() const { return channel_->alive(); }
  std::string complaints() const { return channel_->complaints(); }
  Task<> close() { return channel_->close(); }

 private:
  void heard(const Message& notification) override;
  std::string answer(const Message& request) override;

  class Asking;
  Exchange discover_request(Deadline deadline) const;
  Exchange initialize_request(std::string revision, Deadline deadline) const;
  Task<> greet_any(Deadline deadline);
  ProbeVerdict verdict_on(const Asking& asking) const;
  Task<> settle_era(Asking& asking, Deadline deadline);
  Task<> go_on_legacy(Message answer, Deadline deadline);
  void go_on_modern(const Message& discovery);
  void take_discovery(const json::object& result);
  Task<json::object> request(std::string method, json::object params, Deadline deadline,
                             net::HttpHeaders headers = {},
                             std::function<void(const Message&)> on_progress = {});
  Task<Message> exchange(Exchange exchange);
  json::object modern_meta() const;
  json::object own_info() const;
  bool modern() const { return facts_.revision == kModern; }
  void leave_out_bad_headers(std::vector<ToolDefinition>& tools) const;

  std::unique_ptr<Channel> channel_;
  ClientOptions options_;
  Log log_;
  ServerFacts facts_;
  std::int64_t last_id_ = 0;
  std::function<void()> on_tools_changed_;
};

}  // namespace botburrow::mcp
