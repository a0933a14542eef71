#include "runner/lease_keeper.hpp"

#include "base/error.hpp"

#include <algorithm>
#include <vector>

namespace botburrow::runner {
namespace {

using namespace std::chrono_literals;

constexpr auto kFencePauseMax = 1s;

}  // namespace

HeldLease::HeldLease(boost::asio::any_io_executor executor, const queue::Claim& claim, Instant sent)
    : ref_(queue::ref_of(claim)), lease_(claim.lease), stop_(std::move(executor)) {
  trusted_until_ = sent + std::chrono::nanoseconds(lease_) * 7 / 10;
}

void HeldLease::stop(StopReason reason) {
  if (reason_) return;
  reason_ = reason;
  stop_.stop();
}

void HeldLease::renewed(Instant sent) {
  trusted_until_ = std::max(trusted_until_, sent + std::chrono::nanoseconds(lease_) * 7 / 10);
}

LeaseKeeper::LeaseKeeper(boost::asio::any_io_executor executor, std::chrono::milliseconds lease,
                         queue::WorkQueue& queue, Clock& clock, LoopTicks& ticks, Log log)
    : executor_(std::move(executor)),
      lease_(lease),
      queue_(queue),
      clock_(clock),
      ticks_(ticks),
      log_(std::move(log)),
      trouble_(10s) {}

std::shared_ptr<HeldLease> LeaseKeeper::hold(const queue::Claim& claim, Instant sent) {
  auto lease = std::make_shared<HeldLease>(executor_, claim, sent);
  held_[claim.activation_id] = lease;
  return lease;
}

void LeaseKeeper::release(const ActivationId& id) {
  held_.erase(id);
}

void LeaseKeeper::stop_all(StopReason reason) {
  const auto all = held_;
  for (const auto& [id, lease] : all)
    lease->stop(reason);
}

Task<> LeaseKeeper::renew_once() {
  std::vector<std::shared_ptr<HeldLease>> leases;
  std::vector<queue::LeaseRef> refs;
  for (const auto& [id, lease] : held_) {
    // One that was lost is nobody's business; a fenced or draining one is still ours to give back.
    if (lease->stop_reason() == StopReason::lost) continue;
    leases.push_back(lease);
    refs.push_back(lease->ref());
  }
  if (refs.empty()) co_return;
  const auto sent = clock_.now();
  const auto outcomes = co_await queue_.renew(std::move(refs));
  for (std::size_t i = 0; i < leases.size() && i < outcomes.size(); ++i) {
    switch (outcomes[i]) {
      case queue::RenewOutcome::renewed:
        leases[i]->renewed(sent);
        break;
      case queue::RenewOutcome::cancelled:
        leases[i]->stop(StopReason::cancelled);
        break;
      case queue::RenewOutcome::lost:
        leases[i]->stop(StopReason::lost);
        break;
    }
  }
}

Task<> LeaseKeeper::renew_loop() {
  for (;;) {
    ticks_.tick("renew", 10s, clock_.now());
    co_await sleep_for(lease_ / 5);
    try {
      co_await renew_once();
    } catch (...) {
      const auto failure = std::current_exception();
      if (is_cancellation(failure)) throw;
      if (trouble_.allow(clock_.now()))
        log_.warning("lease_renewal_failed",
                     {{"error", describe(failure)}, {"leases", held_.size()}});
    }
  }
}

Task<> LeaseKeeper::fence_loop() {
  for (;;) {
    const auto now = clock_.now();
    // A lease taken meanwhile is trusted for longer than this.
    const auto longest = std::min<std::chrono::nanoseconds>(kFencePauseMax, lease_ / 2);
    auto next = now + longest;
    const auto all = held_;
    for (const auto& [id, lease] : all) {
      if (lease->stop_reason()) continue;
      if (!lease->trusted(now)) {
        log_.warning("lease_trust_ended",
                     {{"activation_id", id.str()}, {"agent_id", lease->ref().agent_id.str()}});
        lease->stop(StopReason::fenced);
      } else {
        next = std::min(next, lease->trusted_until());
      }
    }
    co_await sleep_for(std::clamp<std::chrono::nanoseconds>(next - now, 1ms, longest));
  }
}

}  // namespace botburrow::runner
