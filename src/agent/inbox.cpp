#include "agent/context.hpp"
#include "agent/reply_rule.hpp"
#include "agent/run_context.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "hubapi/wire.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::agent {
namespace {

using namespace std::chrono_literals;
using Action = NotificationVerdict::Action;

/// A pause of at most this length is waited out at the write; a longer one leaves the rest unread.
constexpr auto kIntervalWaitMax = 30s;
constexpr std::chrono::seconds kHoldOffMin{60};
constexpr std::chrono::seconds kHoldOffMax{3600};
constexpr std::chrono::seconds kBudgetHoldOff{300};
/// Pages of 100 in which an operator's retry looks for its notification.
constexpr int kRetryPagesMax = 20;

std::chrono::seconds as_hold_off(std::chrono::milliseconds wait) {
  return std::clamp(std::chrono::ceil<std::chrono::seconds>(wait), kHoldOffMin, kHoldOffMax);
}

std::chrono::seconds until_next_utc_day(WallTime now) {
  const auto tomorrow = std::chrono::floor<std::chrono::days>(now) + std::chrono::days(1);
  return as_hold_off(std::chrono::ceil<std::chrono::milliseconds>(tomorrow - now));
}

// What one notification came to.
struct Handled {
  enum class Kind {
    answered,
    declined,  ///< the agent decided that no answer is needed
    skipped,   ///< by a rule
    failed,    ///< stays unread
    left,      ///< stays unread, for later
  } kind = Kind::answered;
  std::string reason;
  std::string comment_id;    ///< of answered
  bool marked = false;       ///< read at the Hub already
  bool stop = false;         ///< the rest would fare alike: leave it unread
  bool blame_agent = true;   ///< a failure that counts as a try
  bool over_budget = false;  ///< of left
  std::chrono::seconds hold_off{0};

  bool settled() const { return kind != Kind::failed && kind != Kind::left; }

