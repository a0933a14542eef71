#include "base/deadline.hpp"
#include "base/error.hpp"
#include "cli/doctor/look.hpp"
#include "definitions/grants.hpp"
#include "definitions/validate.hpp"
#include "net/subprocess.hpp"
#include "tools/mcp_registry.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <map>
#include <set>

namespace botburrow::cli::doctor {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kTime = 5s;
constexpr std::size_t kAgentsMost = 1000;

/// What reading needs, by value: a read that hangs goes on alone.
struct Wanted {
  std::string path;
  definitions::ParseOptions parse;
  std::string policy_file;
  bool allow_without_policy = true;
  std::string servers_file;
  std::map<std::string, std::string, std::less<>> server_commands;
  std::function<bool(const std::string& name)> has_value;  ///< of a setting or variable
  std::string program_path;
};

struct Read {
  DefinitionFacts facts;
  std::vector<llm::Brain> brains;
};

std::string nested_in(const std::string& path) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.is_directory(error) && fs::is_directory(entry.path() / "agents", error))
      return entry.path().string();
  }
  const auto above = fs::path(path).parent_path();
  if (!above.empty() && above != path && fs::is_directory(above / "agents", error))
    return above.string();
  return "";
}

void look_for_program(const std::vector<std::string>& argv, const std::string& server,
                      const Wanted& wanted, AgentFactsHere& agent) {
  if (argv.empty() || net::find_program(argv.front(), wanted.program_path)) return;
  agent.mcp_without_program.push_back(fmt::format("{} ({})", server, argv.front()));
}

void read_servers(const definitions::AgentDefinition& definition, const Wanted& wanted,
                  const tools::McpRegistry& registry, AgentFactsHere& agent) {
  for (const auto& server : definition.capabilities.mcp_servers) {
    if (server.command) {
      look_for_program({*server.command}, server.name, wanted, agent);
      continue;
    }
    const auto* entry = registry.find(server.name);
    if (entry == nullptr) continue;  // `hub`, or one that validation names
    look_for_program(entry->argv, server.name, wanted, agent);
    if (entry->credential && !wanted.has_value(entry->credential->from))
      agent.mcp_without_credential.push_back(
          fmt::format("{} ({})", server.name, entry->credential->from));
  }
}

void read_grants(const definitions::AgentDefinition& definition,
                 const definitions::GrantPolicy& policy, AgentFactsHere& agent) {
  const auto& grants = definition.capabilities.grants;
  agent.wants_to_write = definitions::GrantSet(grants).holds("hub:write");
  const auto effective = definitions::effective_grants(policy, definition.name, grants);
  agent.may_write = effective.granted.holds("hub:write");
  for (const auto& refused : effective.refused)
    if (refused.grant == "hub:write") agent.refused_by = refused.rule;
}

definitions::GrantPolicy policy_of(const Wanted& wanted, DefinitionFacts& facts) {
  try {
    if (auto policy = definitions::load_policy(wanted.policy_file)) return std::move(*policy);
  } catch (const Error& error) {
    facts.policy_trouble = error.message();
  }
  return wanted.allow_without_policy ? definitions::GrantPolicy::allow_all()
                                     : definitions::GrantPolicy::deny_all();
}

tools::McpRegistry registry_of(const Wanted& wanted, DefinitionFacts& facts) {
  try {
    return with_programs_here(tools::load_mcp_registry(wanted.servers_file),
                              wanted.server_commands);
  } catch (const Error& error) {
    facts.servers_trouble = error.message();
  }
  return tools::McpRegistry::built_in();
}

void read_agents(const Wanted& wanted, const definitions::FolderSource& source, Read& read) {
  const auto registry = registry_of(wanted, read.facts);
  const auto policy = policy_of(wanted, read.facts);
  for (const auto& name : source.list_agents()) {
    if (read.facts.agents.size() == kAgentsMost) break;
    const auto loaded = source.load(name);
    if (!loaded.definition) continue;
    const auto& definition = *loaded.definition;
    AgentFactsHere agent{.name = name};
    if (!definition.runs_in_loop()) agent.executor = definition.type_name;
    agent.answers_mentions = definition.behavior.respond_to_mentions;
    agent.explores = definition.behavior.discovery.enabled;
    read_grants(definition, policy, agent);
    read_servers(definition, wanted, registry, agent);
    read.facts.agents.push_back(std::move(agent));
    read.brains.push_back({.provider = definition.brain.provider,
                           .model = definition.brain.model,
                           .api_base = definition.brain.api_base,
                           .api_key_env = definition.brain.api_key_env});
  }
}

Read read_all(const Wanted& wanted) {
  Read read;
  auto& facts = read.facts;
  facts.path = wanted.path;
  std::error_code error;
  facts.exists = fs::exists(wanted.path, error);
  auto parse = wanted.parse;
  know_mcp_servers(parse, wanted.servers_file);
  const definitions::FolderSource source(wanted.path, parse);
  facts.usable = source.usable();
  if (!facts.usable) {
    facts.nested = nested_in(wanted.path);
    return read;
  }
  const auto report = definitions::validate({wanted.path}, {.parse = parse});
  for (const auto& problem : report.problems)
    if (problem.severity == definitions::Severity::error) facts.errors.push_back(problem);
  try {
    read_agents(wanted, source, read);
  } catch (const Error& fault) {
    facts.trouble = fault.message();
  }
  return read;
}

Wanted wanted_of(const Ground& ground, const Place& place) {
  const auto& settings = ground.settings;
  Wanted wanted{.path = place.definitions, .parse = parse_options(settings)};
  wanted.policy_file = settings.text("AGENT_PERMISSIONS_PATH");
  wanted.allow_without_policy = settings.text("PERMISSIONS_DEFAULT") != "deny";
  wanted.servers_file = settings.text("MCP_SERVERS_FILE");
  wanted.server_commands = settings.family("MCP_*_COMMAND");
  // By value: a read that hangs goes on alone. No value of a secret leaves this place.
  std::set<std::string> set;
  for (const auto& [name, value] : ground.environment.variables)
    if (!value.empty()) set.insert(name);
  for (const auto& spec : settings_table())
    if (spec.secret && spec.type == SettingType::text && (spec.services & service::kRunner) != 0 &&
        !settings.secret(spec.name).empty())
      set.emplace(spec.name);
  wanted.has_value = [set](const std::string& name) { return set.contains(name); };
  wanted.program_path =
      ground.environment.variable("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
  return wanted;
}

}  // namespace

Task<> look_at_definitions(const Ground& ground, const Place& place, BlockingPool& pool,
                           DefinitionFacts& facts, std::vector<llm::Brain>& brains) {
  facts.path = place.definitions;
  if (place.definitions.empty()) {
    facts.unasked = "no folder is known (AGENT_DEFINITIONS_PATH)";
    co_return;
  }
  try {
    auto reading =
        pool.run_or_leave([wanted = wanted_of(ground, place)] { return read_all(wanted); });
    auto read = co_await with_deadline(fmt::format("reading {}", place.definitions),
                                       Deadline::in(kTime), std::move(reading));
    facts = std::move(read.facts);
    brains = std::move(read.brains);
  } catch (const Error& error) {
    facts.trouble = error.message();
  }
}

}  // namespace botburrow::cli::doctor
