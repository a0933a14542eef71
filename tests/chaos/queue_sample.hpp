#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::chaos {

/// A claim under way, as `work:processing` has it.
struct Held {
  std::string runner, activation, work;
  std::int64_t fence = 0;
  int attempt = 0;
};

/// The queue at one instant, read by a script of our own that looks at the lists themselves.
struct QueueSample {
  std::int64_t enqueued = 0, done = 0, dead_items = 0;
  std::int64_t waiting = 0;  ///< elements in the lists and put off
  std::int64_t twice = 0;    ///< of those, elements of an agent that has another
  std::int64_t queued = 0, leases = 0, active = 0;  ///< entries of the hashes
  std::int64_t fence = 0, epoch = 0;
  std::string generation;
  std::map<std::string, Held> held;  ///< by agent
  std::set<std::string> waiting_agents;
};

/// The script (no keys, no arguments) and what its reply says.
std::string_view sample_script();
/// `line`: the first line of an entry of `work:processing`.
Held held_of(std::string_view line);

/// What must hold at every instant, not only in the end: every transition is one script.
class Invariants {
 public:
  void see(const QueueSample& sample);
  /// Redis has gone back in time: counters may stand lower.
  void forget();
  /// One line for each kind of breach, with how often it was seen.
  std::vector<std::string> complaints() const;
  std::int64_t samples() const { return samples_; }
  int attempts_most() const { return attempts_most_; }

 private:
  void expect(bool holds, const std::string& name, const std::string& detail);
  struct Breach {
    std::string first;
    int times = 0;
  };
  std::map<std::string, Breach> breaches_;
  std::int64_t samples_ = 0, fence_ = 0, epoch_ = 0;
  std::string generation_;
  bool rolled_back_ = false;
  int attempts_most_ = 0;
};

/// How long the items of killed runners took to run again.
class Recoveries {
 public:
  struct Recovery {
    double seconds = 0;
    int crashes = 0;  ///< of this item so far, this one included
  };
  /// `sample` was taken just before the kill.
  void killed(const std::string& runner, const QueueSample& sample, double at);
  void see(const QueueSample& sample, double at);
  const std::vector<Recovery>& all() const { return recovered_; }
  /// Whether the agent's item is one that a killed runner held.
  bool is_orphan(const std::string& agent) const { return orphans_.contains(agent); }

 private:
  struct Orphan {
    std::string activation, work;
    double since = 0;
    int attempt = 0;
  };
  std::map<std::string, Orphan> orphans_;  ///< by agent
  std::vector<Recovery> recovered_;
};

}  // namespace botburrow::chaos
