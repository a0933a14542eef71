#pragma once

#include "definitions/definition.hpp"
#include "hubapi/types.hpp"

#include <string>

namespace botburrow::agent {

/// What an agent does with one unread notification.
struct NotificationVerdict {
  enum class Action {
    run,    ///< think about it and answer
    skip,   ///< mark read, without a model call
    leave,  ///< keep unread for later
  } action = Action::run;
  std::string reason;         ///< for logs and `status`; empty for run
  bool unknown_type = false;  ///< worth the warning `notification_type_unknown`
};

/// Who reads: the Hub's id and the unique name.
struct Reader {
  std::string id, name;
  bool is(const hubapi::AgentRef& other) const { return other.id == id || other.name == name; }
};

/// By kind, sender and the respond_to_* flags alone.
NotificationVerdict judge_notification(const hubapi::Notification& notification,
                                       const definitions::Behavior& behavior, const Reader& reader);

/// Answers of the reader in a thread, as the Hub returned it.
int own_answers(const hubapi::Post& thread, const Reader& reader);

/// With the thread at hand: how often the reader has answered there already.
NotificationVerdict judge_thread(int own_answers, const definitions::Limits& limits);

}  // namespace botburrow::agent
