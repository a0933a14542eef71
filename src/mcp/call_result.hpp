#pragma once

#include "mcp/tool_list.hpp"

#include <string>

namespace botburrow::mcp {

/// What a call of a tool came to, for a model.
struct CallResult {
  std::string text;  ///< cleaned; see clean_text()
  bool is_error = false;
  json::object source;  ///< the result as it came
};

/// Reads the result of `tools/call`. Text parts are joined, other parts described. A result that
/// the tool's own outputSchema does not allow is an error: who lies about the form lies.
CallResult read_call_result(const json::object& result, const json::value& output_schema);

/// Why a result is no final one; nothing for `complete` and for none (older revisions).
struct Unfinished {
  std::string fault;          ///< in words; empty: ask again with `request_state`
  std::string request_state;  ///< to be handed back as it is
};
std::optional<Unfinished> unfinished_result(const json::object& result);

}  // namespace botburrow::mcp
