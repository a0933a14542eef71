#pragma once

#include "base/log.hpp"
#include "mcp/server_rules.hpp"

#include <cstddef>

namespace botburrow::mcp {

/// Serves one client over two descriptors, a message a line.
struct StdioServerOptions {
  int in = 0;
  int out = 1;
  std::size_t message_bytes_max = 4u << 20;
  std::size_t calls_max = 32;  ///< at one time; more wait, and the client with them
};

/// Returns when the client has closed its end and calls under way are done (five seconds at most);
/// throws Error{io} when it no longer reads. The descriptors stay the caller's, open and in the
/// mode they have. SIGPIPE must be ignored. Cancelling ends it, and whatever is under way.
Task<> serve_stdio(const ServerRules& rules, StdioServerOptions options, Log log);

}  // namespace botburrow::mcp
