#pragma once

#include "definitions/definition.hpp"
#include "definitions/nearest.hpp"
#include "definitions/problem.hpp"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::definitions {

inline constexpr std::size_t kConfigBytesMax = 256 * 1024;
inline constexpr std::size_t kPromptBytesMax = 256 * 1024;

/// A key that may not go where a definition would have it sent.
struct KeyFault {
  std::string field;  ///< `api_base` or `api_key_env`, of the section `brain`
  std::string message, fix;
  /// False: only if the provider's own variable is set where the agent runs.
  bool certain = false;
};

/// What settings say about definitions. Field comments name the settings.
struct ParseOptions {
  bool strict = false;  ///< STRICT_AGENT_CONFIG: an unknown key is an error
  bool missing_is_error =
      false;  ///< a required field that is absent: error (validator), not default
  std::string default_type = "claude-code";  ///< DEFAULT_EXECUTOR
  Brain
      default_brain;  ///< DEFAULT_MODEL, DEFAULT_TEMPERATURE, DEFAULT_MAX_TOKENS, DEFAULT_API_BASE
  /// AGENT_KEY_ENV_ALLOW: variables that `brain.api_key_env` may name beside the providers' own.
  std::set<std::string> api_key_env_allow;
  /// Judges where a brain's key goes; empty: not judged here.
  std::function<std::optional<KeyFault>(const Brain&)> key_fault;
  /// Names in the operator's MCP_SERVERS_FILE, beside the built-in ones, and what they ask for.
  std::set<std::string> mcp_servers_known;
  std::set<std::string> grants_known;
  /// False: that file was not read, so what is not known here may be known to runners. Unknown
  /// servers and grants are then no more than an info.
  bool mcp_servers_complete = true;
};

/// The two files of one agent, and how to call them in messages.
struct DefinitionText {
  std::string agent;   ///< folder name; the file's `name` must equal it. Empty: not checked
  std::string config;  ///< bytes of config.yaml
  std::string config_file = "config.yaml";
  std::string prompt;  ///< bytes of system-prompt.md; empty where there is none
  std::string prompt_file = "system-prompt.md";
};

struct ParsedDefinition {
  std::optional<AgentDefinition> definition;  ///< nothing if a problem is an error
  std::vector<Problem> problems;              ///< in the order of the file
};

/// Parses and checks one agent. Pure: no files, no clock. Never throws for bad input; bounded in
/// time and memory whatever the bytes (256 KiB, 20 levels, 20,000 nodes after aliases). Sets
/// neither config_source nor commit nor loaded_at.
ParsedDefinition parse_definition(const DefinitionText& text, const ParseOptions& options = {});

/// The servers this program knows by name: github, brave, filesystem, postgres, hub.
const std::vector<std::string>& built_in_mcp_servers();

}  // namespace botburrow::definitions
