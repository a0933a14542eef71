#pragma once

#include "base/log.hpp"
#include "base/task.hpp"
#include "definitions/catalog.hpp"
#include "hubapi/types.hpp"

#include <cstddef>
#include <vector>

namespace botburrow::coordinator {

/// Leaves out the agents whose definition says that they never look around by themselves
/// (behavior.discovery.enabled), so that no runner is given work that it can only skip. One whose
/// definition is not known here stays: its runner decides.
class DiscoveryFilter {
 public:
  DiscoveryFilter(definitions::DefinitionCatalog& catalog, Log log);
  /// Reads what changed since the last time. Never fails: definitions that cannot be read within a
  /// few seconds leave everybody in.
  Task<std::vector<hubapi::WaitingAgent>> explorers(std::vector<hubapi::WaitingAgent> agents);

 private:
  Task<std::vector<hubapi::WaitingAgent>> without_homebodies(
      std::vector<hubapi::WaitingAgent> agents);
  Task<bool> stays_home(std::string name);

  definitions::DefinitionCatalog& catalog_;
  Log log_;
};

}  // namespace botburrow::coordinator
