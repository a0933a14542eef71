#pragma once

#include "base/log.hpp"
#include "base/loop_ticks.hpp"
#include "base/task.hpp"
#include "hubapi/client.hpp"
#include "queue/work_queue.hpp"

#include <chrono>
#include <optional>
#include <set>
#include <string>

namespace botburrow::runner {

/// What the Hub is told after an activation: what it spent (from `work:outbox`, never lost, never
/// counted twice), and that it ran. Works beside the activations, so that a slow Hub holds up no
/// slot.
class Reports {
 public:
  /// `period` of looking for what is left in the outbox.
  Reports(boost::asio::any_io_executor executor, queue::WorkQueue& queue, hubapi::HubClient& hub,
          Log log, std::chrono::milliseconds period = std::chrono::seconds(10));

  /// `entry` is in the outbox already: this is its first try. `activated` stamps the agent.
  void after_activation(AgentId agent, std::optional<queue::OutboxEntry> entry, bool activated);
  /// `entry` could not go into the outbox with the end of its claim: puts it there first, if it
  /// can.
  void rescue(queue::OutboxEntry entry);
  /// Sends what is left in the outbox by any runner, once it was there for a whole period; runs
  /// until cancelled.
  Task<> outbox_loop(LoopTicks& ticks, Clock& clock);
  /// Gives what is under way up to `grace`, then cancels it: the outbox keeps it.
  Task<> flush(std::chrono::nanoseconds grace);

 private:
  Task<> send(queue::OutboxEntry entry);
  Task<> put_and_send(queue::OutboxEntry entry);
  Task<> stamp(AgentId agent);
  Task<> outbox_round(LoopTicks& ticks, Clock& clock);
  void tick(LoopTicks& ticks, Clock& clock) const;
  Task<> report(AgentId agent, std::optional<queue::OutboxEntry> entry, bool activated);
  Task<> until_idle();

  queue::WorkQueue& queue_;
  hubapi::HubClient& hub_;
  Log log_;
  std::chrono::milliseconds period_;
  std::set<std::string> sending_;  // keys under way here
  std::set<std::string> left_;     // keys seen in the last round
  TaskGroup tasks_;
};

}  // namespace botburrow::runner
