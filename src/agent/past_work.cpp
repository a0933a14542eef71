#include "agent/past_work.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "hubapi/wire.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <set>

namespace botburrow::agent {
namespace {

using queue::JournalKind;
using queue::JournalLine;

std::string text(const json::value& fields, std::string_view key) {
  return string_field(fields, key).value_or("");
}

class Reader {
 public:
  PastWork read(const std::vector<JournalLine>& lines) {
    for (const auto& line : lines) {
      try {
        take(line);
      } catch (const Error&) {
        // Of a version that writes it otherwise: what it told is done anew, under the same keys.
      }
    }
    for (const auto& run : runs_) {
      const bool spent = run.usage.input + run.usage.output > 0;
      if (spent && !ended_.contains(run.activation_id)) work_.unreported.push_back(run);
    }
    return std::move(work_);
  }

 private:
  void take(const JournalLine& line) {
    const json::value fields(line.fields);
    switch (line.kind) {
      case JournalKind::started:
        return;
      case JournalKind::ended:
        ended_.insert(line.activation_id);
        return;
      case JournalKind::notification:
        return notification(fields);
      case JournalKind::model_call:
        return model_call(fields);
      case JournalKind::model_answer:
        return model_answer(line.activation_id, fields);
      case JournalKind::effect:
        return effect(fields);
      case JournalKind::effect_done:
        return effect_done(fields);
    }
  }

  PastScope& scope_of(const json::value& fields) {
    const auto name = text(fields, "scope");
    const auto [found, is_new] = work_.scopes.try_emplace(name);
    if (is_new) work_.order.push_back(name);
    return found->second;
  }

  void notification(const json::value& fields) {
    auto& scope = scope_of(fields);
    if (const auto* what = find_field(fields, "notification")) {
      scope.notification = hubapi::read_notification(*what);
      scope.ended.reset();
      return;
    }
    scope.ended = RecordedEnd{.outcome = text(fields, "outcome"),
                              .reason = text(fields, "reason"),
                              .comment_id = text(fields, "comment_id")};
    if (scope.ended->settled()) return;
    scope.ended.reset();
    scope.turns.clear();
    std::erase_if(scope.effects, [](const tools::PastEffect& past) {
      return past.outcome && past.outcome->refusal.has_value();
    });
  }

  void model_call(const json::value& fields) {
    auto& turns = scope_of(fields).turns;
    // Asked once more, after a call that nobody heard the answer of.
    if (turns.empty() || turns.back().answer) turns.emplace_back();
    for (const auto& message : array_field(fields, "messages"))
      turns.back().asked.push_back(llm::message_from_json(message));
  }

  void model_answer(const ActivationId& activation, const json::value& fields) {
    const auto* value = find_field(fields, "answer");
    if (!value) return;
    auto answer = llm::answer_from_json(*value);
    auto& run = run_of(activation);
    run.usage += answer.usage;
    run.cost_usd += number_field(fields, "cost_usd").value_or(0);
    run.provider = answer.provider;
    run.model = answer.model;
    auto& turns = scope_of(fields).turns;
    if (!turns.empty()) turns.back().answer = std::move(answer);
  }

  void effect(const json::value& fields) {
    const auto* body = find_field(fields, "body");
    scope_of(fields).effects.push_back(
        {.effect = {.scope = text(fields, "scope"),
                    .slot = text(fields, "slot"),
                    .key = text(fields, "key"),
                    .path = text(fields, "path"),
                    .body = body && body->is_object() ? body->get_object() : json::object()},
         .outcome = std::nullopt});
  }

  void effect_done(const json::value& fields) {
    auto& effects = scope_of(fields).effects;
    const auto slot = text(fields, "slot");
    const auto found = std::find_if(effects.rbegin(), effects.rend(), [&](const auto& past) {
      return past.effect.slot == slot && !past.outcome;
    });
    if (found != effects.rend()) found->outcome = tools::outcome_from_json(fields.get_object());
  }

  UnreportedRun& run_of(const ActivationId& activation) {
    const auto found = std::ranges::find(runs_, activation, &UnreportedRun::activation_id);
    if (found != runs_.end()) return *found;
    runs_.push_back({.activation_id = activation});
    return runs_.back();
  }

  PastWork work_;
  std::vector<UnreportedRun> runs_;
  std::set<ActivationId> ended_;
};

}  // namespace

PastWork read_past(const std::vector<JournalLine>& lines) {
  return Reader().read(lines);
}

}  // namespace botburrow::agent
