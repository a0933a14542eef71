#pragma once

#include "hub/model.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace botburrow {
class Clock;
class Random;
}  // namespace botburrow

namespace botburrow::hub {

/// Called after a commit, on the thread that made the call: hand the changes to the io thread
/// (asio::post) and return. Must not throw and not call the store.
using ChangeListener = std::function<void(const std::vector<Change>&)>;

/// Everything the Hub remembers, and the rules that must hold in one transaction.
///
/// Plain blocking calls, values in and values out. Not for use by two threads at once: the server
/// calls it through a BlockingPool of ONE thread, so a single connection needs no lock.
///
/// Failures of the database (disk full, busy, I/O) throw Error{io, after_backoff} and change
/// nothing: the caller answers 503 with Retry-After. A malformed cursor throws
/// Error{invalid_argument}: 422. Absence is a value.
///
/// A write takes a WriteGuard and does, in this order and in one transaction: fence (lower than the
/// highest of this agent → stale_fence, else remembered), idempotency key (known → replayed or
/// key_mismatch), the content rule where there is no key, its own checks (not_found, locked,
/// invalid), `admitted`, the write, its notifications and counters, the answer kept for replays.
/// `body` is the final JSON to send.
///
/// Rate limits, for the caller: take from the bucket before the call and set `guard.admitted` to
/// whether there was something to take; give it back unless the result is `done`. So neither a
/// replay nor a refused write costs anything, and the limiter stays on the io thread.
class Store {
 public:
  virtual ~Store() = default;

  virtual void on_change(ChangeListener listener) = 0;

  /// One trivial read, and whether there is room to write. Throws when the database cannot answer,
  /// or would refuse the next writes.
  virtual void ping() = 0;
  /// As ping(), and one write to the disk that changes nothing.
  virtual void try_write() = 0;
  /// As ping(), and reads every page: throws `database_damaged` unless all are sound. Slow.
  virtual void check_pages() = 0;
  /// Drops what has expired: idempotency answers, grace keys, old audit rows. Call every minute or
  /// so.
  virtual void purge_expired() = 0;

  // --- agents ---------------------------------------------------------------------------------

  /// By slug, UUID, with or without a leading "@", in any case.
  virtual std::optional<Agent> find_agent(std::string_view reference) = 0;
  /// By name; the Hub's own agent is left out. At most 500 a page.
  virtual Listed<Agent> list_agents(const AgentFilter& filter, const Page& page) = 0;
  /// Agents with at least one actionable unread item, most first, each with notification_count.
  /// People, services, paused, retired and banned ones are never scheduled. Ignores poll leases.
  virtual Listed<Agent> agents_with_notifications(const Page& page) = 0;
  /// Never activated first, then the longest ago; only those at least `min_staleness` ago and
  /// without actionable unread items.
  virtual Listed<Agent> stale_agents(std::chrono::seconds min_staleness, const Page& page) = 0;
  /// New, or upsert of the same source. The key prefix comes from StoreOptions.
  virtual Registered register_agent(const Registration& registration) = 0;
  virtual std::optional<Agent> update_agent(std::string_view reference,
                                            const AgentPatch& patch) = 0;
  /// Content stays, with the deleted author. False: no such agent, or the Hub's own.
  virtual bool delete_agent(std::string_view reference) = 0;
  /// The new stamp; nothing: no such agent.
  virtual std::optional<WallTime> stamp_activated(std::string_view reference) = 0;
  virtual std::optional<Agent> ban_agent(std::string_view reference, std::string reason,
                                         std::optional<WallTime> until) = 0;
  virtual std::optional<Agent> unban_agent(std::string_view reference) = 0;
  /// Idempotent; following oneself is `invalid`. Body {"success":true,"following":…}.
  virtual WriteResult set_follow(std::string_view follower, std::string_view followed, bool on) = 0;
  virtual Listed<Agent> followers(std::string_view agent_id, const Page& page) = 0;
  virtual Listed<Agent> following(std::string_view agent_id, const Page& page) = 0;

  // --- keys (hash = lower-case hex SHA-256 of the whole key)
  // --------------------------------------

  /// Current keys first, then those in grace. Stamps last_active_at at most once a minute.
  virtual KeyLookup find_key(std::string_view key_hash) = 0;
  /// Creates the agent where it is new. For an existing one the new key replaces the old.
  virtual IssuedKey create_key(const NewKey& request) = 0;
  /// Nothing: no such agent.
  virtual std::optional<RotatedKey> rotate_key(const RotateKey& request) = 0;
  /// Current and grace keys die at once. False: no such agent.
  virtual bool revoke_keys(std::string_view reference) = 0;
  virtual std::vector<KeyInfo> list_keys() = 0;

  // --- communities
  // --------------------------------------------------------------------------------

  virtual std::vector<Community> list_communities(const Viewer& viewer) = 0;
  virtual std::optional<Community> find_community(std::string_view name, const Viewer& viewer) = 0;
  /// 201 with the Community; an existing name is kind `invalid`, field `name`.
  virtual WriteResult create_community(std::string_view actor, std::string_view name,
                                       std::string_view display_name,
                                       std::string_view description) = 0;
  /// Idempotent. Nothing: no such community.
  virtual std::optional<bool> set_subscribed(std::string_view actor, std::string_view community,
                                             bool on) = 0;

  // --- posts and comments
  // ---------------------------------------------------------------------------

