#include "tools/hub_writer.hpp"

#include "base/json.hpp"
#include "tools/grant_table.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::tools {
namespace {

using namespace std::chrono_literals;
using Kind = WriteRefusal::Kind;

/// Posts and further comments (not the replies) that one work item may have.
constexpr int kEffectsMax = 3;
/// A write that is due within this time is waited for.
constexpr auto kIntervalWaitMax = 30s;

WriteRefusal limit(Kind kind, std::string_view name, int value) {
  return {.kind = kind, .text = fmt::format("Limit reached: {} ({})", name, value)};
}

}  // namespace

HubWriter::HubWriter(hubapi::HubClient& hub, queue::AgentState& state, Clock& clock,
                     Identity identity, Rules rules, std::function<bool()> may_write,
                     EffectJournal& journal, Log log, Metrics& metrics)
    : hub_(hub),
      state_(state),
      clock_(clock),
      identity_(std::move(identity)),
      rules_(std::move(rules)),
      may_write_(std::move(may_write)),
      journal_(journal),
      log_(std::move(log)),
      metrics_(metrics) {}

void HubWriter::begin_scope(std::string scope) {
  scope_ = std::move(scope);
  notification_id_.clear();
  own_post_.clear();
  own_comment_.clear();
  replied_ = marked_ = false;
  reply_id_.clear();
  next_effect_ = 0;
  set_aside_.clear();
  gate_ = nullptr;
}

void HubWriter::begin_notification(const hubapi::Notification& notification) {
  begin_scope("n:" + notification.id);
  notification_id_ = notification.id;
  own_post_ = notification.post_id.value_or("");
  own_comment_ = notification.comment_id.value_or("");
}

void HubWriter::begin_work(const WorkId& work) {
  begin_scope("w:" + work.str());
}

bool HubWriter::is_own_answer(const hubapi::Comment& comment) const {
  return comment.author.id == identity_.id.str() || comment.author.name == identity_.name;
}

void HubWriter::know_thread(const hubapi::Post& thread) {
  own_answers_[thread.id] = static_cast<int>(std::ranges::count_if(
      thread.comments, [this](const auto& comment) { return is_own_answer(comment); }));
  for (const auto& comment : thread.comments)
    post_of_[comment.id] = thread.id;
}

void HubWriter::check_trust() const {
  if (may_write_()) return;
  throw Error(errc::stale_fence,
              "the lease of this activation is no longer trusted; nothing more is written");
}

std::string HubWriter::without_secrets(std::string text) const {
  if (!rules_.scrubber || !rules_.scrubber->finds_something(text)) return text;
  log_.warning("secret_kept_from_post", {{"msg", "the text of a post or comment held a secret"}});
  return rules_.scrubber->scrub(std::move(text));
}

WriteRefusal HubWriter::denied(std::string_view missing, std::string text) const {
  note_denial(log_, metrics_, "hub_post", missing);
  return {.text = std::move(text)};
}

std::optional<WriteRefusal> HubWriter::right_refusal() const {
  if (!rules_.grants.holds("hub:write")) return denied("hub:write", "missing grant hub:write");
  if (!gate_) return std::nullopt;
  const auto words = gate_();
  return words ? std::optional(WriteRefusal{.text = *words}) : std::nullopt;
}

std::optional<WriteRefusal> HubWriter::effect_refusal() const {
  if (effects_done_ < kEffectsMax) return std::nullopt;
  log_.info("limit_reached", {{"kind", "effects"}, {"limit", kEffectsMax}});
  return WriteRefusal{
      .text = fmt::format("Limit reached: {} posts and further comments for one piece of work",
                          kEffectsMax)};
}

std::optional<WriteRefusal> HubWriter::thread_refusal(const std::string& post_id) const {
  const int max = rules_.limits.max_responses_per_thread;
  if (own_answers_.at(post_id) < max) return std::nullopt;
  log_.info("limit_reached", {{"kind", "max_responses_per_thread"}, {"limit", max}});
  return limit(Kind::thread_full, "max_responses_per_thread", max);
}

