#include "runner/definition_look.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

namespace botburrow::runner {

DefinitionLook::DefinitionLook(definitions::DefinitionCatalog& catalog,
                               definitions::RedisDefinitionCache& cache, Clock& clock,
                               agent::OutsideAgents* outside, std::chrono::nanoseconds patience,
                               Log log)
    : catalog_(catalog),
      cache_(cache),
      clock_(clock),
      outside_(outside),
      patience_(patience),
      log_(std::move(log)) {}

Task<> DefinitionLook::read(const queue::WorkItem& item, bool& runs_here) {
  try {
    const auto entry = co_await catalog_.get(item.agent_name);
    const auto& definition = *entry.definition;
    co_await cache_.store(entry.definition, clock_.now());
    if (definition.runs_in_loop()) co_return;
    auto refusal = std::optional(fmt::format("Executor '{}' not available", definition.type_name));
    if (outside_) refusal = co_await outside_->refusal(entry.definition);
    runs_here = !refusal;
    if (runs_here) co_return;
    log_.warning("executor_error", {{"agent_id", item.agent_id.str()}, {"error", *refusal}});
  } catch (const Error&) {
  }
}

Task<DefinitionFound> DefinitionLook::look(queue::WorkItem item, StopSource& stop) {
  bool runs_here = true;
  const auto end = co_await run_bounded(read(item, runs_here), Deadline::in(patience_), stop);
  if (end == BoundedEnd::stopped) co_return DefinitionFound::stopped;
  if (end == BoundedEnd::deadline) {
    const auto waited = std::chrono::duration<double>(patience_).count();
    log_.error("definitions_hang",
               {{"agent_id", item.agent_id.str()},
                {"error", fmt::format("the definition of {} could not be read within {} s",
                                      item.agent_name, waited)},
                {"fix", "look at the file system of AGENT_DEFINITIONS_PATH"}});
    co_return DefinitionFound::elsewhere;
  }
  co_return runs_here ? DefinitionFound::runs_here : DefinitionFound::elsewhere;
}

}  // namespace botburrow::runner
