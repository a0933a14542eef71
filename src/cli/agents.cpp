#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/exit_code.hpp"
#include "cli/operator_command.hpp"
#include "queue/agent_document.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <set>

namespace botburrow::cli {
namespace {

constexpr std::size_t kWaitingMax = 1000;

// Every agent that Redis knows something of just now.
Task<std::set<std::string>> names(OperatorTools& tools) {
  const auto seen = co_await tools.view.snapshot();
  std::set<std::string> all;
  for (const auto& [agent, runner] : seen.active)
    all.insert(agent);
  for (const auto& [agent, seconds] : seen.backoff)
    all.insert(agent);
  for (const auto& [agent, count] : seen.failures)
    all.insert(agent);
  for (const auto& agent : seen.paused)
    if (agent != "*") all.insert(agent);
  for (const auto& entry : co_await tools.view.waiting(std::nullopt, kWaitingMax))
    if (entry.item) all.insert(entry.item->agent_id.str());
  for (const auto& entry : co_await tools.view.deferred(kWaitingMax))
    if (entry.item) all.insert(entry.item->agent_id.str());
  co_return all;
}

Task<int> list(OperatorTools& tools) {
  json::array documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& name : co_await names(tools)) {
    const auto facts = co_await tools.view.why(AgentId(name));
    documents.push_back(queue::facts_document(facts));
    rows.push_back({name, queue::state_name(facts), fmt::format("{}", facts.failures),
                    facts.last_reason.value_or("")});
  }
  if (tools.json)
    tools.out.json({{"agents", std::move(documents)}});
  else if (rows.empty())
    tools.out.line(
        "no agent waits, runs, is held off or paused; all of them: botburrow hub agents");
  else
    tools.out.table({"agent", "state", "failures", "last reason"}, rows);
  co_return exit_code::kDone;
}

struct PauseFlags {
  std::string agent;
  bool all = false;
  bool unchecked = false;
};

Task<int> pause(OperatorTools& tools, const PauseFlags& flags, bool on) {
  const auto& [agent, all, unchecked] = flags;
  if (agent.empty() != all)
    throw Error(errc::usage,
                fmt::format("agents {}: name one AGENT, or give --all", on ? "pause" : "resume"));
  const AgentId whom = all ? AgentId("*") : agent_argument(agent);
  if (!all && !unchecked) co_await require_known_agent(tools, whom);
  const bool changed = on ? co_await tools.view.pause(whom) : co_await tools.view.resume(whom);
  if (tools.json)
    tools.out.json({{"agent_id", whom.str()}, {"paused", on}, {"changed", changed}});
  else
    tools.out.line(fmt::format("{} {}{}", all ? "the whole fleet" : printable(agent),
                               changed ? "is " : "was already ", on ? "paused" : "resumed"));
  co_return exit_code::kDone;
}

void add_pausing(CLI::App& agents, Context& context, bool on) {
  auto* command =
      on ? agents.add_subcommand("pause", "Begin nothing new for an agent; what runs, ends")
         : agents.add_subcommand("resume", "Let a paused agent run again");
  auto flags = std::make_shared<PauseFlags>();
  command->add_option("agent", flags->agent, "The agent's id")->type_name("AGENT");
  command->add_flag("--all", flags->all, "The whole fleet; single pauses stay as they are");
  add_unchecked(*command, flags->unchecked);
  add_operator_command(*command, context,
                       [flags, on](OperatorTools& tools) { return pause(tools, *flags, on); });
}

}  // namespace

void add_agents_state(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("agents", "Agents that wait, run, are held off or paused; pause, resume");
  command->require_subcommand(0, 1);
  add_pausing(*command, context, true);
  add_pausing(*command, context, false);
  add_operator_command(*command, context, [](OperatorTools& tools) { return list(tools); });
}

}  // namespace botburrow::cli
