#pragma once

#include "base/log.hpp"
#include "base/time.hpp"
#include "queue/metrics.hpp"
#include "queue/work_queue.hpp"

#include <memory>

namespace botburrow::net {
class Redis;
}

namespace botburrow::queue {

/// The queue in Redis: each transition one script of scripts/, one round trip.
class RedisWorkQueue final : public WorkQueue {
 public:
  struct Options {
    /// QUEUE_MAX_WAIT: an item that waited longer is taken first; 0 = off.
    std::chrono::seconds max_wait{600};
    /// One call including its repeats.
    std::chrono::milliseconds call_timeout{5000};
    /// METRICS_PER_AGENT.
    bool metrics_per_agent = true;
  };

  /// `commands` carries the scripts; `waits` only blocking waits (its command time-out must be
  /// above a second). Both outlive the queue. `metrics` may be null.
  RedisWorkQueue(net::Redis& commands, net::Redis& waits, Clock& clock, Log log, Metrics* metrics,
                 Options options);
  ~RedisWorkQueue() override;

  Task<std::vector<EnqueueResult>> enqueue(std::vector<WorkItem> items,
                                           EnqueueOptions options) override;
  Task<std::optional<Claim>> claim(ClaimRequest request) override;
  Task<bool> wait_for_work(RunnerMode mode, std::chrono::milliseconds up_to) override;
  Task<std::vector<RenewOutcome>> renew(std::vector<LeaseRef> leases) override;
  Task<CompleteAnswer> complete(Completion completion) override;
  Task<bool> hand_back(HandBack hand_back) override;
  Task<std::vector<LeaseSeen>> leases() override;
  Task<ReapResult> reap(ReapRequest request) override;
  Task<SweepCounts> sweep(std::int64_t epoch, bool full) override;
  Task<GenerationSeen> generation() override;
  Task<bool> set_generation(std::int64_t epoch, std::string old_raw, Generation next) override;
  Task<std::vector<OutboxEntry>> outbox(std::size_t count) override;
  Task<> put_outbox(OutboxEntry entry) override;
  Task<> remove_outbox(std::string key) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace botburrow::queue
