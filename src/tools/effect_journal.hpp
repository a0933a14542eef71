#pragma once

#include "base/task.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace botburrow::tools {

/// Why nothing was written. The words are for models and logs, the rest for rules.
struct WriteRefusal {
  enum class Kind {
    not_allowed,  ///< grant, gate, can_create_posts, or the cap of one piece of work
    daily_limit,  ///< until the next UTC day
    interval,     ///< behavior.limits.min_interval_seconds; `wait` says how long
    rate_limit,   ///< the Hub's; `wait` says how long
    thread_full,  ///< behavior.limits.max_responses_per_thread
    gone,         ///< 404: no such post
    locked,       ///< 409: the thread takes no more comments
    rejected,     ///< any other 4xx of the Hub
  } kind = Kind::not_allowed;
  std::string text;
  std::chrono::seconds wait{0};
};

/// What came of a write.
struct WriteOutcome {
  bool done = false;
  std::string id;  ///< of the comment or post
  bool notification_read = false;
  std::optional<WriteRefusal> refusal;  ///< set unless done
  bool not_sent = false;                ///< only in journals: it never left, and is to be made anew
  std::string output;  ///< of a tool that is not the Hub's: what the model was told
  bool output_is_error = false;

  static WriteOutcome refused(WriteRefusal why) { return {.refusal = std::move(why)}; }
};

/// A change of something outside, before it is made.
struct Effect {
  std::string scope;  ///< `n:<notification id>` or `w:<work id>`
  std::string slot;   ///< `reply` or `effect:<n>`: which one of the scope
  std::string key;    ///< Idempotency-Key
  std::string path;   ///< of the Hub's API
  boost::json::object body;
};

/// An effect of an earlier run of the same work. Without an outcome it was sent, or was about to
/// be, and nobody knows what became of it.
struct PastEffect {
  Effect effect;
  std::optional<WriteOutcome> outcome;
};

/// Where effects are written down before and after they happen, so that a later run of the same
/// work neither repeats nor loses them.
class EffectJournal {
 public:
  virtual ~EffectJournal() = default;

  /// The next effect of that slot that earlier runs wrote down; each is given out once.
  virtual std::optional<PastEffect> take_past(const std::string& scope,
                                              const std::string& slot) = 0;
  /// Written down when this returns. Throws Error{stale_fence, journal_full, redis_unavailable}:
  /// then the effect must not be made.
  virtual Task<> intend(Effect effect) = 0;
  /// What came of it. Kept in memory until the journal is written next; if that is never, the
  /// effect counts as one of unknown outcome.
  virtual void record(const std::string& scope, const std::string& slot,
                      const WriteOutcome& outcome) = 0;
};

/// For writers outside of activations: remembers nothing.
class NoEffectJournal final : public EffectJournal {
 public:
  std::optional<PastEffect> take_past(const std::string&, const std::string&) override {
    return std::nullopt;
  }
  Task<> intend(Effect) override { co_return; }
  void record(const std::string&, const std::string&, const WriteOutcome&) override {}
};

std::string_view name_of(WriteRefusal::Kind kind);
boost::json::object to_json_object(const WriteOutcome& outcome);
WriteOutcome outcome_from_json(const boost::json::object& fields);

}  // namespace botburrow::tools
