#include "cli/doctor/facts.hpp"

#include <algorithm>
#include <cstdint>

namespace botburrow::cli::doctor {
namespace {

constexpr double kHeartbeatOld = 30;
constexpr double kWaitMax = 60;

}  // namespace

bool is_led(const Facts& facts) {
  return facts.queue.term_held && facts.queue.term_moves;
}

std::optional<Polls> polls_of_leader(const Facts& facts) {
  for (const auto& service : facts.services) {
    const auto value = [&](const char* name) {
      const auto at = service.metrics.find(name);
      return at == service.metrics.end() ? 0.0 : at->second;
    };
    if (value("botburrow_coordinator_is_leader") > 0)
      return Polls{.fine = value("polls_fine"), .failed = value("polls_failed")};
  }
  return std::nullopt;
}

bool has_runner(const Facts& facts) {
  return std::ranges::any_of(facts.queue.runners, [](const queue::Heartbeat& beat) {
    return beat.status != queue::RunnerStatus::draining;
  });
}

std::optional<double> overdue(const Facts& facts, const queue::Heartbeat& beat) {
  const double age = facts.queue.snapshot.server_time - to_unix(beat.timestamp);
  return age > kHeartbeatOld ? std::optional(age) : std::nullopt;
}

double oldest_wait(const Facts& facts) {
  const auto& s = facts.queue.snapshot;
  return std::max(
      {s.high.oldest_age_seconds, s.normal.oldest_age_seconds, s.low.oldest_age_seconds});
}

bool is_saturated(const Facts& facts) {
  std::int64_t active = 0, slots = 0;
  for (const auto& beat : facts.queue.runners) {
    active += beat.active;
    slots += beat.capacity;
  }
  const auto& s = facts.queue.snapshot;
  const auto waiting = s.high.length + s.normal.length + s.low.length;
  return slots > 0 && active >= slots && waiting > 0 && oldest_wait(facts) > kWaitMax;
}

}  // namespace botburrow::cli::doctor
