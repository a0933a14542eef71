#pragma once

#include "mcp/server_tool.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::mcp {

/// What a message from a client asks of a server of ours.
struct ServerStep {
  enum class Kind {
    nothing,    ///< a notification, or an answer to nothing
    answer,     ///< `reply`
    call,       ///< run `tool`, then answer
    subscribe,  ///< say `reply`, then keep the stream of changes open: there are none
    cancel,     ///< `cancelled` is not waited for any more
  } kind = Kind::nothing;
  std::string reply;
  bool is_error = false;  ///< of an answer
  std::int64_t error_code = 0;
  const ServerTool* tool = nullptr;
  json::object arguments;
  json::value progress_token;  ///< null: nobody asked for progress
  json::value cancelled;       ///< id of a request
  bool modern = false;
};

/// How a server of tools answers, apart from running them. Holds nothing about its clients: what a
/// request needs stands in it.
class ServerRules {
 public:
  ServerRules(ServerIdentity identity, std::vector<ServerTool> tools);

  /// `modern`: the transport has said so already; else a request says it itself in its `_meta`.
  ServerStep step(const Message& message, bool modern = false) const;
  /// The answer to what is no message; empty where none is due.
  std::string refuse(const ReadMessage& broken) const;

  std::string call_answer(const json::value& id, const ToolReply& reply, bool modern) const;
  /// `notifications/progress`.
  static std::string progress_text(const json::value& token, double done,
                                   std::optional<double> total, const std::string& message);
  const ServerTool* find(std::string_view name) const;
  bool offers_nothing() const;

 private:
  ServerStep answer(const Message& message, json::object result, bool modern) const;
  ServerStep refuse(const Message& message, RpcError error, bool modern) const;
  std::optional<RpcError> meta_fault(const json::object& params) const;
  ServerStep modern_step(const Message& message) const;
  ServerStep legacy_step(const Message& message) const;
  ServerStep list(const Message& message, bool modern) const;
  ServerStep call(const Message& message, bool modern) const;
  json::object capabilities() const;
  json::object own_info() const;
  json::object result_of(json::object fields, bool modern) const;

  ServerIdentity identity_;
  std::vector<ServerTool> tools_;
};

/// Whether a message says by its `_meta` that it is of the modern era.
bool says_modern(const Message& message);

}  // namespace botburrow::mcp
