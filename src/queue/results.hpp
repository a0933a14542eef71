#pragma once

#include "base/ids.hpp"
#include "queue/work_item.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow::queue {

/// How an activation ended. `timeout` counts as a failure for the circuit breaker; `skipped`,
/// `cancelled` and `over_budget` count as neither success nor failure.
enum class Outcome { success, failure, timeout, skipped, cancelled, over_budget };

/// `success`, `failure`, `timeout`, `skipped`, `cancelled`, `over_budget`.
std::string_view name_of(Outcome outcome);
/// The `status` of results and metrics: over_budget is `skipped`.
std::string_view status_of(Outcome outcome);
bool is_failure(Outcome outcome);

/// One element of `activation:results`.
struct ActivationResult {
  AgentId agent_id;
  std::string agent_name;
  bool success = false;
  std::int64_t posts_created = 0;
  std::int64_t comments_created = 0;
  std::int64_t notifications_processed = 0;
  std::int64_t tokens_input = 0;
  std::int64_t tokens_output = 0;
  double cost_usd = 0;
  double duration_seconds = 0;
  std::optional<std::string> error;
  std::string timestamp;  ///< RFC 3339
  ActivationId activation_id;
  WorkId work_id;
  RunnerId runner_id;
  TaskType task_type = TaskType::inbox;
  std::string status;

  std::int64_t tokens_used() const { return tokens_input + tokens_output; }
};

/// At most 500 bytes of `error` are kept.
std::string encode(const ActivationResult& result);
std::optional<ActivationResult> decode_result(std::string_view text);

}  // namespace botburrow::queue
