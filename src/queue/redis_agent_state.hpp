#pragma once

#include "base/log.hpp"
#include "queue/agent_state.hpp"

namespace botburrow {
class Metrics;
class MetricValue;
}  // namespace botburrow
namespace botburrow::net {
class Redis;
}

namespace botburrow::queue {

class RedisAgentState final : public AgentState {
 public:
  /// With `metrics` a notification that is given up counts as a dead letter.
  RedisAgentState(net::Redis& redis, Log log, Metrics* metrics = nullptr);

  Task<UsageAnswer> charge(AgentId agent, Usage amount, UsageLimits limits, WallTime at) override;
  Task<UsageAnswer> usage(AgentId agent, WallTime at) override;
  Task<std::chrono::milliseconds> take_action_slot(AgentId agent, std::chrono::seconds min_interval,
                                                   WallTime at) override;
  Task<std::chrono::milliseconds> action_wait(AgentId agent) override;
  Task<> release_action_slot(AgentId agent) override;
  Task<std::int64_t> begin_notification(AgentId agent, std::string notification_id) override;
  Task<> forget_tries(AgentId agent, std::string notification_id) override;
  Task<std::optional<std::string>> find_handled(AgentId agent,
                                                std::string notification_id) override;
  Task<> set_handled(AgentId agent, std::string notification_id, std::string comment_id) override;
  Task<std::optional<WallTime>> last_discovery(AgentId agent) override;
  Task<> set_last_discovery(AgentId agent, WallTime at) override;
  Task<> bury_notification(AgentId agent, std::string agent_name, std::string notification_id,
                           std::string reason, std::int64_t tries) override;

 private:
  net::Redis& redis_;
  Log log_;
  MetricValue* dead_ = nullptr;  ///< botburrow_work_dead_total
};

}  // namespace botburrow::queue