  static Handled skipped(std::string why) {
    return {.kind = Kind::skipped, .reason = std::move(why)};
  }
  static Handled left(std::string why, std::chrono::seconds hold_off) {
    return {.kind = Kind::left, .reason = std::move(why), .stop = true, .hold_off = hold_off};
  }
  static Handled failed(std::string why) {
    return {.kind = Kind::failed, .reason = std::move(why)};
  }
};

std::string_view name_of(Handled::Kind kind) {
  switch (kind) {
    case Handled::Kind::answered:
      return "answered";
    case Handled::Kind::declined:
      return "skipped";
    case Handled::Kind::skipped:
      return "skipped";
    case Handled::Kind::failed:
      return "failed";
    case Handled::Kind::left:
      return "left";
  }
  return "";
}

// Limits that would forbid the answer, asked before a model is paid for it.
Task<std::optional<Handled>> limits_forbid(RunContext& context) {
  const auto& limits = context.definition->behavior.limits;
  if (limits.max_daily_comments <= 0) {
    co_return Handled::skipped("behavior.limits.max_daily_comments is 0");
  }
  const auto now = context.services.clock.wall();
  const auto used = co_await context.services.state.usage(context.agent(), now);
  if (used.day.comments >= limits.max_daily_comments) {
    context.log.info("limit_reached", {{"kind", "max_daily_comments"}});
    co_return Handled::left(
        fmt::format("Limit reached: max_daily_comments ({})", limits.max_daily_comments),
        until_next_utc_day(now));
  }
  if (limits.min_interval_seconds <= 0) co_return std::nullopt;
  const auto wait = co_await context.services.state.action_wait(context.agent());
  if (wait <= kIntervalWaitMax) co_return std::nullopt;
  context.log.info("limit_reached", {{"kind", "min_interval_seconds"}});
  co_return Handled::left(
      fmt::format("Limit reached: min_interval_seconds ({})", limits.min_interval_seconds),
      as_hold_off(wait));
}

Handled of_refusal(const tools::WriteRefusal& refusal, WallTime now) {
  using Kind = tools::WriteRefusal::Kind;
  switch (refusal.kind) {
    case Kind::daily_limit:
      return Handled::left(refusal.text, until_next_utc_day(now));
    case Kind::interval:
    case Kind::rate_limit:
      return Handled::left(refusal.text, as_hold_off(refusal.wait));
    case Kind::thread_full:
    case Kind::gone:
    case Kind::locked:
    case Kind::not_allowed:
      return Handled::skipped("the answer was not posted: " + refusal.text);
    case Kind::rejected:
      break;
  }
  return Handled::failed("Failed to post response: " + refusal.text);
}

// The reply rule: the final text of a run that did not post into the thread by itself is the
// answer.
Task<Handled> reply(RunContext& context, std::string post_id, const std::string& text) {
  if (context.writer.replied()) co_return Handled{};
  if (is_skip_answer(text)) {
    co_return Handled{.kind = Handled::Kind::declined,
                      .reason = "the agent decided that no answer is needed"};
  }
  const auto outcome =
      co_await context.writer.comment(std::move(post_id), as_comment(text), context.deadline);
  if (outcome.done) co_return Handled{};
  co_return of_refusal(*outcome.refusal, context.services.clock.wall());
}

Task<Handled> answer(RunContext& context, const hubapi::Notification& notification,
                     const hubapi::Post& thread) {
  std::vector<llm::Message> messages;
  const bool goes_on = context.journal.begin_notification(notification);
  if (!goes_on) {
    auto system = co_await make_system_prompt(context, notification_text(notification, &thread),
                                              thread.community);
    messages = notification_messages(std::move(system), &thread, notification);
  }
  const auto result = co_await think(context, std::move(messages));
  if (result.success()) co_return co_await reply(context, thread.id, result.response);
  // An answer that went out before the run broke off is an answer.
  if (context.writer.replied()) co_return Handled{};
  auto failed = Handled::failed(result.error);
  if (result.error_code && is_dependency_fault(*result.error_code)) {
    failed.blame_agent = false;
    failed.stop = true;
  }
  co_return failed;
}

// The same with what ends the whole activation sorted: it is never the notification's fault, so its
// try does not count.
Task<Handled> answer_once(RunContext& context, const hubapi::Notification& notification,
                          const hubapi::Post& thread) {
  std::optional<Error> failure;
  try {
    co_return co_await answer(context, notification, thread);
  } catch (const Error& error) {
    failure = error;
  }
  if (failure->code() == errc::budget_exceeded) {
    if (context.writer.replied()) co_return Handled{};
    auto left = Handled::left(failure->message(), kBudgetHoldOff);
    left.over_budget = true;
    co_return left;
  }
  try {
    co_await context.services.state.forget_tries(context.agent(), notification.id);
  } catch (const Error&) {
    // Redis is away as well: one try too many is counted.
  }
  context.tally.notification_begun.clear();
  throw *failure;
}

Task<Handled> bury(RunContext& context, const hubapi::Notification& notification, std::string why,
                   std::int64_t tries) {
  co_await context.services.state.bury_notification(context.agent(), context.definition->name,
                                                    notification.id, why, tries);
  co_return Handled::skipped(fmt::format("given up after {} tries: {}", tries, why));
}

// Everything that can be known without a model.
Task<std::optional<Handled>> settled_by_rules(RunContext& context,
                                              const hubapi::Notification& notification) {
  const auto verdict =
      judge_notification(notification, context.definition->behavior, context.reader());
  if (verdict.unknown_type) {
    context.log.warning("notification_type_unknown",
                        {{"type", notification.kind()}, {"notification_id", notification.id}});
  }
  if (verdict.action == Action::skip) co_return Handled::skipped(verdict.reason);
  if (co_await context.services.state.find_handled(context.agent(), notification.id)) {
    co_return Handled::skipped("already handled");
  }
  const auto& tally = context.tally;
  const LoopState spent{.tokens = tally.usage.input + tally.usage.output};
  if (!may_begin(spent, {.tokens_max = context.settings.tokens_max})) {
    co_return Handled::left(end_text(LoopEnd::token_limit), 0s);
  }
  co_return std::nullopt;
}

Task<std::optional<Handled>> settled_by_thread(RunContext& context, const hubapi::Post& thread) {
  const auto verdict =
      judge_thread(own_answers(thread, context.reader()), context.definition->behavior.limits);
  if (verdict.action == Action::skip) {
    context.log.info("limit_reached", {{"kind", "max_responses_per_thread"}});
    co_return Handled::skipped(verdict.reason);
  }
  co_return co_await limits_forbid(context);
}

Task<Handled> run_counted(RunContext& context, const hubapi::Notification& notification,
                          const hubapi::Post& thread) {
  auto& state = context.services.state;
  const auto tries = co_await state.begin_notification(context.agent(), notification.id);
  if (tries > queue::kTriesMax) {
    co_return co_await bury(context, notification, "its runs kept breaking off", queue::kTriesMax);
  }
  context.tally.notification_begun = notification.id;
  auto handled = co_await answer_once(context, notification, thread);
  if (handled.kind == Handled::Kind::answered) {
    handled.marked = context.writer.notification_was_marked();
    handled.comment_id = context.writer.reply_id();
    co_await state.set_handled(context.agent(), notification.id, context.writer.reply_id());
  }
  const bool counts = handled.kind == Handled::Kind::failed && handled.blame_agent;
  if (!counts) co_await state.forget_tries(context.agent(), notification.id);
  context.tally.notification_begun.clear();
  if (counts && tries >= queue::kTriesMax) {
    co_return co_await bury(context, notification, handled.reason, tries);
  }
  co_return handled;
}

// A thread that cannot be read is the fault of that thread: too large, or not what a Hub should
// say.
bool is_fault_of_thread(errc code) {
  return code == errc::limit || code == errc::bad_input || code == errc::protocol;
}

// A Hub that is there, and fails at just this thread: waiting five seconds would not help, and
// nothing may be given up because of the Hub.
bool is_fault_of_hub(const Error& error) {
  const int status = error.status();
  const bool away = status == 502 || status == 503 || status == 504;
  return error.code() == errc::http_status && status >= 500 && !away;
}

// Counted, so that it is given up after a few tries and never holds up what stands behind it.
Task<Handled> unreadable_thread(RunContext& context, const hubapi::Notification& notification,
                                std::string why) {
  const auto tries =
      co_await context.services.state.begin_notification(context.agent(), notification.id);
  if (tries >= queue::kTriesMax) co_return co_await bury(context, notification, why, tries);
  co_return Handled::failed(std::move(why));
}

Handled of_recorded(const RecordedEnd& end) {
  const auto kind = end.outcome == "answered"   ? Handled::Kind::answered
                    : end.outcome == "declined" ? Handled::Kind::declined
                                                : Handled::Kind::skipped;
  return {.kind = kind, .reason = end.reason, .comment_id = end.comment_id};
}

Task<Handled> handle(RunContext& context, hubapi::Notification notification) {
  if (const auto end = context.journal.find_end(notification.id)) co_return of_recorded(*end);
  // What an earlier claim began was judged then, and its own effects would speak against it now.
  const bool goes_on = context.journal.began(notification.id);
  if (!goes_on) {
    if (auto settled = co_await settled_by_rules(context, notification)) co_return *settled;
  }
  std::optional<hubapi::Post> thread;
  std::string unreadable;
  std::string failing;
  try {
    thread = co_await context.services.hub.thread(context.agent(), *notification.post_id,
                                                  context.deadline);
  } catch (const Error& error) {
    if (is_fault_of_hub(error))
      failing = error.message();
    else if (is_fault_of_thread(error.code()))
      unreadable = error.message();
    else
      throw;
  }
  if (!failing.empty()) {
    context.log.warning("thread_unreadable",
                        {{"notification_id", notification.id}, {"error", failing}});
    co_return Handled{.kind = Handled::Kind::left, .reason = failing, .hold_off = kHoldOffMin};
  }
  if (!unreadable.empty()) co_return co_await unreadable_thread(context, notification, unreadable);
  if (!thread) {
    co_return Handled::skipped(fmt::format("post {} is gone", *notification.post_id));
  }
  notification.post_id = thread->id;  // A Hub may have named a comment there.
  context.writer.begin_notification(notification);
  context.writer.know_thread(*thread);
  if (!goes_on) {
    if (auto settled = co_await settled_by_thread(context, *thread)) co_return *settled;
  }
  co_return co_await run_counted(context, notification, *thread);
}

// Notes it, and marks it read once nothing more is to come for it.
Task<> settle(RunContext& context, const hubapi::Notification& notification,
              const Handled& handled) {
  auto& tally = context.tally;
  tally.notes.push_back({.notification_id = notification.id,
                         .outcome = std::string(name_of(handled.kind)),
                         .reason = handled.reason,
                         .comment_id = handled.comment_id});
  const bool declined = handled.kind == Handled::Kind::declined;
  if (handled.kind == Handled::Kind::answered || declined) ++tally.processed;
  if (handled.kind == Handled::Kind::failed) {
    context.log.error("notification_processing_error",
                      {{"notification_id", notification.id}, {"error", handled.reason}});
  }
  if (handled.settled() && !handled.marked) {
    co_await context.services.hub.mark_read(context.agent(), {notification.id},
                                            context.claim.fence.to_string(), context.deadline);
  }
  context.journal.end_notification(
      notification.id, {.outcome = std::string(declined ? "declined" : name_of(handled.kind)),
                        .reason = handled.reason,
                        .comment_id = handled.comment_id});
}

Ending ending_of(const std::vector<Handled>& all, bool wrote) {
  const auto first = [&](Handled::Kind kind) -> const Handled* {
    const auto found = std::ranges::find(all, kind, &Handled::kind);
    return found == all.end() ? nullptr : &*found;
  };
  std::chrono::seconds hold_off{0};
  for (const auto& one : all)
    hold_off = std::max(hold_off, one.hold_off);
  auto success = Ending::success();
  success.hold_off = hold_off;

  if (first(Handled::Kind::answered)) return success;
  const auto* declined = first(Handled::Kind::declined);
  if (const auto* failed = first(Handled::Kind::failed); failed && !declined) {
    return Ending::failed(failed->reason);
  }
  if (wrote) return success;
  const auto* left = first(Handled::Kind::left);
  if (left && left->over_budget) return Ending::over_budget(left->reason);
  return Ending::skipped(left ? left->reason : all.front().reason, hold_off);
}

// An operator's retry names its notification, and that may have been marked read since.
Task<std::vector<hubapi::Notification>> find_named(RunContext& context) {
  const auto& wanted = context.claim.item.notification_id;
  std::string cursor;
  for (int page = 0; page < kRetryPagesMax; ++page) {
    hubapi::HubRequest request{.path = "/notifications",
                               .query = {{"agent_id", context.agent().str()}, {"limit", "100"}},
                               .acting = context.agent().str(),
                               .endpoint = "notifications"};
    if (!cursor.empty()) request.query.emplace_back("cursor", cursor);
    const auto answer = co_await context.services.hub.request(std::move(request), context.deadline);
    auto list = hubapi::read_list<hubapi::Notification>(answer.body, "notifications",
                                                        hubapi::read_notification);
    const auto found = std::ranges::find(list, wanted, &hubapi::Notification::id);
    if (found != list.end()) co_return std::vector{*found};
    cursor = string_field(answer.body, "next_cursor").value_or("");
    if (cursor.empty()) break;
  }
  co_return std::vector<hubapi::Notification>{};
}

Task<std::vector<hubapi::Notification>> find_unread(RunContext& context) {
  if (!context.claim.item.notification_id.empty()) co_return co_await find_named(context);
  co_return co_await context.services.hub.unread(
      context.agent(), context.settings.notifications_max, context.deadline);
}

// What an earlier claim began comes first, read or not: the mark may be its last deed.
Task<std::vector<hubapi::Notification>> find_work(RunContext& context) {
  auto work = context.journal.begun_notifications();
  for (auto& notification : co_await find_unread(context)) {
    if (std::ranges::find(work, notification.id, &hubapi::Notification::id) == work.end())
      work.push_back(std::move(notification));
  }
  co_return work;
}

}  // namespace

Task<Ending> run_inbox(RunContext& context) {
  const auto work = co_await find_work(context);
  if (work.empty()) {
    context.log.debug("no_notifications");
    const auto& named = context.claim.item.notification_id;
    co_return Ending::skipped(named.empty() ? "No unread notifications"
                                            : fmt::format("there is no notification {}", named));
  }
  std::vector<Handled> all;
  for (const auto& notification : work) {
    all.push_back(co_await handle(context, notification));
    co_await settle(context, notification, all.back());
    if (all.back().stop) break;
  }
  const auto& writer = context.writer;
  co_return ending_of(all, writer.posts_created() + writer.comments_created() > 0);
}

}  // namespace botburrow::agent