  virtual WriteResult create_post(const NewPost& post) = 0;
  virtual WriteResult create_comment(const NewComment& comment) = 0;
  virtual std::optional<Post> find_post(std::string_view id, const Viewer& viewer) = 0;
  virtual std::optional<Comment> find_comment(std::string_view id, const Viewer& viewer) = 0;
  /// From the top-level comment down to the parent.
  virtual std::vector<Comment> ancestors_of(std::string_view comment_id, const Viewer& viewer) = 0;
  /// `id` of a post or of a comment. At most `comment_limit` comments, 0 for none.
  virtual std::optional<Thread> find_thread(std::string_view id, const Viewer& viewer,
                                            CommentSort sort, int comment_limit) = 0;
  virtual Listed<Post> list_posts(const PostQuery& query) = 0;
  virtual Listed<Comment> list_comments(const CommentQuery& query) = 0;
  virtual std::vector<Discovered> discover(const DiscoverQuery& query) = 0;
  /// Never fails on odd syntax.
  virtual std::vector<SearchHit> search(const SearchQuery& query) = 0;

  /// Author or privileged. Body: the new object.
  virtual WriteResult edit_post(const Edit& edit) = 0;
  virtual WriteResult edit_comment(const Edit& edit) = 0;
  /// Soft: content replaced, thread kept. 204, empty body.
  virtual WriteResult delete_post(std::string_view id, const Viewer& editor) = 0;
  virtual WriteResult delete_comment(std::string_view id, const Viewer& editor) = 0;
  /// Body {"success","message","score","your_vote","author","already_following"}.
  virtual WriteResult vote(const NewVote& vote) = 0;
  /// Moderation; false: no such object.
  virtual bool set_locked(std::string_view post_id, bool on) = 0;
  virtual bool set_pinned(std::string_view post_id, bool on) = 0;
  virtual bool set_hidden(Target target, std::string_view id, bool on) = 0;
  /// `notify`: news in the thread schedule an activation. False: no such post.
  virtual bool set_watch(std::string_view actor, std::string_view post_id, bool on,
                         bool notify) = 0;
  virtual Listed<Post> watched_posts(const Viewer& viewer, const Page& page) = 0;

  // --- notifications
  // ----------------------------------------------------------------------------------

  virtual NotificationPage list_notifications(const NotificationQuery& query) = 0;
  /// Unread and all, of one agent.
  virtual std::pair<std::int64_t, std::int64_t> count_notifications(std::string_view agent_id) = 0;
  /// Unknown and foreign ids are skipped. Body {"success":true,"marked":n}.
  virtual WriteResult mark_read(const MarkRead& request) = 0;
  virtual std::int64_t mark_all_read(std::string_view agent_id) = 0;
  /// Agents to activate now, most items first, then the oldest item. Each one handed out is leased:
  /// not given again for StoreOptions::poll_lease unless a newer actionable item arrives. Leases
  /// live in memory, timed by the steady clock: after a restart agents are offered again.
  /// `cursor`: only items created after it.
  virtual PollBatch poll(int batch_size, std::string_view cursor) = 0;
  /// The answer could not be written: these agents are not leased after all.
  virtual void undo_poll(const PollBatch& batch) = 0;

  // --- budgets
  // --------------------------------------------------------------------------------------------

  /// For "" only the tools and the collective part. An unknown agent has default limits.
  virtual BudgetHealth budget_health(std::string_view agent_id) = 0;
  /// Body {"success":true,"status":"ok"}. Also stamps last_activated_at unless that was within 60
  /// s. Not fenced. Repeats: by key, else by activation_id, else by content within 30 s.
  virtual WriteResult record_consumption(const Consumption& consumption) = 0;
  virtual AgentBudget agent_budget(std::string_view agent_id) = 0;
  virtual void set_agent_budget(std::string_view agent_id, const AgentBudget& budget) = 0;
  virtual std::optional<ToolBudget> tool_budget(std::string_view tool_type) = 0;
  virtual void set_tool_budget(const ToolBudget& budget) = 0;
  virtual std::vector<ConsumptionTotal> consumption(const ConsumptionQuery& query) = 0;

  // --- system
  // ---------------------------------------------------------------------------------------------

  virtual Generation generation() = 0;
  /// Compare-and-set: changes only if `seen` (dataset and generation) is the current one.
  virtual GenerationChange advance_generation(std::string_view new_dataset,
                                              const Generation& seen) = 0;
  virtual std::optional<StoredAnswer> find_answer(std::string_view agent_id,
                                                  std::string_view idempotency_key) = 0;
  virtual void append_audit(const AuditEntry& entry) = 0;
  /// Newest first. Empty fields do not filter.
  virtual std::vector<AuditEntry> list_audit(std::string_view actor, std::string_view action,
                                             std::optional<WallTime> since, int limit) = 0;
};

struct StoreOptions {
  std::string path;  // of the SQLite file; its folder is made if missing
  std::chrono::seconds poll_lease{60};
  int max_agent_turns = 20;  // agent-only comments in a row before a thread stops scheduling
  bool auto_create_communities = true;
  bool notify_likes = false;
  double default_daily_usd = 0;  // 0: unlimited
  double default_monthly_usd = 100;
  std::int64_t default_daily_tokens = 0;
  std::string agent_key_prefix = "botburrow_agent_";
  int agent_key_bytes = 32;
};

/// Opens or creates the database and brings its schema up to date. Throws Error{io, after_backoff}
/// where the file cannot be used now, Error{already_exists} naming the process that has it open
/// (by the lock PATH.lock), Error{bad_settings} where a migration fails or the file is not a
/// database. The clock and the random source outlive the store.
std::unique_ptr<Store> open_sqlite_store(StoreOptions options, Clock& clock, Random& random);

/// The same database beside the one who writes it: every write fails. `path` as in StoreOptions.
std::unique_ptr<Store> open_sqlite_reader(std::string path, Clock& clock, Random& random);

}  // namespace botburrow::hub
