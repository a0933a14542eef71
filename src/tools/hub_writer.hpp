#pragma once

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/scrubber.hpp"
#include "base/task.hpp"
#include "definitions/definition.hpp"
#include "definitions/grants.hpp"
#include "hubapi/client.hpp"
#include "queue/agent_state.hpp"
#include "tools/effect_journal.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace botburrow::tools {

/// The only way an activation writes to the Hub: grants, limits, fence and idempotency key are put
/// in here, whoever asks (a tool, or the rule that posts a final answer).
///
/// Limits are charged before the Hub is asked and given back if it is certain that nothing was
/// written, or that an earlier run wrote it; a write whose outcome is unknown stays charged.
///
/// Each write is in the journal before the Hub hears of it, and what came of it afterwards. A later
/// run of the same work takes what is known of it from there; what was sent with no known outcome
/// is looked up at the Hub, and sent again, under the same key, only if the Hub has not got it.
///
/// Throws Error{stale_fence} when the lease is no longer trusted or the Hub says so: nothing more
/// may be written. Throws http_unavailable, timeout, http_status with 5xx, hub_auth 401 and
/// redis_unavailable when the write cannot be made now or its outcome is unknown; repeating later
/// under the same scope is safe, another write in this run is not.
class HubWriter {
 public:
  struct Identity {
    AgentId id;
    std::string name;
    std::string fence;  ///< "G.C" of the claim
  };
  struct Rules {
    definitions::Limits limits;
    bool can_create_posts = true;
    definitions::GrantSet grants;
    const Scrubber* scrubber = nullptr;  ///< takes secrets out of what is posted; outlives it
  };

  /// `may_write` is asked right before each write: false once the lease is no longer trusted.
  HubWriter(hubapi::HubClient& hub, queue::AgentState& state, Clock& clock, Identity identity,
            Rules rules, std::function<bool()> may_write, EffectJournal& journal, Log log,
            Metrics& metrics);

  /// From here on writes belong to this notification (scope `n:<id>`).
  void begin_notification(const hubapi::Notification& notification);
  /// From here on writes belong to this work item (scope `w:<id>`).
  void begin_work(const WorkId& work);

  /// Asked before each write of this scope; words = refused with them. Gone with the next begin_.
  using Gate = std::function<std::optional<std::string>()>;
  void set_gate(Gate gate) { gate_ = std::move(gate); }

  /// Takes note of a thread as the Hub returned it: how often the agent has answered there, and
  /// which comments belong to it. What is not known is read when it is needed.
  void know_thread(const hubapi::Post& thread);

  /// A comment on the post or below the comment that `target` names.
  Task<WriteOutcome> comment(std::string target, std::string content, Deadline deadline);
  Task<WriteOutcome> post(hubapi::NewPost post, Deadline deadline);

  /// An earlier run wrote this, and this run goes on from there: the next write is another.
  void made_before(const std::string& id);

  /// What writes belong to now: `n:<notification id>` or `w:<work id>`.
  const std::string& scope() const { return scope_; }
  /// A comment of this scope went to the notification's own thread.
  bool replied() const { return replied_; }
  const std::string& reply_id() const { return reply_id_; }
  bool notification_was_marked() const { return marked_; }
  int posts_created() const { return posts_; }
  int comments_created() const { return comments_; }
  /// Daily limits that are left, for the prompt.
  Task<std::string> limits_left();

 private:
  /// Where a comment goes, or why it cannot.
  struct Place {
    std::string post_id;
    std::string parent_id;  ///< empty: on the post itself
    std::optional<WriteRefusal> refusal;
  };
  void begin_scope(std::string scope);
  Task<Place> find_place(std::string target, Deadline deadline);
  std::optional<Place> known_place(const std::string& target) const;
  bool is_own_answer(const hubapi::Comment& comment) const;
  std::optional<WriteRefusal> thread_refusal(const std::string& post_id) const;
  std::optional<WriteRefusal> right_refusal() const;
  /// Whoever asked: what the agent lacks is in the log and counted.
  WriteRefusal denied(std::string_view missing, std::string text) const;
  std::optional<WriteRefusal> effect_refusal() const;
  Task<std::optional<WriteRefusal>> interval_refusal(Deadline deadline);
  Task<std::optional<WriteRefusal>> charge(queue::Usage amount, WallTime at);
  /// Charges the day and takes the slot of the interval: both or none.
  Task<std::optional<WriteRefusal>> reserve(queue::Usage amount, WallTime at, Deadline deadline);
  Task<> give_back(queue::Usage amount, WallTime at, bool slot_too);
  /// A write under way.
  struct Write {
    Effect effect;
    queue::Usage charged;
    WallTime at{};
    std::function<Task<hubapi::Written>(hubapi::WriteGuard)> send;
  };
  Effect effect_for(std::string slot, std::string path, boost::json::object body) const;
  void check_trust() const;
  std::string without_secrets(std::string text) const;
  std::string next_slot() const;
  std::optional<PastEffect> take_past(const std::string& slot);
  std::optional<PastEffect> past_effect(const std::string& slot);
  void count_comment(const WriteOutcome& outcome, const std::string& post_id, bool is_reply);
  /// Makes a new effect: writes it down, sends it, and sorts what can come back.
  Task<WriteOutcome> make(Write write);
  /// Brings an effect of an earlier run to its end.
  Task<WriteOutcome> finish(Write write, PastEffect past, Deadline deadline);
  /// The same for one whose outcome nobody wrote down.
  Task<std::optional<WriteOutcome>> look_up(Effect effect, Deadline deadline);
  /// Sends and sorts what can come back: written, or a refusal; the rest is thrown.
  Task<WriteOutcome> send(Write write);

  hubapi::HubClient& hub_;
  queue::AgentState& state_;
  Clock& clock_;
  Identity identity_;
  Rules rules_;
  std::function<bool()> may_write_;
  EffectJournal& journal_;
  Log log_;
  Metrics& metrics_;
  Gate gate_;
  std::string scope_;
  std::string notification_id_, own_post_, own_comment_;
  bool replied_ = false;
  bool marked_ = false;
  std::string reply_id_;
  std::map<std::string, std::deque<PastEffect>> set_aside_;  ///< taken and not used, by slot
  int next_effect_ = 0;                                      ///< number of the scope's next effect
  int effects_done_ = 0;                                     ///< of the whole activation
  int posts_ = 0;
  int comments_ = 0;
  std::map<std::string, int> own_answers_;      ///< by post
  std::map<std::string, std::string> post_of_;  ///< by comment
};

/// Sorts an error of a Hub write: a refusal in words, or nothing where the outcome is another's
/// business (outage, stale fence, wrong key).
std::optional<WriteRefusal> refusal_of(const Error& error);

/// Whether an error of a Hub write says for certain that nothing was written.
bool surely_not_written(const Error& error);

}  // namespace botburrow::tools
