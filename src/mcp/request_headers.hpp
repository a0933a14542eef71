#pragma once

#include "mcp/json_rpc.hpp"
#include "net/http_client.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::mcp {

// What revision 2026-07-28 wants to see of a message in the headers of its request.

/// A value as a header may carry it: visible ASCII as it is, anything else as `=?base64?…?=`.
std::string header_value(std::string_view text);
/// Undoes that; nothing for a value that is no such thing.
std::optional<std::string> decoded_header_value(std::string_view value);

/// A parameter of a tool that is mirrored into the header `Mcp-Param-<name>`.
struct MirroredParam {
  std::string header;             ///< `Mcp-Param-<name>`
  std::vector<std::string> path;  ///< keys from the arguments' root
  std::string type;               ///< string, integer or boolean
};

/// The mirrored parameters of a tool's inputSchema, or why its annotations are not valid: such a
/// tool must not be offered.
struct MirroredParams {
  std::vector<MirroredParam> params;
  std::string fault;
};
MirroredParams mirrored_params(const json::value& input_schema);

/// The value at a parameter's path as text; nothing where there is none or it is null.
std::optional<std::string> mirrored_value(const MirroredParam& param,
                                          const json::object& arguments);

/// `Mcp-Param-*` of a call.
net::HttpHeaders param_headers(const json::value& input_schema, const json::object& arguments);
/// `Mcp-Method` and `Mcp-Name` of a message.
net::HttpHeaders standard_headers(std::string_view method, const json::object& params);

}  // namespace botburrow::mcp
