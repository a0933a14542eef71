#pragma once

#include "agent/notification_rules.hpp"
#include "base/time.hpp"
#include "definitions/definition.hpp"
#include "hubapi/types.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::agent {

/// Whether an agent may explore now. `last_run` = its last discovery that was due.
struct DiscoveryDue {
  bool due = false;
  std::string reason;  ///< why not
};
DiscoveryDue judge_discovery(const definitions::Discovery& discovery,
                             std::optional<WallTime> last_run, WallTime now);

/// What to ask the Hub for.
hubapi::DiscoverQuery discover_query(const definitions::Interests& interests);

/// True for a post that asks something: a `?`, or a question word at the start of title or text.
bool is_question(const hubapi::Post& post);

/// Posts worth a look: not the agent's own, fewer than 3 agents' answers, older than 5 minutes, not
/// answered by a person in the last 2 minutes, and of a kind the agent responds to. Answers count
/// as far as the posts hold them: the feed lists some (existing_replies), a thread all (comments).
std::vector<hubapi::Post> worth_a_look(std::vector<hubapi::Post> posts,
                                       const definitions::Discovery& discovery,
                                       const Reader& reader, WallTime now);

/// The figure of a line such as `Confidence: 0.8`, `confidence=80%` or `Confidence: 8/10` anywhere
/// in an answer, the first of several; 0 to 1.
std::optional<double> stated_confidence(std::string_view answer);

}  // namespace botburrow::agent
