#pragma once

#include "mcp/json_rpc.hpp"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::mcp {

/// A tool as a server defines it. Text in here is a stranger's.
struct ToolDefinition {
  std::string name;
  std::string description;  ///< cleaned; see clean_text()
  json::value input_schema;
  json::value output_schema;  ///< null where there is none
  json::object source;        ///< the whole definition, as it came
};

/// A definition that was read, or what is wrong with it.
struct ReadTool {
  std::optional<ToolDefinition> tool;
  std::string fault;
};
ReadTool read_tool(const json::value& value);

/// Collects the pages of `tools/list`. Bounded: at most `tools_max` tools, 64 KiB a definition (a
/// larger one is left out), 2 MiB for all of them, and no cursor twice.
class ToolPages {
 public:
  explicit ToolPages(std::size_t tools_max) : tools_max_(tools_max) {}

  /// Takes a page; the cursor to go on with, or nothing at the end. Throws Error{protocol} for a
  /// page without a list or a cursor that was there before, Error{limit} for too many or too large
  /// ones.
  std::optional<std::string> take(const json::object& page);

  /// What is left out, and why: one line each.
  const std::vector<std::string>& faults() const { return faults_; }
  const std::vector<ToolDefinition>& tools() const { return tools_; }
  std::vector<ToolDefinition> take_tools() { return std::move(tools_); }

 private:
  std::size_t tools_max_;
  std::size_t bytes_ = 0;
  std::vector<ToolDefinition> tools_;
  std::vector<std::string> faults_;
  std::set<std::string> names_;
  std::set<std::string> cursors_;
};

/// JSON with the keys of every object in order of their bytes: the same for equal values.
std::string canonical_json(const json::value& value);

/// What an operator trusts: a hash over all definitions, whatever their order.
std::string definitions_hash(const std::vector<ToolDefinition>& tools);
/// The same of one tool, short: to tell which changed.
std::string definition_mark(const ToolDefinition& tool);

/// Text of a stranger for a model or a terminal: valid UTF-8 without control characters (line end
/// and tab stay), without marks that turn the direction of text, and without what cannot be seen:
/// tags, marks of no width, rows of joiners. A joiner or two behind a letter that is not ASCII
/// stay: emoji and some scripts are written with them.
std::string clean_text(std::string_view text);
/// The same for every text in a document, names of fields included.
json::value clean_texts(const json::value& value);

}  // namespace botburrow::mcp
