#include "cli/doctor/check.hpp"
#include "cli/doctor/facts.hpp"
#include "cli/doctor/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace botburrow::cli::doctor {
namespace {

Verdict path(const Facts& facts) {
  const auto& d = facts.definitions;
  if (!d.unasked.empty()) return unknown(d.unasked);
  if (!d.trouble.empty())
    return fault(d.trouble, "the file system with the definitions hangs",
                 "mend the mount (NFS, a volume), then look again");
  if (d.usable) return good(fmt::format("{}: {} agents", d.path, d.agents.size()));
  if (!d.nested.empty())
    return fault(fmt::format("{} has no agents/ folder, but {} has", d.path, d.nested),
                 "the volume is mounted one level too high or too deep",
                 fmt::format("set AGENT_DEFINITIONS_PATH={}, or mount it there", d.nested));
  return fault(d.exists ? d.path + " has no agents/ folder" : d.path + " is not there");
}

std::optional<Verdict> unreadable(const Facts& facts) {
  if (facts.definitions.usable && facts.definitions.trouble.empty()) return std::nullopt;
  return unknown("the definitions are not readable");
}

Verdict valid(const Facts& facts) {
  if (auto verdict = unreadable(facts)) return *verdict;
  const auto& d = facts.definitions;
  if (d.errors.empty()) return good("no errors");
  std::vector<std::string> lines;
  for (const auto& problem : d.errors)
    lines.push_back(definitions::to_short_text(problem));
  return fault(few(lines, 3));
}

/// Agents for which `wrong` says something, as "name: what".
template <class Wrong>
Verdict of_agents(const Facts& facts, const char* fine, Wrong wrong) {
  if (auto verdict = unreadable(facts)) return *verdict;
  std::vector<std::string> found;
  for (const auto& agent : facts.definitions.agents) {
    if (const std::string what = wrong(agent); !what.empty())
      found.push_back(fmt::format("{}: {}", agent.name, what));
  }
  return found.empty() ? good(fine) : fault(few(found));
}

/// What was answered is judged; of the rest nobody knows.
std::optional<Verdict> all_asked(const Facts& facts) {
  const auto& d = facts.definitions;
  const auto silent = std::ranges::count_if(
      d.agents, [](const AgentFactsHere& agent) { return !agent.known_to_hub; });
  if (silent == 0) return std::nullopt;
  return unknown(fmt::format("the Hub did not answer about {} of {} agents{}{}", silent,
                             d.agents.size(), d.registry_trouble.empty() ? "" : ": ",
                             d.registry_trouble));
}

Verdict registered(const Facts& facts) {
  if (auto verdict = unreadable(facts)) return *verdict;
  if (!facts.hub.takes_key()) return unknown("the Hub could not be asked");
  auto verdict =
      of_agents(facts, "the Hub knows every agent", [](const AgentFactsHere& agent) -> std::string {
        return agent.known_to_hub.value_or(true) ? "" : "not registered at the Hub";
      });
  return verdict.result == Result::fail ? verdict : all_asked(facts).value_or(verdict);
}

Verdict resting(const Facts& facts) {
  if (auto verdict = unreadable(facts)) return *verdict;
  if (!facts.hub.takes_key()) return unknown("the Hub could not be asked");
  auto verdict = of_agents(facts, "no agent rests at the Hub", [](const AgentFactsHere& agent) {
    const auto& status = agent.hub_status;
    return status == "paused" || status == "retired" || status == "banned" ? status + " at the Hub"
                                                                           : std::string();
  });
  return verdict.result == Result::fail ? verdict : all_asked(facts).value_or(verdict);
}

/// Whether a runner that takes work offers it: its heartbeat says so.
bool is_offered(const Facts& facts, const std::string& executor) {
  return std::ranges::any_of(facts.queue.runners, [&](const queue::Heartbeat& beat) {
    return beat.status != queue::RunnerStatus::draining &&
           std::ranges::find(beat.executors, executor) != beat.executors.end();
  });
}

Verdict executors(const Facts& facts) {
  if (auto verdict = unreadable(facts)) return *verdict;
  const bool wanted =
      std::ranges::any_of(facts.definitions.agents,
                          [](const AgentFactsHere& agent) { return !agent.executor.empty(); });
  if (!wanted) return good("the built-in loop runs every agent");
  if (!facts.queue.trouble.empty()) return unknown(facts.queue.trouble);
  if (facts.queue.runners.empty()) return unknown("no runner lives");
  return of_agents(facts, "for every agent a runner has its executor",
                   [&](const AgentFactsHere& agent) {
                     return agent.executor.empty() || is_offered(facts, agent.executor)
                                ? std::string()
                                : fmt::format("Executor '{}' not available", agent.executor);
                   });
}

Verdict grants(const Facts& facts) {
  if (auto verdict = unreadable(facts)) return *verdict;
  if (!facts.definitions.policy_trouble.empty())
    return fault(facts.definitions.policy_trouble,
                 "the policy file is broken: runners do not start",
                 "correct the line that it names");
  return of_agents(facts, "whoever asks for hub:write holds it", [](const AgentFactsHere& agent) {
    return agent.wants_to_write && !agent.may_write
               ? fmt::format("hub:write is refused by {}", agent.refused_by)
               : std::string();
  });
}

Verdict voices(const Facts& facts) {
  if (auto verdict = unreadable(facts)) return *verdict;
  std::vector<std::string> silent;
  for (const auto& agent : facts.definitions.agents) {
    if (!agent.wants_to_write)
      silent.push_back(agent.name + " (no hub:write)");
    else if (!agent.answers_mentions)
      silent.push_back(agent.name + " (respond_to_mentions: false)");
  }
  if (facts.definitions.agents.empty())
    return facts.definitions.errors.empty() ? fault("there are no agents")
                                            : unknown("no agent has a valid definition");
  if (silent.size() == facts.definitions.agents.size()) return fault(few(silent));
  return good(silent.empty() ? "every agent answers mentions"
                             : "by their definition these do not answer: " + few(silent));
}

Verdict mcp_registry(const Facts& facts) {
  if (auto verdict = unreadable(facts)) return *verdict;
  const auto& trouble = facts.definitions.servers_trouble;
  return trouble.empty() ? good("the registry is good, or there is none") : fault(trouble);
}

Verdict mcp_credentials(const Facts& facts) {
  return of_agents(facts, "every MCP server that is listed has its credential",
                   [](const AgentFactsHere& agent) { return few(agent.mcp_without_credential); });
}

Verdict mcp_programs(const Facts& facts) {
  return of_agents(facts, "every program of a listed MCP server is there",
                   [](const AgentFactsHere& agent) { return few(agent.mcp_without_program); });
}

}  // namespace

