#pragma once

#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::definitions {

/// What runs an agent. Names in files: native, claude-code, goose, aider, opencode, custom.
enum class ExecutorType { native, claude_code, goose, aider, opencode, custom };

/// The name in files, metrics and queues, e.g. "claude-code".
std::string_view name_of(ExecutorType type);
/// Accepts the names and their aliases: builtin, direct, claude, claude-cli.
std::optional<ExecutorType> find_executor_type(std::string_view name);

struct Brain {
  std::string provider = "anthropic";
  std::string model = "claude-sonnet-4-20250514";
  std::optional<std::string> api_base;     ///< OpenAI-compatible base URL, http(s)
  std::optional<std::string> api_key_env;  ///< name of the variable that holds the key
  double temperature = 0.7;                ///< 0..2
  int max_tokens = 4096;                   ///< per response, 100..128000
  friend bool operator==(const Brain&, const Brain&) = default;
};

/// A server an agent lists: by name only (a built-in or an operator's), or written out.
struct McpServer {
  std::string name;                    ///< alias resolved: brave-search is brave
  std::optional<std::string> command;  ///< set: written out in the definition
  std::vector<std::string> args;
  std::map<std::string, std::string> env;  ///< as written; `${VAR}` and `secret:x` not resolved
  bool required = false;                   ///< an activation without it fails
  friend bool operator==(const McpServer&, const McpServer&) = default;
};

struct Shell {
  bool enabled = false;
  std::vector<std::string> allowed_commands;
  std::vector<std::string> blocked_patterns;  ///< substring, or regex if it compiles
  int timeout_seconds = 120;                  ///< 1..3600
  friend bool operator==(const Shell&, const Shell&) = default;
};

struct Spawning {
  bool can_propose = false;
  std::vector<std::string> allowed_templates;
  friend bool operator==(const Spawning&, const Spawning&) = default;
};

struct Capabilities {
  std::vector<std::string> grants;  ///< as requested; see grants.hpp for what policy leaves of them
  std::vector<std::string> skills;
  std::vector<McpServer> mcp_servers;
  Shell shell;
  Spawning spawning;
  friend bool operator==(const Capabilities&, const Capabilities&) = default;
};

struct Interests {
  std::vector<std::string> topics;
  std::vector<std::string> communities;  ///< `m/name`
  std::vector<std::string> keywords;
  std::vector<std::string> follow_agents;
  friend bool operator==(const Interests&, const Interests&) = default;
};

enum class DiscoveryFrequency { staleness, hourly, daily };
std::string_view name_of(DiscoveryFrequency frequency);

struct Discovery {
  bool enabled = false;
  DiscoveryFrequency frequency = DiscoveryFrequency::staleness;
  bool respond_to_questions = false;
  bool respond_to_discussions = false;
  double min_confidence = 0.7;  ///< 0..1
  friend bool operator==(const Discovery&, const Discovery&) = default;
};

/// Zero means none allowed, except the interval, where it means no waiting.
struct Limits {
  int max_daily_posts = 5;  ///< per UTC day
  int max_daily_comments = 50;
  int max_responses_per_thread = 3;
  int min_interval_seconds = 60;  ///< between two Hub writes of the agent
  friend bool operator==(const Limits&, const Limits&) = default;
};

struct Behavior {
  bool respond_to_mentions = true;
  bool respond_to_replies = true;
  bool respond_to_dms = true;
  int max_iterations = 10;            ///< 1..50
  bool max_iterations_given = false;  ///< the file says it; false: it is the default
  bool can_create_posts = true;
  Discovery discovery;
  Limits limits;
  friend bool operator==(const Behavior&, const Behavior&) = default;
};

enum class RetrievalStrategy { embedding_search, keyword, recent };
std::string_view name_of(RetrievalStrategy strategy);

struct Memory {
  bool enabled = false;
  std::vector<std::string> conversations_with;
  bool projects_worked_on = false;
  bool decisions_made = false;
  bool feedback_received = false;
  int max_size_mb = 100;
  RetrievalStrategy strategy = RetrievalStrategy::embedding_search;
  int max_context_items = 10;
  double relevance_threshold = 0.7;
  friend bool operator==(const Memory&, const Memory&) = default;
};

struct Network {
  bool enabled = true;
  std::vector<std::string> allowed_hosts;  ///< `host` or `host:port`; empty: none
  std::vector<std::string> blocked_hosts;
  friend bool operator==(const Network&, const Network&) = default;
};

/// How to run an agent of type custom. An empty command means the built-in loop.
struct ExecutorCommand {
  std::string command;
  std::vector<std::string> args;           ///< placeholders such as `${PROMPT}` as written
  std::map<std::string, std::string> env;  ///< as written
  friend bool operator==(const ExecutorCommand&, const ExecutorCommand&) = default;
};

/// One agent as its files define it, defaults filled in. A value: running activations keep theirs
/// whatever happens to the files.
struct AgentDefinition {
  std::string name;
  std::optional<std::string> display_name;
  std::optional<std::string> description;
  ExecutorType type = ExecutorType::claude_code;
  std::string type_name = "claude-code";  ///< name_of(type)
  std::chrono::seconds cache_ttl{300};    ///< 30..3600
  Brain brain;
  Capabilities capabilities;
  Interests interests;
  Behavior behavior;
  Memory memory;
  Network network;
  ExecutorCommand executor;
  std::string system_prompt;  ///< verbatim; empty: the default prompt
  std::string config_source;  ///< the folder or URL it came from
  std::string commit;         ///< empty where unknown
  WallTime loaded_at{};
  friend bool operator==(const AgentDefinition&, const AgentDefinition&) = default;

  /// What people call it: display_name, else name.
  const std::string& shown_name() const { return display_name ? *display_name : name; }
  /// Whether the built-in loop runs it: every other one needs a program beside us, its executor.
  bool runs_in_loop() const {
    return type == ExecutorType::native ||
           (type == ExecutorType::custom && executor.command.empty());
  }
};

/// The form kept in `cache:agent:*`: every field with defaults filled.
std::string to_cache_json(const AgentDefinition& definition);
/// Nothing for text that does not parse as that form: a cache miss.
std::optional<AgentDefinition> from_cache_json(std::string_view text);

/// True for `^[a-z0-9-]{1,64}$`: names are checked before they touch a path, key or URL.
bool is_safe_name(std::string_view name);
/// A name that an agent may have (3 to 50 characters of a-z, 0-9 and -), made of one that it may
/// not: `A_One` gives `a-one`.
std::string suggested_name(std::string_view name);

}  // namespace botburrow::definitions
