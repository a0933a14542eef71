#pragma once

#include <boost/json/fwd.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::chaos {

/// One thing that goes wrong.
struct Fault {
  std::chrono::milliseconds at{0};      ///< after the start
  std::string kind;                     ///< a name of rates_of()
  int target = 0;                       ///< which runner, where it is about one
  std::chrono::milliseconds length{0};  ///< how long it lasts, where it lasts
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
  std::chrono::milliseconds mention_every{150};
  std::vector<Rate> rates;
};

/// "smoke", "standard" or "kills"; throws Error{invalid_argument} for others.
Profile profile_named(std::string_view name);

/// The same profile, seed and duration give the same schedule; sorted by time. Each kind draws from
/// a stream of its own, so that taking one out leaves the others where they are.
std::vector<Fault> make_schedule(const Profile& profile, std::uint64_t seed);

/// A schedule as it is recorded, and read back. Throws Error{bad_input} for what is none.
boost::json::value to_value(const std::vector<Fault>& schedule);
std::vector<Fault> schedule_of(const boost::json::value& value);

}  // namespace botburrow::chaos
