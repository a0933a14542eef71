#include "coordinator/discovery_filter.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"

#include <algorithm>

namespace botburrow::coordinator {
namespace {

constexpr std::chrono::seconds kReadingTime{5};

}  // namespace

DiscoveryFilter::DiscoveryFilter(definitions::DefinitionCatalog& catalog, Log log)
    : catalog_(catalog), log_(std::move(log)) {}

Task<bool> DiscoveryFilter::stays_home(std::string name) {
  try {
    const auto entry = co_await catalog_.get(std::move(name));
    co_return !entry.definition->behavior.discovery.enabled;
  } catch (const Error&) {
    // Gone meanwhile, or broken from the start.
  }
  co_return false;
}

Task<std::vector<hubapi::WaitingAgent>> DiscoveryFilter::without_homebodies(
    std::vector<hubapi::WaitingAgent> agents) {
  const auto known = co_await catalog_.list();
  const auto is_known = [&known](const std::string& name) {
    return std::ranges::binary_search(known, name);
  };
  // An empty folder says nothing about anybody: runners may have another.
  if (known.empty()) co_return agents;
  std::vector<hubapi::WaitingAgent> explorers;
  std::vector<std::string> undefined;
  for (auto& agent : agents) {
    // As an activation looks its definition up: by the name, which may be the id.
    const auto name = agent.name.empty() ? agent.id.str() : agent.name;
    if (!is_known(name))
      undefined.push_back(name);
    else if (!co_await stays_home(name))
      explorers.push_back(std::move(agent));
  }
  note_undefined(undefined);
  if (explorers.size() < agents.size())
    log_.debug("discovery_disabled", {{"agents", agents.size() - explorers.size()}});
  co_return explorers;
}

void DiscoveryFilter::note_undefined(const std::vector<std::string>& names) {
  for (const auto& name : names) {
    if (!told_.insert(name).second) continue;
    log_.warning("agent_without_definition",
                 {{"agent_name", name},
                  {"fix", "put its folder back under agents/, or retire it at the Hub"},
                  {"msg", "the Hub knows it; it is not sent to look around"}});
  }
  // Who has come back is news again when it goes.
  std::erase_if(told_, [&names](const std::string& name) {
    return std::ranges::find(names, name) == names.end();
  });
}

Task<std::vector<hubapi::WaitingAgent>> DiscoveryFilter::explorers(
    std::vector<hubapi::WaitingAgent> agents) {
  try {
    co_return co_await with_deadline("reading the definitions", Deadline::in(kReadingTime),
                                     without_homebodies(agents));
  } catch (const Error& error) {
    log_.debug("discovery_not_filtered", {{"error", error.message()}});
  }
  co_return agents;
}

}  // namespace botburrow::coordinator
