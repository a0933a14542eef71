#pragma once

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/scrubber.hpp"
#include "tools/grant_table.hpp"
#include "tools/tool.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::tools {

inline constexpr std::size_t kToolOutputBytesMax = 64u << 10;

/// botburrow_tool_calls_total{tool,outcome}: ok, error, blocked. Tools that are not there are
/// `_other`, whose series begin with zero.
Metrics::Values& tool_call_counter(Metrics& metrics);

/// The tools one activation may call. Checks grants, names and arguments, bounds outputs, counts
/// and logs.
class Toolbox {
 public:
  /// `output_bytes_max` bounds each answer (TOOL_OUTPUT_LIMIT_KB).
  Toolbox(Log log, Metrics& metrics, GrantTable grants = {},
          std::size_t output_bytes_max = kToolOutputBytesMax);

  /// From here on no result holds what this one finds; it outlives the box.
  void scrub_with(const Scrubber* scrubber) { scrubber_ = scrubber; }

  /// Names are unique: asserts on a second tool of one name.
  void add(std::unique_ptr<Tool> tool);
  /// Adds those that the grant table allows. The others are not shown to the model; a call of one
  /// is refused with what is missing.
  void offer(std::vector<std::unique_ptr<Tool>> tools);
  /// The same for a tool of a server, which needs this grant.
  void offer(std::unique_ptr<Tool> tool, const std::string& grant);
  /// A server whose tools begin with `prefix` and are not there, because the agent lacks this.
  void withhold_server(std::string prefix, std::string missing);
  const std::vector<llm::ToolSpec>& specs() const { return specs_; }
  /// Names of tools that are not among specs(), and whose calls are refused with what is missing.
  std::vector<std::string> withheld() const { return grants_.withheld(); }

  /// Never throws for what a model or a tool did wrong; the answer says it in the tool's words.
  /// stale_fence, cancellation, and what a tool with effects throws pass through. `fatal` becomes
  /// true if the tool said so, and is left alone otherwise.
  Task<llm::ToolResult> call(llm::ToolCall call, Deadline deadline, bool& fatal);
  /// See Tool::made_before(); does nothing for a call that reached no tool.
  void made_before(const llm::ToolCall& call, std::string_view result) const;

 private:
  Tool* find(const std::string& name) const;
  Task<ToolOutput> run(Tool* tool, const llm::ToolCall& call, Deadline deadline);
  ToolOutput absent(const std::string& name) const;
  ToolOutput output_of(const std::exception_ptr& failure, const Tool* tool);
  Log log_;
  Metrics& metrics_;
  Metrics::Values& calls_;
  GrantTable grants_;
  std::size_t output_bytes_max_;
  const Scrubber* scrubber_ = nullptr;
  std::vector<std::unique_ptr<Tool>> tools_;
  std::vector<llm::ToolSpec> specs_;
};

/// What is wrong with arguments by a tool's schema (required fields and plain types), or nothing. A
/// null counts as absent, because models write it for what they leave out.
std::optional<std::string> argument_fault(const json::value& schema, const json::value& arguments);

/// Valid UTF-8 of at most `max` bytes: head and tail, with a note of how much is left out between.
std::string bounded_output(std::string text, std::size_t max);

}  // namespace botburrow::tools
