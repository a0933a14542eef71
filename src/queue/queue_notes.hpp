#pragma once
// What the scripts answer, as the log, the metrics and the callers get it.
#include "base/log.hpp"
#include "net/redis.hpp"
#include "queue/metrics.hpp"
#include "queue/work_queue.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace botburrow::queue {

/// Reads answers of the queue's scripts, and writes down what happened. Throws std::out_of_range
/// for an answer that is no script's.
class QueueNotes {
 public:
  /// `metrics` may be null. `per_agent`: METRICS_PER_AGENT.
  QueueNotes(Log log, Metrics* metrics, bool per_agent);

  void enqueued(const WorkItem& item, EnqueueResult result);
  /// {{claim or {} for each}, unreadable, dropped}: a claim script's reply. Answers as many.
  std::vector<std::optional<Claim>> claims(const net::RedisReply& reply,
                                           std::span<const ClaimRequest* const> requests);
  CompleteAnswer completed(const net::RedisReply::Array& fields, const Completion& completion);
  void handed_back(const HandBack& hand_back, std::chrono::seconds defer);
  void reaped(const ReapRequest& request, const net::RedisReply::Array& answer, ReapResult result);
  void unreadable(const net::RedisReply& entries);
  void dropped(const net::RedisReply& dropped);

 private:
  std::string agent_label(const std::string& agent) const;
  Claim claim_of(const net::RedisReply::Array& fields, const ClaimRequest& request);
  void breaker(const std::string& agent, std::int64_t failures, std::chrono::seconds backoff);

  Log log_;
  std::optional<QueueMetrics> metrics_;
  bool per_agent_;
};

}  // namespace botburrow::queue