const std::vector<Check>& definition_checks() {
  static const std::vector<Check> checks = {
      {"definitions.path", "The definitions are there",
       "AGENT_DEFINITIONS_PATH is wrong, the volume is not mounted, or the clone failed",
       "name the folder that holds agents/ and skills/; log of the init container git-clone", path},
      {"definitions.valid", "The definitions are valid",
       "a file is broken: the agent is not found, or runs by its last good version",
       "`botburrow validate DIR` shows file, line and fix", valid},
      {"definitions.registered", "The Hub knows the agents",
       "the agent was never registered at the Hub: nobody can mention it",
       "register it (POST /api/v1/agents/register; `up` does so by itself)", registered},
      {"definitions.resting", "No agent rests at the Hub", "it was paused, retired or banned there",
       "activate it at the Hub", resting},
      {"definitions.executor", "Every agent's executor is there",
       "its type needs a program that no live runner offers: it is not in the runner's PATH, has "
       "no sandbox there, or (custom) is not on MCP_COMMAND_ALLOW",
       "install it where a runner runs (docs/executors.md), or use type: native", executors},
      {"definitions.grants", "Agents may post", "the policy of grants refuses hub:write",
       "allow it in the policy file (AGENT_PERMISSIONS_PATH)", grants},
      {"definitions.voice", "Somebody answers mentions",
       "no agent holds hub:write and answers mentions",
       "grants: [hub:read, hub:write] and behavior.respond_to_mentions in config.yaml", voices},
      {"mcp.registry", "The registry of MCP servers is good",
       "MCP_SERVERS_FILE cannot be read, or holds a fault: runners do not start",
       "correct the line that it names", mcp_registry},
      {"mcp.credential", "MCP servers have their credentials",
       "the key that a listed MCP server needs is not set for runners",
       "set it (Secret mcp-credentials), and restart the runners", mcp_credentials},
      {"mcp.program", "MCP servers have their programs",
       "the command of a listed MCP server is not installed where runners run",
       "install it in the runner's image, or correct the command", mcp_programs}};
  return checks;
}

}  // namespace botburrow::cli::doctor
