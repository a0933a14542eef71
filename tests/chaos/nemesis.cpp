#include "tests/chaos/nemesis.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/random.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::chaos {
namespace {

using Ms = std::chrono::milliseconds;

Ms between(Random& random, Ms least, Ms most) {
  return least + Ms(static_cast<std::int64_t>(random.unit() *
                                              static_cast<double>((most - least).count() + 1)));
}

std::uint64_t stream_of(std::uint64_t seed, std::string_view kind) {
  std::uint64_t hash = 1469598103934665603u ^ seed;  // FNV-1a: the same on every machine
  for (const unsigned char c : kind)
    hash = (hash ^ c) * 1099511628211u;
  return hash;
}

Fault draw(Random& random, const Profile& profile, const Rate& rate, Ms at) {
  const int targets = targets_of(rate.kind, profile.runners);
  const int target = static_cast<int>(random.unit() * targets);
  return {.at = at,
          .kind = rate.kind,
          .target = target,
          .length = between(random, rate.shortest, rate.longest)};
}

void add_rate(const Profile& profile, const Rate& rate, std::uint64_t seed,
              std::vector<Fault>& schedule) {
  SeededRandom random(stream_of(seed, rate.kind));
  auto at = between(random, Ms(500), rate.every + Ms(500));
  while (at < profile.duration) {
    schedule.push_back(draw(random, profile, rate, at));
    at += between(random, rate.every / 2, rate.every + rate.every / 2);
  }
}

void add_turns(const Profile& profile, std::uint64_t seed, std::vector<Fault>& schedule) {
  if (profile.turns.empty()) return;
  SeededRandom random(stream_of(seed, "turns"));
  auto at = profile.turn_every;
  for (std::size_t n = 0; at < profile.duration; ++n, at += profile.turn_every) {
    const auto& rate = profile.turns[n % profile.turns.size()];
    // Not in step with anybody's own rhythm.
    schedule.push_back(draw(random, profile, rate, at + between(random, Ms(0), Ms(999))));
  }
}

}  // namespace

int targets_of(std::string_view kind, int runners) {
  if (kind.starts_with("runner_") || kind == "late_write") return runners;
  if (kind == "clock_jump") return runners + kCoordinators + 3;
  if (kind.starts_with("model_")) return runners + 1;
  const bool process = kind.starts_with("leader_") || kind.ends_with("_restart") ||
                       kind.ends_with("_freeze") || kind.ends_with("_down") ||
                       kind == "redis_rollback" || kind == "redis_wipe";
  return process ? 1 : runners + kCoordinators + 1;
}

std::vector<Fault> make_schedule(const Profile& profile, std::uint64_t seed) {
  std::vector<Fault> schedule;
  for (const auto& rate : profile.rates)
    add_rate(profile, rate, seed, schedule);
  add_turns(profile, seed, schedule);
  std::ranges::stable_sort(schedule, {}, &Fault::at);
  return schedule;
}

json::value to_value(const std::vector<Fault>& schedule) {
  json::array all;
  for (const auto& fault : schedule) {
    all.push_back({{"at_ms", fault.at.count()},
                   {"kind", fault.kind},
                   {"target", fault.target},
                   {"length_ms", fault.length.count()}});
  }
  return all;
}

std::vector<Fault> schedule_of(const json::value& value) {
  if (!value.is_array())
    throw Error(errc::bad_input, "schedule: expected a list of faults", Retry::never);
  std::vector<Fault> schedule;
  for (const auto& entry : value.as_array()) {
    const auto at = int_field(entry, "at_ms");
    const auto kind = string_field(entry, "kind");
    if (!at || !kind)
      throw Error(errc::bad_input, "schedule: a fault needs at_ms and kind", Retry::never);
    schedule.push_back({.at = Ms(*at),
                        .kind = *kind,
                        .target = static_cast<int>(int_field(entry, "target").value_or(0)),
                        .length = Ms(int_field(entry, "length_ms").value_or(0))});
  }
  return schedule;
}

}  // namespace botburrow::chaos
