#pragma once

#include "definitions/definition.hpp"
#include "definitions/grants.hpp"
#include "definitions/problem.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::tools {

/// Where a server's credential comes from and how it reaches the server.
struct McpCredential {
  std::string from;      ///< the setting or variable of the runner that holds it
  std::string variable;  ///< of the child; or
  std::string header;    ///< of each request, with `prefix` before the value
  std::string prefix;
};

/// One server that agents may be given.
struct McpEntry {
  std::string name;
  std::vector<std::string> argv;  ///< `${WORKSPACE}` stands for the activation's folder
  std::string url;                ///< instead of argv
  std::string sha256;             ///< of the program's file; empty: not pinned
  std::optional<McpCredential> credential;
  std::map<std::string, std::string> environment;  ///< of the child, beside its credential
  std::string read_grant, write_grant;
  std::vector<std::string> read_tools;        ///< patterns with `*`; all other tools write
  std::vector<std::string> idempotent_tools;  ///< may be called again after an unknown outcome
  std::vector<std::string> hosts;             ///< egress of a process

  bool reads(std::string_view tool) const;
  bool is_idempotent(std::string_view tool) const;
  const std::string& grant_for(std::string_view tool) const {
    return reads(tool) ? read_grant : write_grant;
  }
  bool needs_workspace() const;
};

/// The operator's word on servers. No agent repository can change it.
class McpRegistry {
 public:
  /// github, brave, filesystem, postgres: programs that the image or the operator provides; and
  /// desk, which is this program.
  static McpRegistry built_in();

  const McpEntry* find(std::string_view name) const;
  const std::map<std::string, McpEntry, std::less<>>& entries() const { return entries_; }
  /// Replaces an entry of the same name.
  void set(McpEntry entry);

 private:
  std::map<std::string, McpEntry, std::less<>> entries_;
};

struct ParsedMcpRegistry {
  McpRegistry registry;  ///< the built-in entries, and over them the file's
  std::vector<definitions::Problem> problems;
};
ParsedMcpRegistry parse_mcp_registry(std::string_view text, std::string file);

/// Reads MCP_SERVERS_FILE (blocking). Absent: the built-in entries. Throws Error{bad_input} that
/// names line, field and fix.
McpRegistry load_mcp_registry(const std::string& path);

/// Whether `text` fits a pattern in which each `*` stands for any characters. Linear.
bool matches_glob(std::string_view pattern, std::string_view text);

/// An agent's own server, written out in its definition, or why it must not run: its command is not
/// on MCP_COMMAND_ALLOW, or its `env` asks for what the operator does not give.
struct OwnMcpServer {
  std::optional<McpEntry> entry;
  std::string fault;
  std::string missing;  ///< the setting of the operator that does not name it; empty: another fault
};
struct OwnServerPolicy {
  std::vector<std::string> commands_allowed;   ///< MCP_COMMAND_ALLOW
  std::vector<std::string> variables_allowed;  ///< what `${VAR}` and `secret:name` may name
};
OwnMcpServer own_mcp_server(const definitions::McpServer& server, const OwnServerPolicy& policy,
                            const McpRegistry& registry);

}  // namespace botburrow::tools
