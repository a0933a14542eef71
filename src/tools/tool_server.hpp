#pragma once

#include "base/log.hpp"
#include "base/stop.hpp"
#include "base/task.hpp"
#include "mcp/server_rules.hpp"
#include "net/http_server.hpp"
#include "tools/toolbox.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace botburrow::tools {

/// The tools of one activation for a program that speaks the Model Context Protocol over HTTP:
/// their grants, limits, fence, idempotency keys and journal are those of the activation. Calls
/// are made one at a time.
class ToolServer {
 public:
  struct Options {
    std::string version;               ///< ours, for clients
    Deadline deadline;                 ///< of every call
    std::function<void()> after_tool;  ///< after each call; may be empty
  };
  /// The tools of `toolbox` as they are now; it outlives finish() and stop().
  ToolServer(boost::asio::any_io_executor executor, Toolbox& toolbox, Options options, Log log);
  ~ToolServer();
  ToolServer(const ToolServer&) = delete;

  /// Names of the tools that it lists.
  const std::vector<std::string>& names() const { return names_; }

  /// Answers one request of the program; 404 once finish() or stop() was called.
  Task<net::ServerResponse> serve(net::ServerRequest request);

  /// Stopped when a tool threw what ends the activation, such as a stale fence.
  StopSource& broken() { return broken_; }
  /// What it threw; null while nothing did.
  std::exception_ptr failure() const { return failure_; }

  /// Takes no further calls, and returns when those under way have ended by themselves.
  Task<> finish();
  /// The same, but cancels them: nobody is left who wants to know.
  Task<> stop();

 private:
  std::vector<mcp::ServerTool> served(const Toolbox& toolbox);
  mcp::ServerTool passed_on(const std::string& name);
  Task<mcp::ToolReply> call(std::string tool, json::object arguments);
  Task<> call_into(std::string tool, json::object arguments, mcp::ToolReply& reply);
  Task<> take_turn();
  void give_turn();

  boost::asio::any_io_executor executor_;
  Toolbox& toolbox_;
  Options options_;
  Log log_;
  std::vector<std::string> names_;
  std::unique_ptr<mcp::ServerRules> rules_;
  StopSource broken_;
  StopSource cancel_;
  std::exception_ptr failure_;
  std::shared_ptr<StopSource> turn_;
  bool closed_ = false;
  int next_call_ = 1;
};

}  // namespace botburrow::tools
