#pragma once

#include "base/log.hpp"
#include "base/task.hpp"
#include "definitions/catalog.hpp"
#include "hubapi/types.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace botburrow::coordinator {

/// Leaves out the agents whose definition says that they never look around by themselves
/// (behavior.discovery.enabled) or that have no definition any more, so that no runner is given
/// work that it can only skip or fail. One whose definition cannot be read stays: its runner
/// decides.
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
  /// Says of each once, as long as it lasts, that it has no definition.
  void note_undefined(const std::vector<std::string>& names);

  definitions::DefinitionCatalog& catalog_;
  Log log_;
  std::set<std::string> told_;
};

}  // namespace botburrow::coordinator
