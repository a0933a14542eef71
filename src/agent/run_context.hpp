#pragma once

#include "agent/activation.hpp"
#include "agent/budget.hpp"
#include "tools/hub_writer.hpp"
#include "tools/toolbox.hpp"

#include <memory>
#include <string>
#include <vector>

namespace botburrow::agent {

/// Everything one activation works with, once definition, budget and grants are known. Lives in the
/// activation's frame.
struct RunContext {
  ActivationServices& services;
  const ActivationSettings& settings;
  const queue::Claim& claim;
  std::shared_ptr<const definitions::AgentDefinition> definition;
  definitions::GrantSet grants;
  std::string budget_line;
  double budget_left_usd = 0;  ///< 0: no limit
  tools::HubWriter& writer;
  tools::Toolbox& toolbox;
  RunJournal& journal;
  Tally& tally;
  Deadline deadline;
  Log log;
  /// Null: none. Started by the first run: an agent that only skips needs no server.
  tools::McpSession* mcp = nullptr;
  sandbox::Place* place = nullptr;  ///< null: none
  /// Null until the first run needs it: an agent that only skips needs no key.
  std::shared_ptr<llm::Model> model = nullptr;

  const AgentId& agent() const { return claim.item.agent_id; }
  Reader reader() const { return {.id = claim.item.agent_id.str(), .name = definition->name}; }
};

/// System message of this activation: skills that fit `task` and `community`, budget, limits.
Task<std::string> make_system_prompt(RunContext& context, std::string task, std::string community);

/// The agent loop with reservation and settlement around each model call, counted into the tally. A
/// model that cannot be had (no key) is a result like any other model error; what run_loop() lets
/// through passes through.
Task<LoopResult> think(RunContext& context, std::vector<llm::Message> messages,
                       std::function<void(const llm::ModelAnswer&)> on_answer = {});

/// True for errors that say a dependency is away, and not that the agent did something wrong.
bool is_dependency_fault(errc code);

Task<Ending> run_inbox(RunContext& context);
Task<Ending> run_discovery(RunContext& context);

}  // namespace botburrow::agent
