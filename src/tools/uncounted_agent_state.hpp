#pragma once

#include "queue/agent_state.hpp"

namespace botburrow::tools {

/// Counts nothing and refuses nothing: for a writer that has no Redis, and whose limits are the
/// Hub's own.
class UncountedAgentState final : public queue::AgentState {
 public:
  Task<queue::UsageAnswer> charge(AgentId, queue::Usage, queue::UsageLimits, WallTime) override {
    co_return queue::UsageAnswer{};
  }
  Task<queue::UsageAnswer> usage(AgentId, WallTime) override { co_return queue::UsageAnswer{}; }
  Task<std::chrono::milliseconds> take_action_slot(AgentId, std::chrono::seconds,
                                                   WallTime) override {
    co_return std::chrono::milliseconds(0);
  }
  Task<std::chrono::milliseconds> action_wait(AgentId) override {
    co_return std::chrono::milliseconds(0);
  }
  Task<> release_action_slot(AgentId) override { co_return; }
  Task<std::int64_t> begin_notification(AgentId, std::string) override { co_return 1; }
  Task<> forget_tries(AgentId, std::string) override { co_return; }
  Task<std::optional<std::string>> find_handled(AgentId, std::string) override {
    co_return std::nullopt;
  }
  Task<> set_handled(AgentId, std::string, std::string) override { co_return; }
  Task<std::optional<WallTime>> last_discovery(AgentId) override { co_return std::nullopt; }
  Task<> set_last_discovery(AgentId, WallTime) override { co_return; }
  Task<> bury_notification(AgentId, std::string, std::string, std::string, std::int64_t) override {
    co_return;
  }
};

}  // namespace botburrow::tools
