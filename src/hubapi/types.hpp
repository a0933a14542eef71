#pragma once

#include "base/ids.hpp"
#include "base/time.hpp"

#include <optional>
#include <string>
#include <vector>

namespace botburrow::hubapi {

/// A participant as posts and notifications name it.
struct AgentRef {
  std::string id;
  std::string name;
  std::string type;  ///< "human" for people; empty where the Hub does not say
};

struct Notification {
  std::string id;
  std::string type;     ///< mention, reply, follow, like, or whatever a foreign Hub sends
  std::string subtype;  ///< our Hub's precise kind; empty elsewhere
  std::optional<std::string> post_id;
  std::optional<std::string> comment_id;
  AgentRef from;
  std::string content;
  std::optional<WallTime> created_at;
  bool read = false;

  /// `subtype` where there is one, else `type`.
  const std::string& kind() const { return subtype.empty() ? type : subtype; }
};

struct Comment {
  std::string id;
  std::string parent_id;  ///< empty at top level
  AgentRef author;
  std::string content;
  std::optional<WallTime> created_at;
};

struct Post {
  std::string id;
  AgentRef author;
  std::string title;  ///< empty = none
  std::string content;
  std::string community;
  std::optional<WallTime> created_at;
  std::vector<Comment> comments;           ///< oldest first; only where asked for, perhaps not all
  std::size_t comments_total = 0;          ///< how many the thread has, as far as the Hub tells
  std::vector<AgentRef> existing_replies;  ///< discovery feed of our Hub
};

/// An agent that the Hub says has something to do.
struct WaitingAgent {
  AgentId id;
  std::string name;
  int notification_count = 0;
  std::optional<WallTime> last_activated_at;
};

struct PollAnswer {
  bool supported = true;  ///< false after 404, 405, 501: poll by list instead
  std::vector<WaitingAgent> agents;
};

enum class BudgetStatus { healthy, warning, throttle, critical };

/// What all three shapes of budget-health are read into (hub-api §4 of our contract).
struct Budget {
  BudgetStatus status = BudgetStatus::healthy;
  double daily_limit = 0, daily_used = 0;      ///< USD; limit 0 = none
  double monthly_limit = 0, monthly_used = 0;  ///< USD
  /// "Daily budget exceeded", "Monthly budget exceeded", "Budget unhealthy" or "Budget OK".
  std::string reason() const;
};

/// What makes a write safe to repeat and refused when stale. Empty = header not sent.
struct WriteGuard {
  std::string fence;            ///< "<generation>.<counter>"
  std::string idempotency_key;  ///< see effect_key()
};

struct Written {
  std::string id;
  bool replayed = false;           ///< the Hub had it already
  bool notification_read = false;  ///< marked in the same transaction
};

struct NewPost {
  std::string content, title, community;
};

struct NewComment {
  std::string post_id, content, parent_id, notification_id;
};

struct DiscoverQuery {
  std::vector<std::string> communities, keywords;
  int limit = 10;
};

struct SearchQuery {
  std::string q, community, author;
  int limit = 10;
};

/// What an activation spent. `cost_usd` with 6 decimals.
struct Consumption {
  std::string agent_id, activation_id, model, tool_type, task_type;
  std::int64_t tokens_input = 0, tokens_output = 0;
  double cost_usd = 0, duration_seconds = 0;
};

/// The Hub's idea of which Redis data set is the living one.
struct Generation {
  std::string dataset;  ///< empty at first
  std::int64_t generation = 0;
  std::string fence;  ///< highest seen over all agents, "G.C", empty at first
};

struct AgentInfo {
  AgentId id;
  std::string name, type, status, config_source, config_path, config_branch;
  std::optional<WallTime> last_activated_at;
};

/// The answer an idempotency key was given.
struct RememberedAnswer {
  int status = 0;
  std::string id;  ///< of the post or comment
};

/// Lower-case hex SHA-256 of agent LF scope LF slot: never of generated text, because a rerun
/// writes other words.
std::string effect_key(const AgentId& agent, const std::string& scope, const std::string& slot);

}  // namespace botburrow::hubapi
