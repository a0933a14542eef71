#include "tests/chaos/program/sweep.hpp"

#include <fmt/format.h>

#include <signal.h>

#include <algorithm>

namespace botburrow::chaos {

using namespace std::chrono_literals;

namespace {

constexpr int kProbes = 12;
constexpr int kSyscallPoints = 100;
constexpr int kTriesMax = 3;
/// An agent whose work was not seen for so long has none.
constexpr auto kIdleAfter = 500ms;
constexpr auto kUnseenMax = 2s;

/// The agent of the claim that a reply of Redis brings; empty where it brings none.
std::string claimed_agent(std::string_view reply) {
  const auto lane = reply.find("\r\nwork:queue:");
  if (lane == std::string_view::npos) return "";
  const auto agent = reply.find("\r\nagent", lane);
  if (agent == std::string_view::npos) return "";
  const auto begin = agent + 2;
  return std::string(reply.substr(begin, reply.find('\r', begin) - begin));
}

}  // namespace

Sweep::Sweep(Profile profile, Programs programs, int stride)
    : Fleet(std::move(profile), std::move(programs)), stride_(stride) {}

void Sweep::make_victims() {
  for (auto& runner : runners()) {
    auto victim = std::make_unique<Victim>();
    victim->service = &runner;
    victim->counters =
        std::make_unique<MappedFile<SyscallCounters>>(folder_.file(runner.name + ".counters"));
    runner.launcher = {programs_.syscall_killer, victim->counters->path()};
    auto* it = victim.get();
    const auto tap = [this, it](bool redis) {
      return [this, it, redis](std::size_t, test::Way way, std::string_view bytes) {
        return piece(*it, redis, way, bytes);
      };
    };
    runner.redis->tap(tap(true));
    runner.hub->tap(tap(false));
    runner.model->tap(tap(false));
    launch(runner);  // again, and now under the killer
    victims_.push_back(std::move(victim));
  }
}

bool Sweep::run(std::chrono::seconds limit) {
  const auto end = Clock::now() + limit;
  make_victims();
  for (int n = 0; n < kProbes; ++n)
    points_.push_back({.is_probe = true});
  const auto until_done = [&] {
    while (!done() && Clock::now() < end) {
      turn();
      for (auto& victim : victims_)
        look_after(*victim);
      mention_free_agents();
    }
    return done();
  };
  if (!until_done()) return false;
  plan();
  return until_done();
}

bool Sweep::done() const {
  return points_.empty() && std::ranges::none_of(victims_, [](const auto& victim) {
           return victim->point.has_value();
         });
}

void Sweep::plan() {
  for (const auto at : {At::piece_lost, At::piece_passed, At::syscall}) {
    auto& count = counts_[at];
    if (at == At::piece_passed) count.length = counts_[At::piece_lost].length;
    if (at == At::syscall && stride_ == 0)
      stride_ = std::max(1, (count.length + kSyscallPoints - 1) / kSyscallPoints);
    const int step = at == At::syscall ? stride_ : 1;
    for (int index = 0; index < count.length; index += step) {
      points_.push_back({.at = at, .index = index});
      ++count.points;
    }
  }
}

// As many as there are runners to aim at, on agents that have nothing else to do.
void Sweep::mention_free_agents() {
  const auto now = Clock::now();
  for (const auto& [agent, claim] : sample().held)
    busy_[agent] = now;
  for (const auto& agent : sample().waiting_agents)
    busy_[agent] = now;
  const auto wanted = static_cast<std::size_t>(std::ranges::count_if(
      victims_, [](const auto& victim) { return victim->point && victim->agent.empty(); }));
  for (const auto& agent : agents_) {
    if (fresh_.size() >= wanted) return;
    if (fresh_.contains(agent) || now - busy_[agent] < kIdleAfter) continue;
    fresh_.insert(agent);
    busy_[agent] = now;
    mention(agent);
    return;  // one a turn: the Hub answers while everything waits
  }
}

void Sweep::take_aim(Victim& victim) {
  victim.point = points_.front();
  points_.pop_front();
  victim.agent.clear();
  victim.seen_held = false;
  (*victim.counters)->armed = 0;
}

void Sweep::look_after(Victim& victim) {
  if (!victim.service->runs()) {
    if (victim.point && !victim.agent.empty()) end_of(victim);
    return;
  }
  if (!victim.point) {
    if (!points_.empty()) take_aim(victim);
    return;
  }
  if (victim.agent.empty()) return;
  // Whether its activation has ended without coming to the point.
  const auto held = sample().held.find(victim.agent);
  const bool holds = held != sample().held.end() && held->second.runner == victim.service->name;
  if (holds) victim.seen_held = true;
  // One that was over between two looks was never seen.
  const bool over = victim.seen_held || Clock::now() - victim.since > kUnseenMax;
  if (!holds && over) end_of(victim);
}

void Sweep::end_of(Victim& victim) {
  auto point = *victim.point;
  auto& counters = **victim.counters;
  counters.armed = 0;
  // Its death may not have come to our ears yet.
  const bool died =
      victim.shot || (point.at == At::syscall && !point.is_probe && counters.left <= 0);
  if (!died) victim.service->asked = Service::End::none;
  victim.point.reset();
  victim.agent.clear();
  if (point.is_probe) {
    auto& pieces = counts_[At::piece_lost].length;
    auto& stops = counts_[At::syscall].length;
    pieces = std::max(pieces, victim.pieces);
    stops = std::max(stops, static_cast<int>(counters.seen));
  } else if (died) {
    ++counts_[point.at].covered;
  } else if (++point.tried < kTriesMax) {
    points_.push_back(point);
  } else {
    ++counts_[point.at].passed_by;
  }
}

void Sweep::claimed(Victim& victim, const std::string& agent) {
  if (fresh_.erase(agent) == 0 || !victim.point || !victim.agent.empty()) return;
  victim.agent = agent;
  victim.since = Clock::now();
  victim.seen_held = false;
  victim.pieces = 0;
  victim.shot = false;
  auto& counters = **victim.counters;
  counters.seen = 0;
  const bool aims = victim.point->at == At::syscall && !victim.point->is_probe;
  counters.left = aims ? victim.point->index + 1 : -1;
  // From here on its death is ours.
  if (!victim.point->is_probe) victim.service->asked = Service::End::killed;
  counters.armed = aims || victim.point->is_probe ? 1 : 0;
}

test::Fate Sweep::piece(Victim& victim, bool from_redis, test::Way way, std::string_view bytes) {
  if (from_redis && way == test::Way::back) {
    if (const auto agent = claimed_agent(bytes); !agent.empty()) claimed(victim, agent);
  }
  if (!victim.point || victim.agent.empty()) return {};
  const int index = victim.pieces++;
  const auto& point = *victim.point;
  if (point.is_probe || point.at == At::syscall || index != point.index) return {};
  victim.shot = true;
  victim.service->program->signal(SIGKILL);
  return {.cut = point.at == At::piece_lost};
}

}  // namespace botburrow::chaos
