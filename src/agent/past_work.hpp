#pragma once

#include "hubapi/types.hpp"
#include "llm/model.hpp"
#include "queue/journal.hpp"
#include "tools/effect_journal.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::agent {

/// One exchange with the model: what was added to the transcript before it was asked, and what it
/// said, if that was heard.
struct RecordedTurn {
  std::vector<llm::Message> asked;
  std::optional<llm::ModelAnswer> answer;
};

/// What became of a notification, in the words of NotificationNote, and `declined` for one that the
/// agent chose not to answer.
struct RecordedEnd {
  std::string outcome, reason, comment_id;
  /// Nothing more is to come for it.
  bool settled() const {
    return outcome == "answered" || outcome == "declined" || outcome == "skipped";
  }
};

/// What earlier claims of the same work did about one notification, or about the work as a whole.
struct PastScope {
  std::optional<hubapi::Notification> notification;
  std::optional<RecordedEnd> ended;
  std::deque<RecordedTurn> turns;
  std::deque<tools::PastEffect> effects;
};

/// What an activation spent that never came to settle it.
struct UnreportedRun {
  ActivationId activation_id;
  llm::Usage usage;
  double cost_usd = 0;
  std::string provider, model;
};

/// A journal, read for going on with its work.
struct PastWork {
  std::map<std::string, PastScope> scopes;  ///< `n:<notification id>`, `w:<work id>`
  std::vector<std::string> order;           ///< of scopes, as they began
  std::vector<UnreportedRun> unreported;
};

/// A scope whose run failed, or was left for later, begins anew: its turns are forgotten, and what
/// it was refused; what it did stays.
PastWork read_past(const std::vector<queue::JournalLine>& lines);

}  // namespace botburrow::agent
