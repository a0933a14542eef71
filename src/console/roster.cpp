#include "console/roster.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"

#include <algorithm>

namespace botburrow::console {
namespace {

using namespace std::chrono_literals;

constexpr auto kKept = 2s;
constexpr auto kFolderTime = 1s;
constexpr std::size_t kResultsLooked = 1000;

template <class Map>
const typename Map::mapped_type* find(const Map& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

std::string state_of(const RosterEntry& entry, bool fleet_paused) {
  if (!entry.runner.empty()) return "running";
  if (entry.paused || fleet_paused) return "paused";
  if (!entry.queue.empty()) return "waiting";
  return entry.backoff_seconds > 0 ? "held_off" : "idle";
}

template <class Map>
void add_keys(std::vector<std::string>& names, const Map& map) {
  for (const auto& [name, value] : map)
    names.push_back(name);
}

}  // namespace

RosterList roster_of(const RosterFacts& facts) {
  const auto& s = facts.snapshot;
  std::vector<std::string> names = facts.others;
  add_keys(names, s.active);
  add_keys(names, s.backoff);
  add_keys(names, s.failures);
  add_keys(names, facts.queued);
  names.insert(names.end(), s.paused.begin(), s.paused.end());
  std::ranges::sort(names);
  const auto twice = std::ranges::unique(names);
  names.erase(twice.begin(), twice.end());
  const bool fleet_paused = std::ranges::binary_search(s.paused, "*");
  RosterList list;
  for (auto& name : names) {
    if (name.empty() || name == "*") continue;
    RosterEntry entry{.agent_id = name};
    if (const auto* runner = find(s.active, name)) entry.runner = *runner;
    if (const auto* queued = find(facts.queued, name))
      entry.queue = queued->substr(0, queued->find(':'));
    if (const auto* failures = find(s.failures, name)) entry.failures = *failures;
    if (const auto* seconds = find(s.backoff, name)) entry.backoff_seconds = *seconds;
    entry.paused = std::ranges::binary_search(s.paused, name);
    entry.state = state_of(entry, fleet_paused);
    list.push_back(std::move(entry));
  }
  return list;
}

RosterList chosen(const RosterList& all, std::string_view state, std::string_view part) {
  RosterList out;
  for (const auto& entry : all) {
    const bool fits =
        state.empty() || (state == "failing" ? entry.failures > 0 : entry.state == state);
    if (fits && entry.agent_id.find(part) != std::string::npos) out.push_back(entry);
  }
  return out;
}

Task<std::vector<std::string>> Roster::names_of_results() {
  const auto page = co_await pages_.ended({.offset = 0, .limit = kResultsLooked});
  std::vector<std::string> names;
  for (const auto& result : page.results)
    names.push_back(result.agent_id.str());
  co_return names;
}

Task<std::vector<std::string>> Roster::names_of_definitions() {
  try {
    co_return co_await with_deadline("the definitions", Deadline::in(kFolderTime), catalog_.list());
  } catch (const Error&) {
    // A folder that hangs or is not there names nobody; the others are shown all the same.
  }
  co_return std::vector<std::string>{};
}

Task<std::shared_ptr<const RosterList>> Roster::list() {
  if (list_ && clock_.now() - at_ < kKept) co_return list_;
  RosterFacts facts;
  facts.snapshot = co_await view_.snapshot();
  facts.queued = co_await pages_.queued();
  facts.others = co_await names_of_results();
  for (auto& name : co_await names_of_definitions())
    facts.others.push_back(std::move(name));
  list_ = std::make_shared<const RosterList>(roster_of(facts));
  at_ = clock_.now();
  co_return list_;
}

}  // namespace botburrow::console
