#pragma once

#include "agent/outside_agents.hpp"
#include "base/log.hpp"
#include "base/stop.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "definitions/catalog.hpp"
#include "definitions/redis_cache.hpp"
#include "queue/work_item.hpp"

#include <chrono>

namespace botburrow::runner {

enum class DefinitionFound {
  runs_here,
  elsewhere,  ///< an executor that this program does not have, or a source that does not answer
  stopped,    ///< `stop` was called meanwhile
};

/// A look at an agent's definition before its work is begun. A file system that hangs holds up
/// neither the slot nor a drain: another runner may see it. `outside` may be null.
class DefinitionLook {
 public:
  DefinitionLook(definitions::DefinitionCatalog& catalog, definitions::RedisDefinitionCache& cache,
                 Clock& clock, agent::OutsideAgents* outside, std::chrono::nanoseconds patience,
                 Log log);
  /// A definition that cannot be had is the activation's to report: it runs here.
  Task<DefinitionFound> look(queue::WorkItem item, StopSource& stop);

 private:
  Task<> read(const queue::WorkItem& item, bool& runs_here);

  definitions::DefinitionCatalog& catalog_;
  definitions::RedisDefinitionCache& cache_;
  Clock& clock_;
  agent::OutsideAgents* outside_;
  std::chrono::nanoseconds patience_;
  Log log_;
};

}  // namespace botburrow::runner
