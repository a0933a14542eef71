#pragma once

#include "agent/loop.hpp"
#include "agent/past_work.hpp"
#include "base/metrics.hpp"
#include "base/scrubber.hpp"
#include "base/time.hpp"
#include "llm/prices.hpp"
#include "queue/journal.hpp"
#include "queue/work_queue.hpp"
#include "tools/effect_journal.hpp"

#include <string>
#include <vector>

namespace botburrow::agent {

/// The journal of one activation: what earlier claims of its work wrote, and where it writes.
///
/// A model call and an effect are written down before they are made, and the lines before them with
/// them; a model's answer as soon as it is there. Other lines wait for the next of these, or for
/// the end of the claim. Every writing throws Error{stale_fence, journal_full, redis_unavailable}.
/// What `scrubber` finds is not written.
class RunJournal final : public LoopJournal, public tools::EffectJournal {
 public:
  RunJournal(queue::Journal& store, const queue::Claim& claim, const llm::PriceTable& prices,
             Clock& clock, Metrics& metrics, const Scrubber* scrubber = nullptr);

  /// Reads what earlier claims wrote; asks nobody when this is the first.
  Task<> open();
  const std::vector<UnreportedRun>& unreported() const { return past_.unreported; }

  /// The notifications that earlier claims began, in their order.
  std::vector<hubapi::Notification> begun_notifications() const;
  /// What an earlier claim made of a notification, if it is settled.
  std::optional<RecordedEnd> find_end(const std::string& notification_id) const;

  /// Whether an earlier claim began it and did not settle it.
  bool began(const std::string& notification_id) const;

  /// From here on model calls belong to this scope. True: an earlier claim began it, and its turns
  /// come first.
  bool begin_notification(const hubapi::Notification& notification);
  bool begin_work(const WorkId& work);
  void end_notification(const std::string& notification_id, const RecordedEnd& end);

  std::optional<RecordedTurn> next_turn() override;
  bool has_turns() const override;
  Task<> calling(std::vector<llm::Message> added) override;
  Task<> answered(const llm::ModelAnswer& answer) override;

  std::optional<tools::PastEffect> take_past(const std::string& scope,
                                             const std::string& slot) override;
  Task<> intend(tools::Effect effect) override;
  void record(const std::string& scope, const std::string& slot,
              const tools::WriteOutcome& outcome) override;

  /// The last lines, for the call that ends the claim; empty when nothing was ever written.
  std::string closing_lines(boost::json::object ended);

 private:
  bool enter(std::string scope);
  void add(queue::JournalKind kind, boost::json::object fields);
  Task<> flush();

  queue::Journal& store_;
  const queue::Claim& claim_;
  const llm::PriceTable& prices_;
  Clock& clock_;
  const Scrubber* scrubber_;
  MetricValue& answers_reused_;
  MetricValue& effects_reused_;
  PastWork past_;
  queue::JournalSize size_;
  std::vector<queue::JournalEntry> unwritten_;
  std::string scope_;
  bool started_ = false;
  bool stored_ = false;  ///< there is a journal
};

}  // namespace botburrow::agent
