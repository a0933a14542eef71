#pragma once

#include "base/log.hpp"
#include "base/task.hpp"
#include "definitions/definition.hpp"
#include "llm/model.hpp"
#include "sandbox/place.hpp"
#include "tools/tool_server.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::agent {

/// One run of an agent that is a program beside us.
struct OutsideRun {
  std::shared_ptr<const definitions::AgentDefinition> definition;
  sandbox::Place& place;
  std::shared_ptr<tools::ToolServer> tools;  ///< what it is served; not used after the run
  int turns_max = 10;
  double budget_usd = 0;  ///< what it may still spend; 0: no limit
  Log log;
};

/// Agents that are programs beside us: command-line tools in the place of the loop's model.
class OutsideAgents {
 public:
  virtual ~OutsideAgents() = default;
  /// Why this runner cannot run such an agent, e.g. `Executor 'goose' not available`; nothing when
  /// it can. Asked before work is begun.
  virtual Task<std::optional<std::string>> refusal(
      std::shared_ptr<const definitions::AgentDefinition> definition) = 0;
  /// The kinds that it can run, as far as it is known now; a command of a definition's own may be
  /// refused all the same. Touches the disk.
  virtual std::vector<std::string> kinds() const = 0;
  /// The program as a model: one call runs it to its end. Throws as ModelSource::model_for() does.
  virtual Task<std::shared_ptr<llm::Model>> model_for(OutsideRun run) = 0;
};

}  // namespace botburrow::agent
