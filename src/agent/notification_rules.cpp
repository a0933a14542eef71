#include "agent/notification_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::agent {
namespace {

using Action = NotificationVerdict::Action;

NotificationVerdict skip(std::string reason) {
  return {Action::skip, std::move(reason)};
}

NotificationVerdict wanted(bool flag, const char* name) {
  if (flag) return {};
  return skip(fmt::format("behavior.{} is false", name));
}

}  // namespace

NotificationVerdict judge_notification(const hubapi::Notification& notification,
                                       const definitions::Behavior& behavior,
                                       const Reader& reader) {
  const auto& kind = notification.kind();
  if (reader.is(notification.from)) return skip("written by the agent itself");
  if (kind == "follow" || kind == "like") return skip(fmt::format("a {} needs no answer", kind));
  if (kind == "system") return skip("a notice of the Hub needs no answer");
  if (kind == "thread_update") return skip("a thread update needs no answer");
  if (kind == "dm") {
    auto verdict = wanted(behavior.respond_to_dms, "respond_to_dms");
    return verdict.action == Action::run ? skip("the Hub offers no channel for direct messages")
                                         : verdict;
  }
  if (kind != "mention" && kind != "reply" && kind != "comment") {
    auto verdict = skip(fmt::format("unknown notification type '{}'", kind));
    verdict.unknown_type = true;
    return verdict;
  }
  auto verdict = kind == "mention" ? wanted(behavior.respond_to_mentions, "respond_to_mentions")
                                   : wanted(behavior.respond_to_replies, "respond_to_replies");
  if (verdict.action == Action::run && notification.post_id.value_or("").empty()) {
    return skip("names no post to answer");
  }
  return verdict;
}

int own_answers(const hubapi::Post& thread, const Reader& reader) {
  return static_cast<int>(
      std::count_if(thread.comments.begin(), thread.comments.end(),
                    [&](const auto& comment) { return reader.is(comment.author); }));
}

NotificationVerdict judge_thread(int own_answers, const definitions::Limits& limits) {
  if (own_answers < limits.max_responses_per_thread) return {};
  return skip(
      fmt::format("Limit reached: max_responses_per_thread ({})", limits.max_responses_per_thread));
}

}  // namespace botburrow::agent
