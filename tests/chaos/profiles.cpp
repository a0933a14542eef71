// What befalls the system in each profile.

#include "base/error.hpp"
#include "tests/chaos/nemesis.hpp"

#include <fmt/format.h>

namespace botburrow::chaos {
namespace {

using namespace std::chrono_literals;

constexpr auto kDays = 72h;

const std::map<std::string, std::string> kDefaultLeases = {{"LEASE_SECONDS", "10"},
                                                           {"LEADER_LEASE_SECONDS", "6"}};

// Freezes last longer than the leases, which are 3 s here.
std::vector<Rate> processes() {
  return {{"runner_kill", 900ms},
          {"runner_freeze", 6s, 4s, 5s},
          {"runner_drain", 5s},
          {"leader_kill", 8s},
          {"leader_drain", 13s},
          {"leader_freeze", 11s, 4s, 5s},
          {"redis_restart", 11s},
          {"redis_freeze", 19s, 3500ms, 4500ms},
          {"hub_restart", 11s},
          {"hub_freeze", 17s, 500ms, 2s},
          {"clock_jump", 2s, -kDays, kDays}};
}

std::vector<Rate> wires() {
  return {{"redis_reset", 3s},
          {"redis_lose_requests", 3s},
          {"redis_lose_answers", 3s},
          {"redis_delay", 5s, 500ms, 1s},
          {"redis_hang", 6s, 500ms, 4s},
          {"redis_slice", 5s, 500ms, 1s},
          {"redis_half_open", 5s, 4s, 8s},
          {"redis_mute", 6s, 4s, 8s},
          {"hub_reset", 3s},
          {"hub_lose_requests", 3s},
          {"hub_lose_answers", 2s},
          {"hub_delay", 5s, 500ms, 1s},
          {"hub_hang", 6s, 500ms, 2s},
          {"hub_slice", 5s, 500ms, 1s},
          {"hub_half_open", 6s, 4s, 8s},
          {"hub_mute", 6s, 4s, 8s},
          {"model_reset", 5s},
          {"model_lose_requests", 6s},
          {"model_lose_answers", 8s},
          {"model_slice", 5s, 500ms, 1s},
          {"model_half_open", 9s, 2s, 4s},
          {"late_write", 4s, 4500ms, 6s}};
}

Profile smoke() {
  Profile profile{.name = "smoke", .duration = 20s, .rates = processes()};
  for (auto& rate : wires())
    profile.rates.push_back(std::move(rate));
  return profile;
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
    if (rate.kind == "redis_freeze" || rate.kind == "leader_freeze") rate.every = 40s;
    if (rate.kind.starts_with("model_")) rate.every *= 3;
  }
  return profile;
}

// Nothing else goes wrong, and the leases are what operators have: what a runner's death costs.
Profile kills() {
  return {.name = "kills",
          .duration = 120s,
          .agents = 40,
          .mention_every = 200ms,
          .think_least = 300ms,
          .think_most = 2500ms,
          .settings = kDefaultLeases,
          .rates = {{"runner_kill", 1500ms}}};
}

// The same for a leader's death, its leaving, and for a Redis that comes back.
Profile failover() {
  return {.name = "failover",
          .duration = 300s,
          .mention_every = 500ms,
          .settings = kDefaultLeases,
          .turns = {{"leader_kill", {}}, {"leader_drain", {}}, {"redis_down", {}, 1s, 6s}},
          .turn_every = 10s,
          // Not so soon that the one that has just left leads again.
          .restart_after = 3s};
}

Profile clocks() {
  return {.name = "clocks",
          .duration = 20s,
          .rates = {{"clock_jump", 500ms, -kDays, kDays}},
          .untouched = true};
}

// Kills in the middle of things, and nothing else.
Profile crashes() {
  return {.name = "crashes",
          .duration = 20s,
          .agents = 30,
          .think_least = 200ms,
          .think_most = 1200ms,
          .rates = {{"runner_kill", 400ms}}};
}

// Nobody dies, but what they say to each other is lost, late or in pieces.
Profile only_wires() {
  Profile profile{.name = "wires", .duration = 20s, .rates = wires()};
  std::erase_if(profile.rates, [](const Rate& rate) { return rate.kind == "late_write"; });
  for (auto& rate : profile.rates)
    if (rate.kind == "hub_lose_answers") rate.every = 500ms;
  return profile;
}

// What left in time and arrives too late: its runner is dead, and another one has written under a
// newer fence, but not yet this. The lengths fit leases of 3 s and the model's pace.
Profile late() {
  return {.name = "late",
          .duration = 20s,
          .agents = 30,
          .mention_every = 400ms,
          .think_least = 1200ms,
          .think_most = 1500ms,
          .rates = {{"late_write", 900ms, 5500ms, 6300ms}},
          .stumbling = true};
}

// Redis comes back with what it had seconds before, or with nothing.
Profile rollback() {
  return {.name = "rollback",
          .duration = 30s,
          .rates = {{"runner_kill", 2s},
                    {"leader_kill", 9s},
                    {"redis_rollback", 7s, 500ms, 4s},
                    {"redis_wipe", 13s}}};
}

Profile poison() {
  return {.name = "poison",
          .duration = 12s,
          .settings = {{"MAX_CRASH_ATTEMPTS", "3"}},
          .poison_every = 4s};
}

// Runners die at chosen points (sweep.hpp); mentions come as fast as there are runners for them.
Profile sweep() {
  return {.name = "sweep",
          .duration = 900s,
          .agents = 60,
          .settings = {{"MAX_CONCURRENT_ACTIVATIONS", "1"}}};
}

}  // namespace

Profile profile_named(std::string_view name) {
  for (auto* make : {smoke, standard, kills, failover, clocks, crashes, only_wires, late, rollback,
                     poison, sweep}) {
    auto profile = make();
    if (profile.name == name) return profile;
  }
  throw Error(errc::invalid_argument,
              fmt::format("--profile {}: expected smoke, standard, kills, failover, clocks, "
                          "crashes, wires, late, rollback, poison or sweep",
                          name),
              Retry::never);
}

}  // namespace botburrow::chaos
