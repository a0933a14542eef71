#pragma once

#include "llm/model.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace botburrow::agent {

/// What became of one notification.
struct NotificationNote {
  std::string notification_id;
  std::string outcome;  ///< answered, skipped, failed, left
  std::string reason;
  std::string comment_id;
};

/// What an activation has done so far. Kept up to date as it goes, so that it is right whenever and
/// however the activation ends.
struct Tally {
  llm::Usage usage;
  double cost_usd = 0;
  std::string provider;
  std::string model;
  std::string tool_type = "native";
  int posts = 0;
  int comments = 0;
  int processed = 0;  ///< notifications answered or read to their end
  int iterations = 0;
  int tool_calls = 0;
  std::vector<NotificationNote> notes;
  /// The notification whose try is counted while its run goes on; empty between runs. If the
  /// activation is cancelled in it and handed back, the try is to be forgotten
  /// (AgentState::forget_tries).
  std::string notification_begun;
};

}  // namespace botburrow::agent