std::optional<HubWriter::Place> HubWriter::known_place(const std::string& target) const {
  if (own_answers_.contains(target)) return Place{.post_id = target};
  const auto comment = post_of_.find(target);
  if (comment != post_of_.end()) return Place{.post_id = comment->second, .parent_id = target};
  // The Hub may list only part of a long thread.
  const bool own = !own_comment_.empty() && target == own_comment_;
  if (own && own_answers_.contains(own_post_)) {
    return Place{.post_id = own_post_, .parent_id = target};
  }
  return std::nullopt;
}

Task<HubWriter::Place> HubWriter::find_place(std::string target, Deadline deadline) {
  if (auto known = known_place(target)) co_return *std::move(known);
  std::optional<hubapi::Post> thread;
  try {
    thread = co_await hub_.thread(identity_.id, target, deadline);
  } catch (const Error& error) {
    auto refusal = refusal_of(error);
    if (!refusal) throw;
    co_return Place{.refusal = std::move(refusal)};
  }
  if (!thread) {
    co_return Place{.refusal = WriteRefusal{.kind = Kind::gone,
                                            .text = fmt::format("there is no post {}", target)}};
  }
  know_thread(*thread);
  // Asked for a comment, our Hub answers with the thread it belongs to.
  if (thread->id == target) co_return Place{.post_id = target};
  co_return Place{.post_id = thread->id, .parent_id = std::move(target)};
}

Task<std::optional<WriteRefusal>> HubWriter::interval_refusal(Deadline deadline) {
  const std::chrono::seconds interval(rules_.limits.min_interval_seconds);
  if (interval.count() <= 0) co_return std::nullopt;
  for (;;) {
    const auto wait = co_await state_.take_action_slot(identity_.id, interval, clock_.wall());
    if (wait <= 0ms) co_return std::nullopt;
    if (wait > kIntervalWaitMax || wait >= deadline.left()) {
      const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait);
      log_.info("limit_reached",
                {{"kind", "min_interval_seconds"}, {"wait_seconds", seconds.count()}});
      auto refusal =
          limit(Kind::interval, "min_interval_seconds", rules_.limits.min_interval_seconds);
      refusal.text += fmt::format("; the next write is allowed in {} seconds", seconds.count());
      refusal.wait = seconds;
      co_return refusal;
    }
    co_await sleep_for(wait);
  }
}

Task<std::optional<WriteRefusal>> HubWriter::charge(queue::Usage amount, WallTime at) {
  const queue::UsageLimits limits{.daily_posts = rules_.limits.max_daily_posts,
                                  .daily_comments = rules_.limits.max_daily_comments};
  const auto answer = co_await state_.charge(identity_.id, amount, limits, at);
  if (answer.granted()) co_return std::nullopt;
  const bool posts = answer.refused_by == queue::UsageLimit::daily_posts;
  const auto* name = posts ? "max_daily_posts" : "max_daily_comments";
  const int max = posts ? rules_.limits.max_daily_posts : rules_.limits.max_daily_comments;
  log_.info("limit_reached", {{"kind", name}, {"limit", max}});
  co_return limit(Kind::daily_limit, name, max);
}

Task<std::optional<WriteRefusal>> HubWriter::reserve(queue::Usage amount, WallTime at,
                                                     Deadline deadline) {
  if (auto refusal = co_await charge(amount, at)) co_return refusal;
  auto refusal = co_await interval_refusal(deadline);
  if (refusal) co_await give_back(amount, at, false);
  co_return refusal;
}

Task<> HubWriter::give_back(queue::Usage amount, WallTime at, bool slot_too) {
  amount = {.posts = -amount.posts, .comments = -amount.comments};
  try {
    co_await state_.charge(identity_.id, amount, {}, at);
    if (slot_too && rules_.limits.min_interval_seconds > 0) {
      co_await state_.release_action_slot(identity_.id);
    }
  } catch (const Error& error) {
    // Counted as used then: too little is written, never too much.
    log_.debug("limit_not_given_back", {{"error", error.message()}});
  }
}

Effect HubWriter::effect_for(std::string slot, std::string path, json::object body) const {
  return {.scope = scope_,
          .slot = slot,
          .key = hubapi::effect_key(identity_.id, scope_, slot),
          .path = std::move(path),
          .body = std::move(body)};
}

Task<WriteOutcome> HubWriter::make(Write write) {
  co_await journal_.intend(write.effect);
  co_return co_await send(std::move(write));
}

