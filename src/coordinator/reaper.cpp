#include "coordinator/reaper.hpp"

#include "base/error.hpp"
#include "net/redis.hpp"

namespace botburrow::coordinator {
namespace {

using namespace std::chrono_literals;

constexpr auto kPeriod = 1s;
constexpr int kRoundsOfFullSweep = 15;

}  // namespace

Reaper::Reaper(queue::WorkQueue& queue, net::Redis& redis, std::int64_t epoch,
               int crash_attempts_max, Clock& clock, LoopTicks& ticks, Log log,
               std::function<void()> deposed)
    : queue_(queue),
      redis_(redis),
      epoch_(epoch),
      crash_attempts_max_(crash_attempts_max),
      clock_(clock),
      ticks_(ticks),
      log_(std::move(log)),
      deposed_(std::move(deposed)),
      trouble_(30s) {}

Task<> Reaper::reap_once() {
  const auto before = redis_.connections();
  const auto leases = co_await queue_.leases();
  // Nobody could renew while Redis was away: time anew. A reconnect while the answer was waited for
  // counts as well.
  if (connection_ != redis_.connections() || before != redis_.connections()) watch_.reset();
  connection_ = redis_.connections();
  // The time of the answer, not of the question: a value is at least as old as its answer, and the
  // reap itself comes later and only where the value is still the same. So whatever stood still in
  // between did so for the whole lease.
  for (const auto& lease : watch_.expired(leases, clock_.now())) {
    co_await queue_.reap(
        {.epoch = epoch_, .lease = lease, .crash_attempts_max = crash_attempts_max_});
  }
}

Task<> Reaper::reap_loop() {
  for (;;) {
    ticks_.tick("reaper", kPeriod * 10, clock_.now());
    try {
      co_await reap_once();
    } catch (const Error& error) {
      watch_.reset();
      if (trouble_.allow(clock_.now()))
        log_.warning("health_check_error", {{"error", error.message()}});
    }
    co_await sleep_for(kPeriod);
  }
}

Task<> Reaper::sweep_loop() {
  for (int round = 0;; ++round) {
    ticks_.tick("sweep", kPeriod * 10, clock_.now());
    try {
      const auto counts = co_await queue_.sweep(epoch_, round % kRoundsOfFullSweep == 0);
      if (counts.stale_leader) deposed_();
    } catch (const Error& error) {
      if (trouble_.allow(clock_.now()))
        log_.warning("health_check_error", {{"error", error.message()}});
    }
    co_await sleep_for(kPeriod);
  }
}

}  // namespace botburrow::coordinator
