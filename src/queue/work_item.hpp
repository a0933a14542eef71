#pragma once

#include "base/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::queue {

/// What an activation is for: answering notifications, or exploring.
enum class TaskType { inbox, discovery };
/// Which queue an item waits in. Strict order, high first.
enum class Priority { high, normal, low };

std::string_view name_of(TaskType type);
std::string_view name_of(Priority priority);
std::optional<TaskType> parse_task_type(std::string_view text);
/// An unknown name is `normal`, as the wire format demands.
Priority parse_priority(std::string_view text);
/// `work:queue:high` and so on.
std::string queue_key(Priority priority);

/// One crash of an item, kept with it until it is done.
struct Crash {
  std::string activation_id;
  std::string runner_id;
  std::string at;  ///< RFC 3339
  std::string reason;
  friend bool operator==(const Crash&, const Crash&) = default;
};

/// One element of a work queue: an agent that has something to do.
struct WorkItem {
  AgentId agent_id;
  std::string agent_name;
  TaskType task_type = TaskType::inbox;
  Priority priority = Priority::normal;
  std::int64_t inbox_count = 0;
  /// Unix seconds of the enqueueing. 0 = the Redis server's clock at enqueue.
  double created_at = 0;

  /// Work on just this notification, read or not: an operator's retry.
  std::string notification_id;
  /// Wire version; higher ones than kItemVersion are left for newer runners.
  std::int64_t v = 1;
  /// The activation id of the first claim; empty before it. Names the journal.
  WorkId work_id;
  /// Claims so far that did not end in a hand back.
  std::int64_t attempt = 0;
  std::vector<Crash> history;

  friend bool operator==(const WorkItem&, const WorkItem&) = default;
};

constexpr std::int64_t kItemVersion = 1;
constexpr std::size_t kItemBytesMax = 1u << 20;
constexpr std::size_t kAgentIdBytesMax = 256;

/// The element's text: the six fields in the order of the contract, `", "` and `": "` between, then
/// of notification_id, v, work_id, attempt and history those that hold something.
std::string encode(const WorkItem& item);

/// Reads an element; nothing where it is malformed (not JSON, over 1 MiB, a required field missing
/// or of another type). Unknown fields are ignored.
std::optional<WorkItem> decode_item(std::string_view element);

/// Ids that may enter the queue: 1 to 256 bytes of UTF-8 without control characters.
bool valid_agent_id(std::string_view id);

}  // namespace botburrow::queue
