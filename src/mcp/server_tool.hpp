#pragma once

#include "base/task.hpp"
#include "mcp/json_rpc.hpp"

#include <boost/json/array.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::mcp {

/// What a tool of ours gives back.
struct ToolReply {
  json::array content;     ///< parts as the protocol writes them
  json::value structured;  ///< null: none
  bool is_error = false;

  static ToolReply text(std::string text);
  static ToolReply failed(std::string why);
};

/// Lets a running call tell how far it is. Dropped where the client did not ask for it.
class CallProgress {
 public:
  virtual ~CallProgress() = default;
  virtual Task<> progressed(double done, std::optional<double> total, std::string message) = 0;
};

/// A tool that a server of ours offers.
struct ServerTool {
  std::string name;
  std::string title;  ///< empty: none
  std::string description;
  json::value input_schema;
  json::value output_schema;  ///< null: none
  json::object annotations;   ///< empty: none
  /// `arguments` fit the input schema. What it throws becomes an error result with the Error's
  /// words; a client that goes away, or takes its call back, cancels it.
  std::function<Task<ToolReply>(json::object arguments, CallProgress& progress)> handler;
  /// False: it is in no list, and answers a call all the same, e.g. with why it may not be called.
  bool listed = true;
  /// Whoever stands behind the handler logs each call; it is not logged once more.
  bool logs_itself = false;
};

/// Who a server of ours says it is.
struct ServerIdentity {
  std::string name;
  std::string version;
  std::string instructions;  ///< empty: none
};

}  // namespace botburrow::mcp
