#include "queue/agent_state.hpp"
#include "queue/heartbeats.hpp"
#include "queue/work_queue.hpp"

#include <fmt/format.h>

#include <charconv>

namespace botburrow::queue {

std::string_view name_of(RunnerMode mode) {
  switch (mode) {
    case RunnerMode::notification:
      return "notification";
    case RunnerMode::exploration:
      return "exploration";
    case RunnerMode::hybrid:
      return "hybrid";
  }
  return "hybrid";
}

std::optional<RunnerMode> parse_runner_mode(std::string_view text) {
  for (const auto mode : {RunnerMode::notification, RunnerMode::exploration, RunnerMode::hybrid}) {
    if (name_of(mode) == text) return mode;
  }
  return std::nullopt;
}

bool accepts(RunnerMode mode, TaskType type) {
  return mode == RunnerMode::hybrid ||
         (mode == RunnerMode::notification) == (type == TaskType::inbox);
}

std::string Fence::to_string() const {
  return fmt::format("{}.{}", generation, counter);
}

std::optional<Fence> parse_fence(std::string_view text) {
  const auto parse = [](std::string_view digits) -> std::optional<std::int64_t> {
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (fault != std::errc() || end != digits.data() + digits.size() || number < 0)
      return std::nullopt;
    return number;
  };
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto generation = parse(text.substr(0, dot));
  const auto counter = parse(text.substr(dot + 1));
  if (!generation || !counter) return std::nullopt;
  return Fence{.generation = *generation, .counter = *counter};
}

std::string_view name_of(EnqueueResult result) {
  switch (result) {
    case EnqueueResult::enqueued:
      return "ENQUEUED";
    case EnqueueResult::upgraded:
      return "UPGRADED";
    case EnqueueResult::dup_active:
      return "DUP_ACTIVE";
    case EnqueueResult::dup_queued:
      return "DUP_QUEUED";
    case EnqueueResult::backoff:
      return "BACKOFF";
    case EnqueueResult::paused:
      return "PAUSED";
    case EnqueueResult::stale_leader:
      return "STALE_LEADER";
  }
  return "ENQUEUED";
}

std::string_view name_of(ReapResult result) {
  switch (result) {
    case ReapResult::requeued:
      return "REQUEUED";
    case ReapResult::deferred:
      return "DEFERRED";
    case ReapResult::dead:
      return "DEAD";
    case ReapResult::cancelled:
      return "CANCELLED";
    case ReapResult::moved:
      return "MOVED";
  }
  return "MOVED";
}

std::string_view name_of(HandBackReason reason) {
  switch (reason) {
    case HandBackReason::drain:
      return "drain";
    case HandBackReason::fenced:
      return "fenced";
    case HandBackReason::no_executor:
      return "no_executor";
    case HandBackReason::hub_away:
      return "hub_away";
  }
  return "drain";
}

std::string_view name_of(UsageLimit limit) {
  switch (limit) {
    case UsageLimit::none:
      return "none";
    case UsageLimit::daily_posts:
      return "max_daily_posts";
    case UsageLimit::daily_comments:
      return "max_daily_comments";
    case UsageLimit::daily_tokens:
      return "daily_tokens";
    case UsageLimit::daily_cost:
      return "daily_cost";
    case UsageLimit::monthly_tokens:
      return "monthly_tokens";
    case UsageLimit::monthly_cost:
      return "monthly_cost";
  }
  return "none";
}

std::string_view name_of(RunnerStatus status) {
  switch (status) {
    case RunnerStatus::idle:
      return "idle";
    case RunnerStatus::busy:
      return "busy";
    case RunnerStatus::draining:
      return "draining";
    case RunnerStatus::other:
      return "active";
  }
  return "active";
}

LeaseRef ref_of(const Claim& claim) {
  return {
      .agent_id = claim.item.agent_id, .activation_id = claim.activation_id, .fence = claim.fence};
}

std::string Generation::to_string() const {
  return fmt::format("{}:{}", dataset, number);
}

}  // namespace botburrow::queue
