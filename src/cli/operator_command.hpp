#pragma once

#include "cli/commands.hpp"
#include "cli/locate.hpp"
#include "cli/output.hpp"
#include "net/redis.hpp"
#include "queue/heartbeats.hpp"
#include "queue/operator_view.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace botburrow::cli {

/// What the commands that look at the queues and act on them work with: Redis, ready.
struct OperatorTools {
  const RunningSystem& system;  ///< where the Hub is, and its keys
  net::Redis& redis;
  queue::OperatorView& view;
  queue::Heartbeats& heartbeats;
  const Output& out;
  bool json = false;  ///< --json was given
};

using OperatorWork = std::function<Task<int>(OperatorTools& tools)>;

/// Adds --data, --hub-url, --redis-url and --json, and makes `work` what the command does. Redis is
/// waited for three seconds; without it the command ends with 69 and says how to name another.
void add_operator_command(CLI::App& command, Context& context, OperatorWork work);

/// An AGENT argument. Throws Error{usage} for what can be no agent's id.
AgentId agent_argument(const std::string& text);

/// Ends with Error{not_found} and the nearest name where the Hub knows no such agent, nor Redis: a
/// mistyped name would be taken, and do nothing. Where the Hub does not answer, a warning says so.
/// `--unchecked` is what commands offer to insist.
Task<> require_known_agent(OperatorTools& tools, AgentId agent);
void add_unchecked(CLI::App& command, bool& flag);

/// "42 s", "16 min", "3 h", "2 d": a span for people. Negative spans are 0 s.
std::string span_text(double seconds);
/// The time that has passed since an RFC 3339 timestamp, as span_text(); the text itself where it
/// is none.
std::string since_text(const std::string& timestamp);

}  // namespace botburrow::cli
