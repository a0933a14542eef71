// bb_chaos: see docs/chaos.md.

#include "base/random.hpp"
#include "tests/chaos/program/fleet.hpp"
#include "tests/chaos/program/sweep.hpp"
#include "tests/chaos/program/wish.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <utility>

namespace botburrow::chaos {
namespace {

using namespace std::chrono_literals;

void write_json(const std::string& path, const json::value& value) {
  std::ofstream file(path);
  file << to_pretty_json(value) << '\n';
  if (!file.flush()) throw std::runtime_error(path + ": cannot be written");
}

json::object shares(std::vector<double> all) {
  std::ranges::sort(all);
  const auto share = [&](double part) -> json::value {
    if (all.empty()) return nullptr;
    const auto at = static_cast<std::size_t>(part * static_cast<double>(all.size()));
    return all[std::min(all.size() - 1, at)];
  };
  return {{"count", all.size()}, {"p50", share(0.5)}, {"p99", share(0.99)}, {"max", share(1)}};
}

/// Of the items' first crashes, or of the later ones: those are put off for 5 s.
std::vector<double> recoveries_of(const Fleet& fleet, bool first) {
  std::vector<double> seconds;
  for (const auto& one : fleet.recoveries().all())
    if ((one.crashes <= 1) == first) seconds.push_back(one.seconds);
  return seconds;
}

json::object result_of(const Wish& wish, const Verdict& verdict, const Fleet& fleet) {
  const auto count = [&](const char* kind) {
    const auto found = fleet.befallen().find(kind);
    return found == fleet.befallen().end() ? 0 : found->second;
  };
  json::object faults;
  for (const auto& [kind, times] : fleet.befallen())
    faults[kind] = times;
  const auto& failovers = fleet.failovers();
  return {{"seed", wish.seed},
          {"profile", wish.profile},
          {"notifications", verdict.notifications},
          {"answered", verdict.answered},
          {"skipped", verdict.skipped},
          {"dead", verdict.dead},
          {"lost", verdict.lost},
          {"doubled", verdict.doubled},
          {"stale_accepted", verdict.stale_accepted},
          {"stale_refused", verdict.stale_refused},
          {"writes", verdict.writes},
          {"census_closed", verdict.census_closed},
          {"kills", count("runner_kill") + count("writes_held") + count("poisoned")},
          {"leader_kills", count("leaders_killed")},
          {"redis_restarts", count("redis_restart") + count("redis_down")},
          {"hub_restarts", count("hub_restart")},
          {"freezes", count("runner_freeze") + count("leader_freeze") + count("redis_freeze") +
                          count("hub_freeze")},
          {"drains", count("runner_drain") + count("leaders_drained")},
          {"clock_jumps", count("clock_jump")},
          {"model_calls", verdict.model_calls},
          {"model_calls_per_notification",
           verdict.notifications == 0
               ? 0.0
               : static_cast<double>(verdict.model_calls) / verdict.notifications},
          {"recovery", shares(recoveries_of(fleet, true))},
          {"recovery_of_later_crashes", shares(recoveries_of(fleet, false))},
          {"leader_killed",
           {{"elected", shares(failovers.elected("kill"))},
            {"acted", shares(failovers.acted("kill"))}}},
          {"leader_drained",
           {{"elected", shares(failovers.elected("term"))},
            {"acted", shares(failovers.acted("term"))}}},
          {"redis_ready", shares(failovers.redis_ready())},
          {"faults", std::move(faults)}};
}

void run_schedule(Fleet& fleet, const Profile& profile, const std::vector<Fault>& schedule,
                  std::uint64_t seed) {
  SeededRandom random(seed * 31 + 7);
  const auto begin = Clock::now();
  auto next_mention = begin;
  auto next_poison = begin + profile.poison_every;
  auto next = schedule.begin();
  while (Clock::now() - begin < profile.duration) {
    fleet.turn();
    const auto now = Clock::now();
    if (now >= next_mention) {
      fleet.mention(static_cast<int>(random.next() % 1000));
      next_mention += profile.mention_every;
    }
    if (profile.poison_every.count() > 0 && now >= next_poison) {
      fleet.mention_poisoned();
      next_poison += profile.poison_every;
    }
    for (; next != schedule.end() && begin + next->at <= now; ++next)
      fleet.befall(*next);
  }
}

/// False when the limit passes first.
bool wait_for(Fleet& fleet, bool (Fleet::*rest)(), std::chrono::seconds limit) {
  const auto end = Clock::now() + limit;
  for (auto look = Clock::now(); Clock::now() < end;) {
    fleet.turn();
    if (Clock::now() < look) continue;
    if ((fleet.*rest)()) return true;
    look = Clock::now() + 300ms;
  }
  return false;
}

/// Guarantee G31: nothing is stuck 30 s after the last fault. Mentions that stand in line behind
/// others of their agent are not: they are waited for as long as each 30 s bring a further answer,
/// for five minutes at most.
bool come_to_rest(Fleet& fleet) {
  const auto end = Clock::now() + 300s;
  for (auto written = fleet.accepted_writes().size(); Clock::now() < end;) {
    if (wait_for(fleet, &Fleet::settled, 30s)) return true;
    const auto before = std::exchange(written, fleet.accepted_writes().size());
    if (written == before) return false;
  }
  return false;
}

/// What is not over in time, in words. Reports of tokens spent by the dead are sent by others, in
/// rounds of 10 s that leave young ones alone.
std::vector<std::string> settle(Fleet& fleet) {
  std::vector<std::string> late;
  fleet.forgive();
  if (!come_to_rest(fleet)) late.emplace_back("not at rest 30 s after the last fault");
  if (!wait_for(fleet, &Fleet::reported, 60s))
    late.emplace_back("reports are not sent after 60 s more");
  return late;
}

void keep_run(const Wish& wish, const Fleet& fleet, const std::vector<Fault>& schedule) {
  fleet.save_logs(wish.keep);
  write_json(wish.keep + "/schedule.json", to_value(schedule));
}

void tell_failure(const Wish& wish, const Fleet& fleet, const Ledger& ledger,
                  const Verdict& verdict) {
  for (const auto& line : verdict.complaints)
    std::printf("chaos: %s\n", line.c_str());
  int shown = 0;
  for (const auto& mention : ledger.mentions) {
    if (mention.poison || (mention.answers == 1 && mention.read)) continue;
    if (++shown > 5) break;
    std::printf("---- %s: log lines that name its post\n", mention.token.c_str());
    for (const auto& line : fleet.timeline(mention.post))
      std::printf("%s\n", line.c_str());
  }
  std::printf("chaos: FAILED with seed %llu; logs and schedule in %s\n",
              static_cast<unsigned long long>(wish.seed), wish.keep.c_str());
}

/// What a sweep covered, in the words of docs/chaos.md.
json::object coverage_of(const Sweep& sweep) {
  json::object all;
  for (const auto& [at, count] : sweep.counts()) {
    const auto* name = at == Sweep::At::piece_lost     ? "piece_lost"
                       : at == Sweep::At::piece_passed ? "piece_passed"
                                                       : "syscall";
    all[name] = {{"length", count.length},
                 {"points", count.points},
                 {"covered", count.covered},
                 {"passed_by", count.passed_by}};
  }
  all["syscall_stride"] = sweep.stride();
  return all;
}

/// Waits for rest, asks for the ledger, tells what came of it.
int conclude(const Wish& wish, Fleet& fleet, const std::vector<Fault>& schedule,
             std::vector<std::string> complaints, json::object more) {
  for (auto& late : settle(fleet))
    complaints.push_back(std::move(late));
  auto ledger = fleet.ledger();
  ledger.leftovers.insert(ledger.leftovers.end(), complaints.begin(), complaints.end());
  fleet.stop_all(ledger.leftovers);
  const auto verdict = check(ledger);
  auto result = result_of(wish, verdict, fleet);
  for (auto& [name, value] : more)
    result[name] = std::move(value);
  std::printf("%s\n", to_pretty_json(result).c_str());
  if (!wish.json_file.empty()) write_json(wish.json_file, result);
  if (wish.keep_always || !verdict.holds()) keep_run(wish, fleet, schedule);
  if (!verdict.holds()) {
    tell_failure(wish, fleet, ledger, verdict);
    return 1;
  }
  std::printf("chaos: all holds (seed %llu)\n", static_cast<unsigned long long>(wish.seed));
  return 0;
}

int run_sweep(const Wish& wish, const Profile& profile) {
  Sweep sweep(profile, wish.programs, wish.stride);
  sweep.start();
  std::vector<std::string> complaints;
  if (!sweep.run(std::chrono::duration_cast<std::chrono::seconds>(profile.duration)))
    complaints.emplace_back(
        "the sweep did not come to its end in time; give it a longer --duration");
  return conclude(wish, sweep, {}, std::move(complaints), {{"sweep", coverage_of(sweep)}});
}

int run(const Wish& wish) {
  auto profile = profile_named(wish.profile);
  if (wish.duration > 0) profile.duration = std::chrono::seconds(wish.duration);
  if (profile.name == "sweep") return run_sweep(wish, profile);
  const auto schedule = wish.replay_file.empty() ? make_schedule(profile, wish.seed)
                                                 : schedule_of(read_json(wish.replay_file));
  Fleet fleet(profile, wish.programs);
  fleet.start();
  run_schedule(fleet, profile, schedule, wish.seed);
  return conclude(wish, fleet, schedule, {}, {});
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
