#include "agent/run_journal.hpp"

#include "agent/metrics.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "hubapi/wire.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <utility>

namespace botburrow::agent {
namespace {

using queue::JournalKind;

constexpr std::size_t kReasonBytes = 500;

std::string scope_of(const std::string& notification_id) {
  return "n:" + notification_id;
}

}  // namespace

RunJournal::RunJournal(queue::Journal& store, const queue::Claim& claim,
                       const llm::PriceTable& prices, Clock& clock, Metrics& metrics,
                       const Scrubber* scrubber)
    : store_(store),
      claim_(claim),
      prices_(prices),
      clock_(clock),
      scrubber_(scrubber),
      answers_reused_(AgentMetrics(metrics).answers_reused.with({})),
      effects_reused_(AgentMetrics(metrics).effects_reused.with({})) {}

Task<> RunJournal::open() {
  // The first claim of a piece of work gives it its name.
  if (claim_.work_id.str() == claim_.activation_id.str()) co_return;
  auto read = co_await store_.load(claim_.work_id);
  past_ = read_past(read.lines);
  size_ = read.size;
  stored_ = size_.lines > 0;
}

std::vector<hubapi::Notification> RunJournal::begun_notifications() const {
  std::vector<hubapi::Notification> begun;
  for (const auto& name : past_.order) {
    const auto& scope = past_.scopes.at(name);
    const bool goes_on = scope.ended || !scope.turns.empty();
    if (scope.notification && goes_on) begun.push_back(*scope.notification);
  }
  return begun;
}

std::optional<RecordedEnd> RunJournal::find_end(const std::string& notification_id) const {
  const auto found = past_.scopes.find(scope_of(notification_id));
  return found == past_.scopes.end() ? std::nullopt : found->second.ended;
}

bool RunJournal::began(const std::string& notification_id) const {
  const auto found = past_.scopes.find(scope_of(notification_id));
  return found != past_.scopes.end() && !found->second.ended && !found->second.turns.empty();
}

bool RunJournal::enter(std::string scope) {
  scope_ = std::move(scope);
  return has_turns();
}

bool RunJournal::begin_notification(const hubapi::Notification& notification) {
  const bool goes_on = enter(scope_of(notification.id));
  if (!goes_on) {
    add(JournalKind::notification,
        {{"scope", scope_}, {"notification", hubapi::to_json_value(notification)}});
  }
  return goes_on;
}

bool RunJournal::begin_work(const WorkId& work) {
  return enter("w:" + work.str());
}

void RunJournal::end_notification(const std::string& notification_id, const RecordedEnd& end) {
  // What was settled without a model or a write has nothing to go on with.
  if (!stored_ && unwritten_.empty()) return;
  add(JournalKind::notification, {{"scope", scope_of(notification_id)},
                                  {"outcome", end.outcome},
                                  {"reason", utf8_prefix(end.reason, kReasonBytes)},
                                  {"comment_id", end.comment_id}});
}

bool RunJournal::has_turns() const {
  const auto found = past_.scopes.find(scope_);
  return found != past_.scopes.end() && !found->second.turns.empty();
}

std::optional<RecordedTurn> RunJournal::next_turn() {
  if (!has_turns()) return std::nullopt;
  auto& turns = past_.scopes.at(scope_).turns;
  auto turn = std::move(turns.front());
  turns.pop_front();
  if (turn.answer) answers_reused_.add();
  return turn;
}

Task<> RunJournal::calling(std::vector<llm::Message> added) {
  json::array messages;
  for (const auto& message : added)
    messages.push_back(llm::to_json_value(message));
  add(JournalKind::model_call, {{"scope", scope_}, {"messages", std::move(messages)}});
  co_await flush();
}

Task<> RunJournal::answered(const llm::ModelAnswer& answer) {
  add(JournalKind::model_answer, {{"scope", scope_},
                                  {"cost_usd", prices_.cost_usd(answer)},
                                  {"answer", llm::to_json_value(answer)}});
  co_await flush();
}

std::optional<tools::PastEffect> RunJournal::take_past(const std::string& scope,
                                                       const std::string& slot) {
  const auto found = past_.scopes.find(scope);
  if (found == past_.scopes.end()) return std::nullopt;
  auto& effects = found->second.effects;
  const auto effect = std::ranges::find_if(
      effects, [&](const tools::PastEffect& past) { return past.effect.slot == slot; });
  if (effect == effects.end()) return std::nullopt;
  auto past = std::move(*effect);
  effects.erase(effect);
  effects_reused_.add();
  return past;
}

Task<> RunJournal::intend(tools::Effect effect) {
  add(JournalKind::effect, {{"scope", effect.scope},
                            {"slot", effect.slot},
                            {"key", effect.key},
                            {"path", effect.path},
                            {"body", effect.body}});
  co_await flush();
}

void RunJournal::record(const std::string& scope, const std::string& slot,
                        const tools::WriteOutcome& outcome) {
  auto fields = tools::to_json_object(outcome);
  fields["scope"] = scope;
  fields["slot"] = slot;
  add(JournalKind::effect_done, std::move(fields));
}

void RunJournal::add(JournalKind kind, json::object fields) {
  const auto line = [&](JournalKind of, json::object with) {
    unwritten_.push_back(queue::encode({.n = size_.lines,
                                        .at = to_rfc3339(clock_.wall()),
                                        .activation_id = claim_.activation_id,
                                        .kind = of,
                                        .fields = std::move(with)},
                                       size_));
  };
  if (!std::exchange(started_, true)) {
    line(JournalKind::started, {{"agent_id", claim_.item.agent_id.str()},
                                {"agent_name", claim_.item.agent_name},
                                {"runner_id", claim_.runner_id.str()},
                                {"task_type", queue::name_of(claim_.item.task_type)},
                                {"attempt", claim_.attempt},
                                {"fence", claim_.fence.to_string()}});
  }
  if (scrubber_) fields = scrubber_->scrub_document(std::move(fields)).as_object();
  line(kind, std::move(fields));
}

Task<> RunJournal::flush() {
  if (unwritten_.empty()) co_return;
  co_await store_.append(queue::ref_of(claim_), unwritten_);
  unwritten_.clear();
  stored_ = true;
}

std::string RunJournal::closing_lines(json::object ended) {
  if (!stored_) return "";
  try {
    add(JournalKind::ended, std::move(ended));
  } catch (const Error&) {
    // Full: what fitted is there, and the result of the activation says how it ended.
  }
  std::string text;
  for (const auto& entry : unwritten_) {
    if (!entry.payload.empty()) continue;
    if (!text.empty()) text += '\n';
    text += entry.line;
  }
  return text;
}

}  // namespace botburrow::agent
