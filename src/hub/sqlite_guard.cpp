// What stands before every write: fences, idempotency keys, repeated content, generations.

#include "base/time.hpp"
#include "hub/sqlite_store.hpp"

#include <fmt/format.h>

namespace botburrow::hub {
namespace {

constexpr std::int64_t kAnswerKeptMs = 24 * 3'600'000;

std::optional<Fence> fence_of(Sql& row) {
  const auto generation = row.maybe_integer();
  const auto counter = row.maybe_integer();
  if (!generation || !counter) return std::nullopt;
  return Fence{.generation = *generation, .counter = *counter};
}

std::optional<std::int64_t> generation_of(const std::optional<Fence>& fence) {
  return fence ? std::optional(fence->generation) : std::nullopt;
}
std::optional<std::int64_t> counter_of(const std::optional<Fence>& fence) {
  return fence ? std::optional(fence->counter) : std::nullopt;
}

WriteResult replay(int status, std::string body) {
  WriteResult result;
  result.kind = WriteKind::replayed;
  result.status = status;
  result.body = std::move(body);
  return result;
}

/// Another text under a known key is a rerun's where the fence is new: its first answer holds. The
/// same run never says two things under one key, so there it is the caller's mistake.
bool is_rerun(const std::optional<Fence>& now, const std::optional<Fence>& first) {
  return now && (!first || *now > *first);
}

}  // namespace

// A wall clock that jumps must not make the Hub forget what it has answered, or a rerun would be
// written twice: keys are kept for a day of running time. It goes on from the latest key after a
// restart, so that they are never kept for less.
std::int64_t SqliteStore::running_ms() {
  if (!ran_before_ms_) {
    Sql latest(db_, "SELECT max(kept_at) FROM idempotency_keys");
    latest.row();
    ran_before_ms_ = latest.integer();
  }
  const auto since = clock_.now() - opened_;
  return *ran_before_ms_ + std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

void SqliteStore::purge_keys() {
  const auto now = running_ms();
  // Of a program that did not know this time: it begins now.
  Sql(db_, "UPDATE idempotency_keys SET kept_at = ?1 WHERE kept_at IS NULL", now).run();
  Sql(db_, "DELETE FROM idempotency_keys WHERE kept_at < ?1", now - kAnswerKeptMs).run();
}

bool SqliteStore::raise_fence(std::string_view actor, const WriteGuard& guard) {
  if (!guard.fence) return true;
  const Fence shown = *guard.fence;
  {
    Sql known(db_, "SELECT generation, counter FROM fences WHERE agent_id = ?1", actor);
    if (known.row()) {
      const Fence highest{.generation = known.integer(), .counter = known.integer()};
      if (shown < highest) return false;
      if (shown == highest) return true;
    }
  }
  Sql(db_, "INSERT OR REPLACE INTO fences(agent_id, generation, counter) VALUES (?1, ?2, ?3)",
      actor, shown.generation, shown.counter)
      .run();
  // Whoever tells of Redis' counter for all is believed by all: only the fleet's own services are,
  // and only about the generation that is.
  if (!guard.by_service) return true;
  Sql(db_,
      "UPDATE dataset SET fence_generation = ?1, fence_counter = ?2 WHERE (dataset IS NULL OR "
      "generation = ?1) AND "
      "(fence_generation IS NULL OR fence_generation <> ?1 OR fence_counter < ?2)",
      shown.generation, shown.counter)
      .run();
  return true;
}

WriteResult SqliteStore::stale_fence_result(std::string_view actor, const Fence& shown) {
  Sql known(db_, "SELECT generation, counter FROM fences WHERE agent_id = ?1", actor);
  std::string highest = "unknown";
  if (known.row()) highest = Fence{.generation = known.integer(), .counter = known.integer()}.str();
  return refusal(
      WriteKind::stale_fence,
      fmt::format("fence {} of {} is older than {}: another activation has started since",
                  shown.str(), actor, highest));
}

std::optional<WriteResult> SqliteStore::recall_key(const Guarded& call) {
  Sql known(
      db_,
      "SELECT request_hash, fence_generation, fence_counter, status, body FROM idempotency_keys "
      "WHERE agent_id = ?1 AND key = ?2 AND (kept_at IS NULL OR kept_at >= ?3)",
      call.actor, call.guard.idempotency_key, running_ms() - kAnswerKeptMs);
  if (!known.row()) return std::nullopt;
  const std::string first_hash = known.text();
  const auto first_fence = fence_of(known);
  if (first_hash != call.guard.request_hash && !is_rerun(call.guard.fence, first_fence)) {
    return refusal(WriteKind::key_mismatch,
                   "this Idempotency-Key was used for another request; send a new key");
  }
  const auto status = static_cast<int>(known.integer());
  return replay(status, known.text());
}

std::optional<WriteResult> SqliteStore::recall(const Guarded& call) {
  if (!call.guard.idempotency_key.empty()) return recall_key(call);
  if (call.content_hash.empty()) return std::nullopt;
  // Bounded on both sides: a clock that was set back must not stretch the window.
  Sql known(db_,
            "SELECT status, body FROM recent_writes WHERE agent_id = ?1 AND content_hash = ?2 "
            "AND created_at BETWEEN ?3 AND ?4",
            call.actor, call.content_hash, now() - call.content_window,
            now() + call.content_window);
  if (!known.row()) return std::nullopt;
  const auto status = static_cast<int>(known.integer());
  return replay(status, known.text());
}

void SqliteStore::remember(const Guarded& call, const WriteResult& result) {
  const auto& guard = call.guard;
  if (!guard.idempotency_key.empty()) {
    Sql(db_,
        "INSERT OR REPLACE INTO idempotency_keys(agent_id, key, request_hash, fence_generation, "
        "fence_counter, status, body, created_at, kept_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
        "?9)",
        call.actor, guard.idempotency_key, guard.request_hash, generation_of(guard.fence),
        counter_of(guard.fence), result.status, result.body, now(), running_ms())
        .run();
  }
  if (!call.content_hash.empty()) {
    Sql(db_,
        "INSERT OR REPLACE INTO recent_writes(agent_id, content_hash, status, body, created_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5)",
        call.actor, call.content_hash, result.status, result.body, now())
        .run();
  }
}

std::optional<StoredAnswer> SqliteStore::find_answer(std::string_view agent_id,
                                                     std::string_view idempotency_key) {
  Sql known(db_,
            "SELECT status, body FROM idempotency_keys WHERE agent_id = ?1 AND key = ?2 AND "
            "(kept_at IS NULL OR kept_at >= ?3)",
            agent_id, idempotency_key, running_ms() - kAnswerKeptMs);
  if (!known.row()) return std::nullopt;
  const auto status = static_cast<int>(known.integer());
  return StoredAnswer{.status = status, .body = known.text()};
}

Generation SqliteStore::generation() {
  Sql row(db_, "SELECT dataset, generation, fence_generation, fence_counter FROM dataset");
  row.row();
  Generation current;
  current.dataset = row.text();
  current.generation = row.integer();
  current.fence = fence_of(row);
  return current;
}

GenerationChange SqliteStore::advance_generation(std::string_view new_dataset,
                                                 const Generation& seen) {
  Transaction transaction(db_);
  const Generation current = generation();
  if (current.dataset != seen.dataset || current.generation != seen.generation) {
    return {.changed = false, .now = current};
  }
  Sql(db_, "UPDATE dataset SET dataset = ?1, generation = generation + 1", new_dataset).run();
  Generation next = generation();
  transaction.commit();
  return {.changed = true, .now = std::move(next)};
}

void SqliteStore::append_audit(const AuditEntry& entry) {
  Sql(db_,
      "INSERT INTO audit_log(actor, action, target, detail, created_at) VALUES (?1, ?2, ?3, ?4, "
      "?5)",
      entry.actor, entry.action, entry.target, entry.detail, now())
      .run();
}

std::vector<AuditEntry> SqliteStore::list_audit(std::string_view actor, std::string_view action,
                                                std::optional<WallTime> since, int limit) {
  Sql rows(
      db_,
      "SELECT actor, action, target, detail, created_at FROM audit_log WHERE (?1 = '' OR actor = "
      "?1) "
      "AND (?2 = '' OR action = ?2) AND (?3 IS NULL OR created_at >= ?3) ORDER BY id DESC LIMIT ?4",
      actor, action, since, limit);
  std::vector<AuditEntry> entries;
  while (rows.row()) {
    AuditEntry entry;
    entry.actor = rows.text();
    entry.action = rows.text();
    entry.target = rows.text();
    entry.detail = rows.text();
    entry.at = rows.time();
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace botburrow::hub