Task<WriteOutcome> HubWriter::send(Write write) {
  const auto& effect = write.effect;
  WriteOutcome outcome;
  std::exception_ptr failure;
  bool undo = false;
  bool not_sent = false;
  try {
    // Taking the slot may have waited.
    check_trust();
    const auto written =
        co_await write.send({.fence = identity_.fence, .idempotency_key = effect.key});
    outcome = {.done = true, .id = written.id, .notification_read = written.notification_read};
    undo = written.replayed;  // The run that wrote it has been charged.
  } catch (const Error& error) {
    outcome.refusal = refusal_of(error);
    if (!outcome.refusal) failure = std::current_exception();
    not_sent = failure && surely_not_written(error);
    undo = outcome.refusal || not_sent;
  }
  if (not_sent) journal_.record(effect.scope, effect.slot, {.not_sent = true});
  if (!failure) journal_.record(effect.scope, effect.slot, outcome);
  if (undo) co_await give_back(write.charged, write.at, true);
  if (failure) std::rethrow_exception(failure);
  co_return outcome;
}

// A Hub that remembers keys knows. One that does not may show the comment in its thread.
Task<std::optional<WriteOutcome>> HubWriter::look_up(Effect effect, Deadline deadline) {
  const auto answer = co_await hub_.find_answer(identity_.id, effect.key, deadline);
  if (answer && answer->status >= 200 && answer->status < 300)
    co_return WriteOutcome{.done = true, .id = answer->id};
  if (co_await hub_.remembers_keys(deadline)) co_return std::nullopt;
  const json::value body(effect.body);
  const auto post = string_field(body, "post_id");
  if (!post) co_return std::nullopt;
  const auto thread = co_await hub_.thread(identity_.id, *post, deadline);
  if (!thread) co_return std::nullopt;
  for (const auto& comment : thread->comments) {
    if (is_own_answer(comment) && comment.content == string_field(body, "content"))
      co_return WriteOutcome{.done = true, .id = comment.id};
  }
  co_return std::nullopt;
}

Task<WriteOutcome> HubWriter::finish(Write write, PastEffect past, Deadline deadline) {
  if (past.outcome) co_return *past.outcome;
  log_.info("effect_looked_up", {{"slot", write.effect.slot}, {"scope", write.effect.scope}});
  if (auto known = co_await look_up(std::move(past.effect), deadline)) {
    journal_.record(write.effect.scope, write.effect.slot, *known);
    co_return *known;
  }
  // It was charged, written down, and never came there: now it goes.
  co_return co_await send(std::move(write));
}

std::string HubWriter::next_slot() const {
  return fmt::format("effect:{}", next_effect_);
}

std::optional<PastEffect> HubWriter::take_past(const std::string& slot) {
  auto& aside = set_aside_[slot];
  if (aside.empty()) return journal_.take_past(scope_, slot);
  auto past = std::move(aside.front());
  aside.pop_front();
  return past;
}

void HubWriter::made_before(const std::string& id) {
  for (const auto& slot : {std::string("reply"), next_slot()}) {
    std::optional<PastEffect> found;
    std::deque<PastEffect> others;
    while (auto past = take_past(slot)) {
      const bool fits = past->outcome && past->outcome->done && past->outcome->id == id;
      if (fits && !found) {
        found = std::move(past);
      } else {
        others.push_back(*std::move(past));
      }
    }
    set_aside_[slot] = std::move(others);
    if (!found) continue;
    if (slot == "reply") {
      replied_ = true;
      marked_ = found->outcome->notification_read;
      reply_id_ = id;
    } else {
      ++next_effect_;
      ++effects_done_;
    }
    if (const auto post = string_field(json::value(found->effect.body), "post_id"))
      post_of_[id] = *post;
    return;
  }
}

std::optional<PastEffect> HubWriter::past_effect(const std::string& slot) {
  for (;;) {
    auto past = take_past(slot);
    if (!past || !past->outcome || !past->outcome->not_sent) return past;
  }
}

