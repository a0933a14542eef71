#pragma once

#include "base/ids.hpp"
#include "base/task.hpp"
#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow::queue {

/// Amounts of one agent in a UTC day or month. Money in millionths of a dollar.
struct Usage {
  std::int64_t posts = 0;
  std::int64_t comments = 0;
  std::int64_t tokens = 0;
  std::int64_t cost_micros = 0;
  friend bool operator==(const Usage&, const Usage&) = default;
};

/// Nothing = no limit; 0 = none allowed.
struct UsageLimits {
  std::optional<std::int64_t> daily_posts;
  std::optional<std::int64_t> daily_comments;
  std::optional<std::int64_t> daily_tokens;
  std::optional<std::int64_t> daily_cost_micros;
  std::optional<std::int64_t> monthly_tokens;
  std::optional<std::int64_t> monthly_cost_micros;
};

enum class UsageLimit {
  none,
  daily_posts,
  daily_comments,
  daily_tokens,
  daily_cost,
  monthly_tokens,
  monthly_cost
};
std::string_view name_of(UsageLimit limit);

struct UsageAnswer {
  /// Which limit the charge would have passed; `none` = charged.
  UsageLimit refused_by = UsageLimit::none;
  Usage day;  ///< after the charge, or as it stands if refused
  Usage month;
  bool granted() const { return refused_by == UsageLimit::none; }
};

/// The small facts about one agent that outlive an activation: what it used today, when it last
/// wrote, which notifications it began and answered. All in Redis, all with a TTL, none decides
/// who owns work. Throws Error{redis_unavailable}.
class AgentState {
 public:
  virtual ~AgentState() = default;

  /// Adds all amounts, or none if one would pass its limit. Amounts ≤ 0 are never refused (they
  /// give back), and no counter falls below 0. Give back with the same `at` as the reservation, so
  /// that the same day is meant. Not safe to repeat after an unknown outcome: a reservation that
  /// may have been applied counts as used.
  virtual Task<UsageAnswer> charge(AgentId agent, Usage amount, UsageLimits limits,
                                   WallTime at) = 0;
  /// What stands in the counters of `at`'s day and month.
  virtual Task<UsageAnswer> usage(AgentId agent, WallTime at) = 0;

  /// Takes the slot for one Hub write: zero = taken, and the next comes after `min_interval`; else
  /// how long until it is free. A zero interval is always free.
  virtual Task<std::chrono::milliseconds> take_action_slot(AgentId agent,
                                                           std::chrono::seconds min_interval,
                                                           WallTime at) = 0;
  /// How long until a write is allowed; zero = now.
  virtual Task<std::chrono::milliseconds> action_wait(AgentId agent) = 0;
  /// The write did not happen.
  virtual Task<> release_action_slot(AgentId agent) = 0;

  /// Counts a notification as begun (kept 7 days): 1 the first time. At kTriesMax the caller
  /// buries it.
  virtual Task<std::int64_t> begin_notification(AgentId agent, std::string notification_id) = 0;
  /// It was answered, skipped, handed back, or failed by something that is not the agent's fault.
  virtual Task<> forget_tries(AgentId agent, std::string notification_id) = 0;

  /// The comment that answered it, if it was answered in the last 7 days.
  virtual Task<std::optional<std::string>> find_handled(AgentId agent,
                                                        std::string notification_id) = 0;
  virtual Task<> set_handled(AgentId agent, std::string notification_id,
                             std::string comment_id) = 0;

  virtual Task<std::optional<WallTime>> last_discovery(AgentId agent) = 0;
  virtual Task<> set_last_discovery(AgentId agent, WallTime at) = 0;

  /// Puts a notification that was begun too often into the dead letters (once), log
  /// `notification_poisoned`.
  virtual Task<> bury_notification(AgentId agent, std::string agent_name,
                                   std::string notification_id, std::string reason,
                                   std::int64_t tries) = 0;
};

constexpr std::int64_t kTriesMax = 3;

}  // namespace botburrow::queue
