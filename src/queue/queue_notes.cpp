#include "queue/queue_notes.hpp"

#include "base/json.hpp"
#include "queue/breaker.hpp"
#include "queue/item_text.hpp"
#include "queue/scripts.hpp"

namespace botburrow::queue {

using net::RedisReply;
using std::chrono::seconds;

namespace {

Fence fence_of(const RedisReply& generation, const RedisReply& counter) {
  return {.generation = number_of(generation), .counter = number_of(counter)};
}

Claim read_claim(const RedisReply::Array& fields, const RunnerId& runner) {
  const auto text = [&fields](std::size_t i) { return text_of_reply(fields.at(i)); };
  const std::string lane = text(0);
  Claim claim{.item = {.agent_id = AgentId(text(7)),
                       .agent_name = text(8),
                       .task_type = parse_task_type(text(9)).value_or(TaskType::inbox),
                       .priority = parse_priority(text(10)),
                       .inbox_count = number_of(fields.at(11)),
                       .created_at = decimal_of(text(12)),
                       .notification_id = text(13),
                       .work_id = WorkId(text(4)),
                       .attempt = number_of(fields.at(3)),
                       .history = decode_history(text(15))},
              .fence = fence_of(fields.at(2), fields.at(1)),
              .attempt = number_of(fields.at(3)),
              .queue = parse_priority(lane.substr(lane.rfind(':') + 1)),
              .runner_id = runner,
              .activation_id = ActivationId(text(5)),
              .work_id = WorkId(text(4)),
              .lease = std::chrono::milliseconds(number_of(fields.at(6))),
              .waited = std::chrono::milliseconds(number_of(fields.at(14)))};
  return claim;
}

std::string_view event_of(EnqueueResult result) {
  switch (result) {
    case EnqueueResult::enqueued:
      return "work_enqueued";
    case EnqueueResult::upgraded:
      return "work_upgraded";
    case EnqueueResult::dup_active:
    case EnqueueResult::dup_queued:
      return "duplicate_work_skipped";
    case EnqueueResult::backoff:
      return "agent_in_backoff";
    case EnqueueResult::paused:
      return "agent_paused";
    case EnqueueResult::stale_leader:
      return "stale_leader_refused";
  }
  return "work_enqueued";
}

}  // namespace

QueueNotes::QueueNotes(Log log, Metrics* metrics, bool per_agent)
    : log_(std::move(log)), per_agent_(per_agent) {
  if (metrics != nullptr) metrics_.emplace(*metrics);
}

std::string QueueNotes::agent_label(const std::string& agent) const {
  return per_agent_ ? agent : "_other";
}

void QueueNotes::dropped(const RedisReply& dropped) {
  for (const RedisReply& entry : dropped.array()) {
    log_.error("work_dead_dropped", {{"msg", "the dead letters are full; this one fell out"},
                                     {"entry", text_of_reply(entry)}});
  }
}

void QueueNotes::unreadable(const RedisReply& entries) {
  for (const RedisReply& entry : entries.array()) {
    const auto& fields = entry.array();
    log_.error("work_item_invalid",
               {{"dead_letter", text_of_reply(fields.at(0))},
                {"queue", text_of_reply(fields.at(1))},
                {"reason", text_of_reply(fields.at(2))},
                {"first_bytes", valid_utf8(text_of_reply(fields.at(3)))},
                {"msg", "moved to the dead letters; the producer must write a work item"}});
    if (metrics_) {
      metrics_->invalid.with({}).add();
      metrics_->dead.with({}).add();
    }
  }
}

Claim QueueNotes::claim_of(const RedisReply::Array& fields, const ClaimRequest& request) {
  Claim claim = read_claim(fields, request.runner_id);
  const double waited = std::chrono::duration<double>(claim.waited).count();
  log_.info("work_claimed", {{"agent_id", claim.item.agent_id.str()},
                             {"runner_id", claim.runner_id.str()},
                             {"activation_id", claim.activation_id.str()},
                             {"queue", queue_key(claim.queue)},
                             {"task_type", name_of(claim.item.task_type)},
                             {"priority", name_of(claim.item.priority)},
                             {"attempt", claim.attempt},
                             {"wait_seconds", waited}});
  if (metrics_) {
    metrics_->wait.with({agent_label(claim.item.agent_id.str()), std::string(name_of(claim.queue))})
        .observe(waited);
  }
  return claim;
}

void QueueNotes::enqueued(const WorkItem& item, EnqueueResult result) {
  // Fields cost their formatting also where nobody writes them, and this is for every item.
  if (log_.enabled(LogLevel::debug)) {
    log_.debug(event_of(result), {{"agent_id", item.agent_id.str()},
                                  {"priority", name_of(item.priority)},
                                  {"queue", queue_key(item.priority)},
                                  {"result", name_of(result)}});
  }
  if (metrics_) {
    metrics_->enqueued.with({std::string(name_of(item.priority)), std::string(name_of(result))})
        .add();
  }
}

void QueueNotes::breaker(const std::string& agent, std::int64_t failures, seconds backoff) {
  if (failures < kFailuresMax) return;
  log_.warning("agent_circuit_breaker",
               {{"agent_id", agent}, {"failures", failures}, {"backoff_seconds", backoff.count()}});
}

CompleteAnswer QueueNotes::completed(const RedisReply::Array& fields,
                                     const Completion& completion) {
  CompleteAnswer answer{.ok = fields.at(0).str() == "OK",
                        .failures = number_of(fields.at(1)),
                        .backoff = seconds(number_of(fields.at(2))),
                        .follow_up = number_of(fields.at(3)) == 1,
                        .next = std::nullopt};
  if (log_.enabled(LogLevel::debug)) {
    log_.debug("work_completed", {{"agent_id", completion.lease.agent_id.str()},
                                  {"activation_id", completion.lease.activation_id.str()},
                                  {"success", completion.result.success},
                                  {"owner", answer.ok}});
  }
  if (answer.ok && is_failure(completion.outcome))
    breaker(completion.lease.agent_id.str(), answer.failures, answer.backoff);
  return answer;
}

void QueueNotes::reaped(const ReapRequest& request, const RedisReply::Array& answer,
                        ReapResult result) {
  const std::string& agent = request.lease.agent_id.str();
  const std::int64_t attempt = number_of(answer.at(1));
  const std::string activation = text_of_reply(answer.at(2));
  const std::string runner = text_of_reply(answer.at(3));
  dropped(answer.at(9));
  if (result == ReapResult::cancelled) {
    log_.warning("activation_cancelled", {{"agent_id", agent},
                                          {"activation_id", activation},
                                          {"runner_id", runner},
                                          {"msg", "stopped by an operator; its runner is gone"}});
    return;
  }
  if (result == ReapResult::dead) {
    const std::int64_t failures = number_of(answer.at(6));
    log_.error("work_dead", {{"agent_id", agent},
                             {"activation_id", activation},
                             {"runner_id", runner},
                             {"attempt", attempt},
                             {"dead_letter", text_of_reply(answer.at(8))},
                             {"msg", "crashed its runner too often; see `botburrow dead`"}});
    breaker(agent, failures, seconds(number_of(answer.at(7))));
    if (metrics_) metrics_->dead.with({}).add();
    return;
  }
  log_.warning("work_requeued", {{"agent_id", agent},
                                 {"activation_id", activation},
                                 {"runner_id", runner},
                                 {"attempt", attempt},
                                 {"reason", "crash"},
                                 {"deferred", result == ReapResult::deferred}});
  if (metrics_) {
    metrics_->requeued.with({"crash"}).add();
    metrics_->retries.with({agent_label(agent)}).add();
  }
}

std::vector<std::optional<Claim>> QueueNotes::claims(
    const RedisReply& reply, std::span<const ClaimRequest* const> requests) {
  const auto& parts = reply.array();
  unreadable(parts.at(1));
  dropped(parts.at(2));
  std::vector<std::optional<Claim>> taken(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto& fields = parts.at(0).array().at(i).array();
    if (!fields.empty()) taken[i] = claim_of(fields, *requests[i]);
  }
  return taken;
}

void QueueNotes::handed_back(const HandBack& hand_back, seconds defer) {
  log_.info("work_requeued", {{"agent_id", hand_back.lease.agent_id.str()},
                              {"activation_id", hand_back.lease.activation_id.str()},
                              {"reason", name_of(hand_back.reason)},
                              {"deferred", defer.count() > 0}});
  if (metrics_) metrics_->requeued.with({std::string(name_of(hand_back.reason))}).add();
}

}  // namespace botburrow::queue