Task<WriteOutcome> HubWriter::comment(std::string target, std::string content, Deadline deadline) {
  if (auto refusal = right_refusal()) co_return WriteOutcome::refused(*std::move(refusal));
  check_trust();
  content = without_secrets(std::move(content));
  auto place = co_await find_place(std::move(target), deadline);
  if (place.refusal) co_return WriteOutcome::refused(*std::move(place.refusal));
  const bool is_reply = !own_post_.empty() && place.post_id == own_post_ && !replied_;
  const auto slot = is_reply ? std::string("reply") : next_slot();
  auto past = past_effect(slot);
  Write write{.charged = {.comments = 1}, .at = clock_.wall()};
  if (!past) {
    if (auto refusal = is_reply ? std::nullopt : effect_refusal())
      co_return WriteOutcome::refused(*std::move(refusal));
    if (auto refusal = thread_refusal(place.post_id))
      co_return WriteOutcome::refused(*std::move(refusal));
    if (auto refusal = co_await reserve(write.charged, write.at, deadline))
      co_return WriteOutcome::refused(*std::move(refusal));
  }
  // The answer stands below what it answers.
  if (is_reply && place.parent_id.empty()) place.parent_id = own_comment_;
  const hubapi::NewComment comment{.post_id = place.post_id,
                                   .content = std::move(content),
                                   .parent_id = place.parent_id,
                                   .notification_id = is_reply ? notification_id_ : ""};
  write.effect = effect_for(slot, "/posts/" + comment.post_id + "/comments",
                            {{"post_id", comment.post_id},
                             {"parent_id", comment.parent_id},
                             {"content", comment.content}});
  write.send = [this, comment, deadline](hubapi::WriteGuard guard) {
    return hub_.create_comment(identity_.id, comment, std::move(guard), deadline);
  };
  const auto outcome = past ? co_await finish(std::move(write), *std::move(past), deadline)
                            : co_await make(std::move(write));
  if (outcome.done) count_comment(outcome, place.post_id, is_reply);
  co_return outcome;
}

void HubWriter::count_comment(const WriteOutcome& outcome, const std::string& post_id,
                              bool is_reply) {
  log_.info("created_comment", {{"comment_id", outcome.id}, {"post_id", post_id}});
  ++comments_;
  ++own_answers_[post_id];
  post_of_[outcome.id] = post_id;
  if (is_reply) {
    replied_ = true;
    marked_ = outcome.notification_read;
    reply_id_ = outcome.id;
  } else {
    ++next_effect_;
    ++effects_done_;
  }
}

Task<WriteOutcome> HubWriter::post(hubapi::NewPost post, Deadline deadline) {
  if (auto refusal = right_refusal()) co_return WriteOutcome::refused(*std::move(refusal));
  if (!rules_.can_create_posts) {
    co_return WriteOutcome::refused(
        denied("behavior.can_create_posts",
               "this agent may only reply (behavior.can_create_posts is false)"));
  }
  check_trust();
  post.title = without_secrets(std::move(post.title));
  post.content = without_secrets(std::move(post.content));
  const auto slot = next_slot();
  auto past = past_effect(slot);
  Write write{.charged = {.posts = 1}, .at = clock_.wall()};
  if (!past) {
    if (auto refusal = effect_refusal()) co_return WriteOutcome::refused(*std::move(refusal));
    if (auto refusal = co_await reserve(write.charged, write.at, deadline))
      co_return WriteOutcome::refused(*std::move(refusal));
  }
  write.effect =
      effect_for(slot, "/posts",
                 {{"title", post.title}, {"community", post.community}, {"content", post.content}});
  write.send = [this, post, deadline](hubapi::WriteGuard guard) {
    return hub_.create_post(identity_.id, post, std::move(guard), deadline);
  };
  const auto outcome = past ? co_await finish(std::move(write), *std::move(past), deadline)
                            : co_await make(std::move(write));
  if (!outcome.done) co_return outcome;
  log_.info("created_post", {{"post_id", outcome.id}});
  ++posts_;
  ++next_effect_;
  ++effects_done_;
  own_answers_.emplace(outcome.id, 0);
  co_return outcome;
}

Task<std::string> HubWriter::limits_left() {
  const auto used = co_await state_.usage(identity_.id, clock_.wall());
  const auto left = [](std::int64_t limit, std::int64_t spent) {
    return std::max<std::int64_t>(0, limit - spent);
  };
  co_return fmt::format("Left today: {} posts, {} comments; at most {} answers in one thread.",
                        left(rules_.limits.max_daily_posts, used.day.posts),
                        left(rules_.limits.max_daily_comments, used.day.comments),
                        rules_.limits.max_responses_per_thread);
}

}  // namespace botburrow::tools
