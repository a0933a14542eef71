#include "tests/chaos/nemesis.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/random.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::chaos {
namespace {

using namespace std::chrono_literals;
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

Profile smoke() {
  return {.name = "smoke",
          .duration = 20s,
          .rates = {{"runner_kill", 900ms},
                    {"leader_kill", 7s},
                    {"runner_freeze", 6s, 4s, 5s},
                    {"runner_drain", 5s},
                    {"redis_restart", 11s},
                    {"hub_restart", 11s},
                    {"redis_reset", 6s},
                    {"redis_lose_answers", 3s},
                    {"redis_delay", 8s, 500ms, 1s},
                    {"redis_hang", 12s, 500ms, 2s},
                    {"hub_reset", 6s},
                    {"hub_lose_answers", 3s},
                    {"hub_delay", 8s, 500ms, 1s},
                    {"model_reset", 5s}}};
}

// Enough of each within ten minutes: 300 runner kills, 40 leader kills, 10 restarts.
Profile standard() {
  auto profile = smoke();
  profile.name = "standard";
  profile.duration = 600s;
  profile.mention_every = 250ms;
  for (auto& rate : profile.rates) {
    if (rate.kind == "runner_kill") rate.every = 1700ms;
    if (rate.kind == "leader_kill") rate.every = 12s;
    if (rate.kind == "redis_restart" || rate.kind == "hub_restart") rate.every = 40s;
  }
  return profile;
}

// Nothing else goes wrong: what a runner's death alone costs.
Profile kills() {
  return {.name = "kills", .duration = 40s, .rates = {{"runner_kill", 900ms}}};
}

}  // namespace

Profile profile_named(std::string_view name) {
  if (name == "smoke") return smoke();
  if (name == "standard") return standard();
  if (name == "kills") return kills();
  throw Error(errc::invalid_argument,
              fmt::format("--profile {}: expected smoke, standard or kills", name), Retry::never);
}

std::vector<Fault> make_schedule(const Profile& profile, std::uint64_t seed) {
  std::vector<Fault> schedule;
  for (const auto& rate : profile.rates) {
    SeededRandom random(stream_of(seed, rate.kind));
    auto at = between(random, 500ms, rate.every + 500ms);
    while (at < profile.duration) {
      schedule.push_back({.at = at,
                          .kind = rate.kind,
                          .target = static_cast<int>(random.unit() * profile.runners),
                          .length = between(random, rate.shortest, rate.longest)});
      at += between(random, rate.every / 2, rate.every + rate.every / 2);
    }
  }
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
