#pragma once

#include "agent/activation.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "base/stop.hpp"
#include "base/task.hpp"
#include "queue/work_queue.hpp"
#include "runner/lease_keeper.hpp"
#include "runner/metrics.hpp"
#include "runner/reports.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace botburrow::runner {

/// How a run came to its end, as far as the supervisor can see.
struct RunEnd {
  BoundedEnd bound = BoundedEnd::done;
  std::optional<agent::Ending> ending;    ///< what the activation said, if it came to say something
  std::optional<StopReason> stop_reason;  ///< why it was told to stop
  std::string failure;                    ///< of an exception that nobody expected
  std::chrono::seconds timeout{0};
};

/// The rule: how the claim ends.
agent::Ending decide_ending(const RunEnd& end);

/// The result record of an activation.
queue::ActivationResult result_of(const agent::Ending& ending, const agent::Tally& tally,
                                  const queue::Claim& claim, double duration_seconds, WallTime now);

/// Runs one claimed item to its end and settles its claim exactly once.
class Supervisor {
 public:
  struct Parts {
    queue::WorkQueue& queue;
    agent::ActivationServices activation;
    const agent::ActivationSettings& settings;
    LeaseKeeper& keeper;
    Reports& reports;
    RunnerMetrics& metrics;
    Random& random;
  };
  struct Options {
    RunnerId runner_id;
    std::chrono::seconds activation_timeout{600};
    bool metrics_per_agent = true;
  };
  Supervisor(Parts parts, Options options, Log log);

  struct Settled {
    agent::Ending ending;
    agent::Tally tally;
    std::optional<queue::Claim> next;  ///< claimed in the round trip that completed this one
    std::shared_ptr<HeldLease> lease;  ///< of `next`
  };
  /// `next_request` is asked when the claim is about to be completed: what it gives is claimed in
  /// the same round trip.
  Task<Settled> run(queue::Claim claim, std::shared_ptr<HeldLease> lease,
                    std::function<std::optional<queue::ClaimRequest>()> next_request);
  /// Gives back an item that was not begun.
  Task<> give_back(queue::Claim claim, std::shared_ptr<HeldLease> lease,
                   queue::HandBackReason reason);
  /// From now on settling gives up sooner: leases cover the rest.
  void drain() { draining_ = true; }

 private:
  Task<RunEnd> run_bounded_activation(agent::Activation& activation, HeldLease& lease);
  Task<Settled> settle(agent::Ending ending, agent::Activation& activation,
                       std::shared_ptr<HeldLease> lease, double seconds,
                       std::function<std::optional<queue::ClaimRequest>()> next_request, Log log);
  struct Next {
    std::optional<queue::Claim> claim;
    std::shared_ptr<HeldLease> lease;
  };
  struct Completed {
    bool ours = false;  ///< false: the lease had ended, or an earlier try was applied
    Next next;
  };
  Task<Completed> complete(queue::Completion completion, std::string begun, Log log);
  /// `begun`: the notification whose try must not count, or empty.
  Task<bool> hand_back(queue::HandBack hand_back, std::string begun, Log log);
  Task<> forget_try(const AgentId& agent, std::string& begun);
  Task<> pause_before_retry(int tried);
  bool give_up(Instant begun) const;
  void report_dead(const agent::UnreportedRun& run, const queue::Claim& claim, const Log& log);
  void count_spending(const agent::Tally& tally, const queue::Claim& claim);
  void count(const agent::Ending& ending, const agent::Tally& tally, const queue::Claim& claim,
             double seconds);
  std::optional<queue::OutboxEntry> consumption_of(const agent::Tally& tally,
                                                   const queue::Claim& claim, double seconds) const;

  Parts parts_;
  Options options_;
  Log log_;
  bool draining_ = false;
};

}  // namespace botburrow::runner
