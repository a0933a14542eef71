#pragma once

#include <boost/json/fwd.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::chaos {

/// One thing that goes wrong.
struct Fault {
  std::chrono::milliseconds at{0};  ///< after the start
  std::string kind;                 ///< a name of docs/chaos.md
  int target = 0;                   ///< whom it befalls, of targets_of(kind)
  /// How long it lasts, where it lasts; for `clock_jump` how far the clock is set from the truth.
  std::chrono::milliseconds length{0};
  bool operator==(const Fault&) const = default;
};

/// How often a kind befalls, on average, and how long it lasts at least and at most.
struct Rate {
  std::string kind;
  std::chrono::milliseconds every{0};
  std::chrono::milliseconds shortest{0}, longest{0};
};

struct Profile {
  std::string name;
  std::chrono::milliseconds duration{0};
  int runners = 8;
  int agents = 12;
  std::chrono::milliseconds mention_every{150};
  /// How long the model takes for an answer.
  std::chrono::milliseconds think_least{20}, think_most{320};
  std::map<std::string, std::string> settings{};  ///< of the services, on top of the fleet's own
  std::vector<Rate> rates{};
  /// These in turn, one every `turn_every`, beside the rates.
  std::vector<Rate> turns{};
  std::chrono::milliseconds turn_every{0};
  /// Every mention comes with another one of the same agent right before it, which the model
  /// refuses the first time: it stays unread, and whoever comes next answers it first.
  bool stumbling = false;
  /// Mentions that kill whoever works on them.
  std::chrono::milliseconds poison_every{0};
  /// How soon a supervisor starts what has ended.
  std::chrono::milliseconds restart_after{300};
  /// Nothing happens but jumps of clocks: no process may change in anything because of them.
  bool untouched = false;
};

constexpr int kCoordinators = 3;

/// The profiles by name; throws Error{invalid_argument} for others.
Profile profile_named(std::string_view name);

/// How many there are that a kind can befall: runners for `runner_*`, `late_write` and `model_*`;
/// runners and coordinators for other wires; those, the Hub and Redis for clocks. Wires and clocks
/// know one more: all at once.
int targets_of(std::string_view kind, int runners);

/// The same profile, seed and duration give the same schedule; sorted by time. Each kind draws from
/// a stream of its own, so that taking one out leaves the others where they are.
std::vector<Fault> make_schedule(const Profile& profile, std::uint64_t seed);

/// A schedule as it is recorded, and read back. Throws Error{bad_input} for what is none.
boost::json::value to_value(const std::vector<Fault>& schedule);
std::vector<Fault> schedule_of(const boost::json::value& value);

}  // namespace botburrow::chaos
