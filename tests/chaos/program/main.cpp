// bb_chaos: see docs/chaos.md.

#include "base/random.hpp"
#include "tests/chaos/program/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace botburrow::chaos {
namespace {

using namespace std::chrono_literals;

struct Wish {
  std::string profile = "smoke", json_file, replay_file, keep = "";
  std::uint64_t seed = 1;
  int duration = 0;  ///< seconds; 0 = the profile's
};

Wish wish_of(int count, char** words) {
  Wish wish;
  for (int n = 1; n < count; ++n) {
    const std::string_view name = words[n];
    if (n + 1 == count) throw std::runtime_error(fmt::format("{} needs a value", name));
    const std::string value = words[++n];
    if (name == "--profile")
      wish.profile = value;
    else if (name == "--seed")
      wish.seed = std::stoull(value);
    else if (name == "--duration")
      wish.duration = std::stoi(value);
    else if (name == "--json")
      wish.json_file = value;
    else if (name == "--replay")
      wish.replay_file = value;
    else if (name == "--keep")
      wish.keep = value;
    else
      throw std::runtime_error(fmt::format(
          "{}: expected --profile, --seed, --duration, --json, --replay or --keep", name));
  }
  if (wish.keep.empty()) wish.keep = fmt::format("/tmp/bb-chaos-{}-{}", wish.profile, wish.seed);
  return wish;
}

json::value read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  return parse_json(std::string(std::istreambuf_iterator<char>(file), {}), path);
}

void write_json(const std::string& path, const json::value& value) {
  std::ofstream file(path);
  file << to_pretty_json(value) << '\n';
  if (!file.flush()) throw std::runtime_error(path + ": cannot be written");
}

json::value share(std::vector<double> all, double part) {
  if (all.empty()) return nullptr;
  std::ranges::sort(all);
  return all[std::min(all.size() - 1,
                      static_cast<std::size_t>(part * static_cast<double>(all.size())))];
}

json::object result_of(const Wish& wish, const Verdict& verdict, const Fleet& fleet) {
  const auto recoveries = fleet.recoveries();
  const auto count = [&](const char* kind) {
    const auto found = fleet.befallen().find(kind);
    return found == fleet.befallen().end() ? 0 : found->second;
  };
  return {{"seed", wish.seed},
          {"profile", wish.profile},
          {"notifications", verdict.notifications},
          {"answered", verdict.answered},
          {"skipped", verdict.skipped},
          {"dead", verdict.dead},
          {"lost", verdict.lost},
          {"doubled", verdict.doubled},
          {"stale_accepted", verdict.stale_accepted},
          {"census_closed", verdict.census_closed},
          {"kills", count("runner_kill")},
          {"leader_kills", count("leader_kill")},
          {"redis_restarts", count("redis_restart")},
          {"hub_restarts", count("hub_restart")},
          {"freezes", count("runner_freeze")},
          {"drains", count("runner_drain")},
          {"clock_jumps", count("clock_jump")},
          {"model_calls", verdict.model_calls},
          {"recovery",
           {{"count", recoveries.size()},
            {"p50", share(recoveries, 0.5)},
            {"p99", share(recoveries, 0.99)}}}};
}

void run_schedule(Fleet& fleet, const Profile& profile, const std::vector<Fault>& schedule,
                  std::uint64_t seed) {
  SeededRandom random(seed * 31 + 7);
  const auto begin = Clock::now();
  auto next_mention = begin;
  auto next = schedule.begin();
  while (Clock::now() - begin < profile.duration) {
    fleet.turn();
    const auto now = Clock::now();
    if (now >= next_mention) {
      fleet.mention(static_cast<int>(random.next() % 1000));
      next_mention += profile.mention_every;
    }
    for (; next != schedule.end() && begin + next->at <= now; ++next)
      fleet.befall(*next);
  }
}

/// False when the limit of G31 passes first.
bool settle(Fleet& fleet) {
  fleet.forgive();
  const auto end = Clock::now() + 30s;
  for (auto look = Clock::now(); Clock::now() < end;) {
    fleet.turn();
    if (Clock::now() < look) continue;
    if (fleet.settled()) return true;
    look = Clock::now() + 300ms;
  }
  return false;
}

int run(const Wish& wish) {
  auto profile = profile_named(wish.profile);
  if (wish.duration > 0) profile.duration = std::chrono::seconds(wish.duration);
  const auto schedule = wish.replay_file.empty() ? make_schedule(profile, wish.seed)
                                                 : schedule_of(read_json(wish.replay_file));
  Fleet fleet(profile.runners, 12);
  fleet.start();
  run_schedule(fleet, profile, schedule, wish.seed);
  const bool at_rest = settle(fleet);
  auto ledger = fleet.ledger();
  if (!at_rest) ledger.leftovers.push_back("not at rest 30 s after the last fault");
  fleet.stop_all(ledger.leftovers);
  const auto verdict = check(ledger);
  const auto result = result_of(wish, verdict, fleet);
  std::printf("%s\n", to_pretty_json(result).c_str());
  if (!wish.json_file.empty()) write_json(wish.json_file, result);
  if (verdict.holds()) {
    std::printf("chaos: all holds (seed %llu)\n", static_cast<unsigned long long>(wish.seed));
    return 0;
  }
  fleet.save_logs(wish.keep);
  write_json(wish.keep + "/schedule.json", to_value(schedule));
  for (const auto& line : verdict.complaints)
    std::printf("chaos: %s\n", line.c_str());
  int shown = 0;
  for (const auto& mention : ledger.mentions) {
    if (mention.answers == 1 && mention.read) continue;
    if (++shown > 5) break;
    std::printf("---- %s: log lines that name its post\n", mention.token.c_str());
    for (const auto& line : fleet.timeline(mention.post))
      std::printf("%s\n", line.c_str());
  }
  std::printf("chaos: FAILED with seed %llu; logs and schedule in %s\n",
              static_cast<unsigned long long>(wish.seed), wish.keep.c_str());
  return 1;
}

}  // namespace
}  // namespace botburrow::chaos

int main(int count, char** words) {
  try {
    return botburrow::chaos::run(botburrow::chaos::wish_of(count, words));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bb_chaos: %s\n", error.what());
    return 70;
  }
}
