#pragma once

#include "base/log.hpp"
#include "definitions/definition.hpp"
#include "executors/plan.hpp"
#include "llm/model.hpp"
#include "sandbox/place.hpp"
#include "tools/tool_server.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace botburrow::executors {

/// A command-line agent in the place of a model: one call runs it to its end in a sandbox of its
/// own, with the activation's tools served to it, and its last words are the answer. The loop
/// around it journals, pays and limits as it does with every model.
///
/// One that ends badly is an answer with a `failure`: it was paid for. Throws Error{timeout},
/// Error{io, not_found} where it cannot be started, and, before anything else, what a tool threw
/// that ends the activation. However it ends, no process of it is left and no call of a tool is
/// under way. One call at a time.
class CliModel final : public llm::Model {
 public:
  struct Parts {
    const Executor& executor;
    sandbox::Place& place;
    std::shared_ptr<tools::ToolServer> tools;
    /// Everything but the texts and the names of tools.
    Job job;
    std::string program;  ///< its path on this machine
    std::string type;     ///< for messages, e.g. claude-code
    sandbox::Place::Extra sandbox;
    sandbox::SandboxLimits limits;  ///< for messages
    Log log;
  };
  explicit CliModel(Parts parts);

  Task<llm::ModelAnswer> complete(const llm::ModelRequest& request, Deadline deadline) override;
  std::string_view provider() const override { return parts_.job.provider; }

 private:
  Plan plan_in(const sandbox::Sandbox& sandbox, const Job& job) const;
  Task<sandbox::CommandResult> run(Job job, Deadline deadline);
  Task<sandbox::CommandResult> run_in(sandbox::Sandbox& sandbox, Plan plan, Deadline deadline);
  llm::ModelAnswer answer_of(const sandbox::CommandResult& result) const;
  std::string fault_of(const sandbox::CommandResult& result, const Report& report) const;

  Parts parts_;
};

}  // namespace botburrow::executors
