#pragma once

#include "agent/outside_agents.hpp"
#include "cli/services.hpp"
#include "executors/plan.hpp"
#include "llm/providers.hpp"
#include "sandbox/sandboxes.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace botburrow::cli {

/// Agents that are command-line tools of this machine, in sandboxes, as the settings allow.
class ProgramAgents final : public agent::OutsideAgents {
 public:
  /// `path` is where programs are looked for. Keeps references to the settings, the environment and
  /// `sandboxes`, not to `ground`.
  ProgramAgents(const Ground& ground, sandbox::Sandboxes& sandboxes, std::string path);

  Task<std::optional<std::string>> refusal(
      std::shared_ptr<const definitions::AgentDefinition> definition) override;
  std::vector<std::string> kinds() const override;
  Task<std::shared_ptr<llm::Model>> model_for(agent::OutsideRun run) override;

 private:
  /// A name or path: the operator's EXECUTOR_<TYPE>_COMMAND, else what the executor is called.
  std::string program_of(const definitions::AgentDefinition& definition) const;
  std::optional<std::string> program_fault(const definitions::AgentDefinition& definition) const;
  executors::Job job_for(const agent::OutsideRun& run, const llm::ProviderConfig& provider) const;
  std::map<std::string, std::string> custom_environment(
      const definitions::AgentDefinition& definition) const;

  const Settings& settings_;
  sandbox::Sandboxes& sandboxes_;
  std::string path_;
  std::map<std::string, std::string, std::less<>> programs_;  ///< EXECUTOR_*_COMMAND, by the star
  llm::ProviderSettings providers_;
};

}  // namespace botburrow::cli
