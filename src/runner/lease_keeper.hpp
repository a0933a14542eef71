#pragma once

#include "base/log.hpp"
#include "base/loop_ticks.hpp"
#include "base/stop.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "queue/work_queue.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <unordered_map>

namespace botburrow::runner {

/// Why a running activation was told to end.
enum class StopReason {
  cancelled,  ///< an operator deleted `activation:{id}`
  lost,       ///< the lease is somebody else's: change nothing
  fenced,     ///< trust in the lease ended: hand back once Redis answers, if it is still ours
  drain,      ///< this runner shuts down: hand back
};

/// One lease that this process holds.
class HeldLease {
 public:
  HeldLease(boost::asio::any_io_executor executor, const queue::Claim& claim, Instant sent);

  /// Whether effects are still allowed: 70 % of the lease from the last good renewal's sending.
  bool trusted(Instant now) const { return !reason_ && now < trusted_until_; }
  Instant trusted_until() const { return trusted_until_; }
  /// The first reason stays.
  void stop(StopReason reason);
  std::optional<StopReason> stop_reason() const { return reason_; }
  StopSource& stop_source() { return stop_; }
  const queue::LeaseRef& ref() const { return ref_; }
  std::chrono::milliseconds lease() const { return lease_; }
  void renewed(Instant sent);

 private:
  queue::LeaseRef ref_;
  std::chrono::milliseconds lease_;
  Instant trusted_until_;
  std::optional<StopReason> reason_;
  StopSource stop_;
};

/// Keeps the leases of all running activations alive, several in one call, every fifth of a lease.
///
/// Trust counts from the moment a renewal was *sent*: a slow reply never stretches it. When trust
/// ends, the activation is told to stop before another runner can be given the item.
class LeaseKeeper {
 public:
  /// `lease` is the length of the leases that will be held.
  LeaseKeeper(boost::asio::any_io_executor executor, std::chrono::milliseconds lease,
              queue::WorkQueue& queue, Clock& clock, LoopTicks& ticks, Log log);

  /// `sent` = when the call that took the claim was sent.
  std::shared_ptr<HeldLease> hold(const queue::Claim& claim, Instant sent);
  void release(const ActivationId& id);
  std::size_t held() const { return held_.size(); }
  void stop_all(StopReason reason);

  /// The two loops; each runs until cancelled.
  Task<> renew_loop();
  Task<> fence_loop();

 private:
  Task<> renew_once();

  boost::asio::any_io_executor executor_;
  std::chrono::milliseconds lease_;
  queue::WorkQueue& queue_;
  Clock& clock_;
  LoopTicks& ticks_;
  Log log_;
  LogThrottle trouble_;
  std::unordered_map<ActivationId, std::shared_ptr<HeldLease>> held_;
};

}  // namespace botburrow::runner
