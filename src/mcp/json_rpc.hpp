#pragma once

#include "base/json.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::mcp {

// What JSON-RPC 2.0 messages of the Model Context Protocol look like, apart from sending them.

/// Codes of the protocol and of JSON-RPC itself.
namespace rpc_code {
inline constexpr std::int64_t kParseError = -32700;
inline constexpr std::int64_t kInvalidRequest = -32600;
inline constexpr std::int64_t kMethodNotFound = -32601;
inline constexpr std::int64_t kInvalidParams = -32602;
inline constexpr std::int64_t kInternal = -32603;
inline constexpr std::int64_t kHeaderMismatch = -32020;
inline constexpr std::int64_t kMissingCapability = -32021;
inline constexpr std::int64_t kUnsupportedVersion = -32022;
}  // namespace rpc_code

struct RpcError {
  std::int64_t code = 0;
  std::string message;
  json::value data;  ///< null where there is none
};

/// One message. `id` is an integer or a string; null only in an error whose request nobody could
/// read.
struct Message {
  enum class Kind { request, notification, result, error };
  Kind kind = Kind::notification;
  json::value id;
  std::string method;   ///< request, notification
  json::object params;  ///< request, notification; empty where absent
  json::object result;  ///< result
  RpcError error;       ///< error

  bool is_answer() const { return kind == Kind::result || kind == Kind::error; }
};

/// A message that was read, or what is wrong with it: `fault` in words, `code` and, if it could be
/// told, the `id` to answer.
struct ReadMessage {
  std::optional<Message> message;
  std::string fault;
  std::int64_t code = 0;
  json::value id;
};

inline constexpr std::size_t kBatchMax = 100;

/// Reads one message, or the elements of a batch (revision 2025-03-26 allows them; at most
/// kBatchMax). Never throws for what a stranger wrote, and gives at least one element.
std::vector<ReadMessage> read_messages(std::string_view text);
/// The same for text that must be one message.
ReadMessage read_message(std::string_view text);
/// True if `text` is a JSON list: its answers are to be a list too.
bool is_batch(std::string_view text);

// Messages as text without a line end. Parameters that are empty are left out.
std::string request_text(const json::value& id, std::string_view method, json::object params);
std::string notification_text(std::string_view method, json::object params);
std::string result_text(const json::value& id, json::object result);
/// A null id is left out: MCP's ids are never null.
std::string error_text(const json::value& id, const RpcError& error);

/// Whether something may be the id of a request.
bool is_request_id(const json::value& id);
/// As people read it: `7` or `"seven"`.
std::string shown_id(const json::value& id);

}  // namespace botburrow::mcp
