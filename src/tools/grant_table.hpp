#pragma once

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "definitions/grants.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::tools {

/// What a shell needs beside any grant: a field of the definition.
inline constexpr std::string_view kShellEnabled = "capabilities.shell.enabled";
/// And for a program in it.
inline constexpr std::string_view kShellCommands = "capabilities.shell.allowed_commands";

/// Decides what one agent may call: which tool needs what, and whether the agent has it. The one
/// place where that stands; what a tool does once it is called, it decides itself.
class GrantTable {
 public:
  /// Of an agent that holds nothing.
  GrantTable() = default;
  GrantTable(definitions::GrantSet grants, bool shell_enabled);

  /// A tool of a server: it needs one grant.
  void add(std::string tool, std::string grant);
  /// A server that did not start because the agent lacks `missing`: all tools whose names begin so.
  void add_server(std::string prefix, std::string missing);

  /// What the agent lacks to call `tool`; nothing when it may. A tool that is in no row may be
  /// called: rows say what is guarded.
  std::optional<std::string> missing(std::string_view tool) const;
  /// Whether there is such a tool at all, for this agent or another.
  bool knows(std::string_view tool) const;
  /// Names of the tools in its rows that the agent may not call.
  std::vector<std::string> withheld() const;

 private:
  definitions::GrantSet grants_;
  bool shell_enabled_ = false;
  std::map<std::string, std::string, std::less<>> added_;
  std::map<std::string, std::string, std::less<>> servers_;  // by prefix
};

/// botburrow_grant_denied_total: what policy refused to a definition, a call of a tool or a write
/// lacked, or a server of tools. The label is a grant, a field of the definition or a setting.
Metrics::Values& denied_grants(Metrics& metrics);

/// What a refusal for want of `missing` leaves behind, wherever it happens: the event grant_denied
/// and one more in the count.
void note_denial(const Log& log, Metrics& metrics, std::string_view tool, std::string_view missing);

/// The sentence for a model that called a tool without having what it needs.
std::string refusal_text(std::string_view tool, std::string_view missing);

}  // namespace botburrow::tools
