#pragma once

#include "base/log.hpp"
#include "mcp/server_rules.hpp"

namespace botburrow::mcp {

/// Runs the tool of a step and gives the answer's text. What the tool throws becomes an error
/// result; only a cancellation passes through.
Task<std::string> run_call(const ServerRules& rules, json::value id, ServerStep step,
                           CallProgress& progress, Log log);

}  // namespace botburrow::mcp
