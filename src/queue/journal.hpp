#pragma once

#include "base/ids.hpp"
#include "base/task.hpp"
#include "queue/work_queue.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace botburrow::queue {

/// What a line tells: a claim began to work, a notification begins or is settled, a model is asked
/// or has answered, something outside is about to change or has changed, the claim ended.
enum class JournalKind {
  started,
  notification,
  model_call,
  model_answer,
  effect,
  effect_done,
  ended,
};
std::string_view name_of(JournalKind kind);

/// One line of the journal of a piece of work. What several claims of it do goes into one journal;
/// `activation_id` says whose line it is.
struct JournalLine {
  std::int64_t n = 0;  ///< 0 is the first line
  std::string at;      ///< RFC 3339, the runner's clock: for people
  ActivationId activation_id;
  JournalKind kind = JournalKind::started;
  boost::json::object fields;  ///< the rest, by kind
};

/// How much a journal holds, and what it may hold: a line of more than kJournalLineBytes has its
/// largest field stored apart.
struct JournalSize {
  std::int64_t lines = 0;
  std::size_t payload_bytes = 0;
};
inline constexpr std::int64_t kJournalLines = 512;
inline constexpr std::size_t kJournalLineBytes = 8u << 10;
inline constexpr std::size_t kJournalPayloadBytes = 1u << 20;
inline constexpr std::size_t kJournalPayloadsBytes = 8u << 20;

/// A line as it is stored.
struct JournalEntry {
  std::int64_t n = 0;
  std::string line;
  std::string payload;  ///< what is stored apart; empty = nothing
};
/// Counts the line into `size`. Throws Error{journal_full} when it would pass a bound; `size` is as
/// it was then.
JournalEntry encode(const JournalLine& line, JournalSize& size);
/// Nothing for a line that cannot be read, or of a kind that a later version added. `payloads`:
/// what is stored apart, by line.
std::optional<JournalLine> decode_journal_line(std::string_view line,
                                               const std::map<std::int64_t, std::string>& payloads);

/// A journal as it was found.
struct JournalRead {
  std::vector<JournalLine> lines;
  JournalSize size;
};

/// The record of what activations did, in Redis: append-only and bounded, kept while the work waits
/// or runs and for 24 h after it is done or dead. Complete and hand back write its last lines.
class Journal {
 public:
  virtual ~Journal() = default;

  /// Whole; empty where there is none.
  virtual Task<JournalRead> load(WorkId work) = 0;

  /// Appends to the journal of the work that `lease` holds, all lines or none; safe to repeat.
  /// Throws Error{stale_fence} when the lease is somebody else's, journal_full, redis_unavailable.
  virtual Task<> append(LeaseRef lease, std::vector<JournalEntry> entries) = 0;
};

}  // namespace botburrow::queue
