#pragma once

#include "base/log.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "definitions/catalog.hpp"
#include "queue/operator_pages.hpp"
#include "queue/operator_view.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::console {

/// An agent in a list, by what Redis and the folder of definitions know.
struct RosterEntry {
  std::string agent_id;
  std::string state;  ///< running, paused, waiting, held_off or idle: as `botburrow agents` says
  std::string runner;
  std::string queue;  ///< high, normal or low
  std::int64_t failures = 0;
  double backoff_seconds = 0;
  bool paused = false;
};

using RosterList = std::vector<RosterEntry>;

/// What the roster is made of.
struct RosterFacts {
  queue::QueueSnapshot snapshot;
  std::map<std::string, std::string> queued;  ///< agent → `high:inbox`
  std::vector<std::string> others;            ///< known by name only
};
/// Sorted by id, each agent once. Rules.
RosterList roster_of(const RosterFacts& facts);
/// Those in this state (empty: any; `failing`: with failures counted) whose id holds `part`.
RosterList chosen(const RosterList& all, std::string_view state, std::string_view part);

/// All agents anybody knows of: those in Redis now, those of the last thousand results, those in
/// the folder of definitions. Read at most every two seconds.
class Roster {
 public:
  Roster(queue::OperatorView& view, queue::OperatorPages& pages,
         definitions::DefinitionCatalog& catalog, Clock& clock)
      : view_(view), pages_(pages), catalog_(catalog), clock_(clock) {}

  Task<std::shared_ptr<const RosterList>> list();
  /// After an act: the next look reads anew.
  void forget() { list_.reset(); }

 private:
  Task<std::vector<std::string>> names_of_results();
  Task<std::vector<std::string>> names_of_definitions();

  queue::OperatorView& view_;
  queue::OperatorPages& pages_;
  definitions::DefinitionCatalog& catalog_;
  Clock& clock_;
  std::shared_ptr<const RosterList> list_;
  Instant at_{};
};

}  // namespace botburrow::console
