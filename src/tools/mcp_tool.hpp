#pragma once

#include "tools/effect_journal.hpp"
#include "tools/mcp_server.hpp"
#include "tools/tool.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace botburrow::tools {

/// What calls of MCP tools share within one activation.
struct McpCalls {
  EffectJournal& journal;
  std::function<bool()> may_write;     ///< false once the lease is no longer trusted
  std::function<std::string()> scope;  ///< what effects belong to now
  std::string agent_id;                ///< for metrics
  Metrics& metrics;
  /// How often a call with these arguments was made in this run, by scope and slot.
  std::map<std::string, int> made;
};

/// A tool of an MCP server, as an agent's tool.
///
/// A call that may change something is written down before it is made. A later run of the same work
/// that makes the same call gets what it came to; where nobody knows, the model is told so, and the
/// call is not made again. Tools that the operator calls idempotent are simply called, and once
/// more if the server went away meanwhile.
class McpTool final : public Tool {
 public:
  /// `name` is what models call it. `server` and `calls` outlive it.
  McpTool(std::string name, mcp::ToolDefinition definition, McpServer& server, McpCalls& calls);

  const llm::ToolSpec& spec() const override { return spec_; }
  Task<ToolOutput> call(json::value arguments, Deadline deadline) override;
  /// What it throws is about the journal and the lease, never about the server.
  bool has_effects() const override { return !idempotent_; }
  void made_before(const json::value& arguments, std::string_view result) override;

 private:
  /// One attempt, in the server's words.
  struct Attempt {
    ToolOutput output;
    enum class Outcome { known, not_sent, unknown } outcome = Outcome::known;
  };
  Task<Attempt> attempt(json::object arguments, Deadline deadline);
  Task<ToolOutput> call_once_more_if_gone(json::object arguments, Deadline deadline);
  Task<ToolOutput> call_written_down(json::object arguments, Deadline deadline);
  /// How often it was called with these arguments: to be counted up by whoever makes one more.
  int& made_so_far(const json::object& arguments);
  ToolOutput outcome_unknown(std::string_view why) const;
  void count(std::string_view status, std::chrono::nanoseconds took);

  mcp::ToolDefinition definition_;
  McpServer& server_;
  McpCalls& calls_;
  llm::ToolSpec spec_;
  bool idempotent_;
};

}  // namespace botburrow::tools
