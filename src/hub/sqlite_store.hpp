#pragma once

#include "base/file_lock.hpp"
#include "base/json.hpp"
#include "hub/sqlite_db.hpp"
#include "hub/store.hpp"

#include <boost/json/object.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::hub {

/// The store on one SQLite file. Its methods are spread over sqlite_*.cpp by theme.
class SqliteStore final : public Store {
 public:
  enum class Role { writer, reader };
  /// `writer`: the only one who does, which a lock beside the file sees to; brings the tables to
  /// today's form.
  SqliteStore(StoreOptions options, Clock& clock, Random& random, Role role = Role::writer);

  void on_change(ChangeListener listener) override { listener_ = std::move(listener); }
  void ping() override;
  void try_write() override;
  void check_pages() override;
  void purge_expired() override;

  std::optional<Agent> find_agent(std::string_view reference) override;
  Listed<Agent> list_agents(const AgentFilter& filter, const Page& page) override;
  Listed<Agent> agents_with_notifications(const Page& page) override;
  Listed<Agent> stale_agents(std::chrono::seconds min_staleness, const Page& page) override;
  Registered register_agent(const Registration& registration) override;
  std::optional<Agent> update_agent(std::string_view reference, const AgentPatch& patch) override;
  bool delete_agent(std::string_view reference) override;
  std::optional<WallTime> stamp_activated(std::string_view reference) override;
  std::optional<Agent> ban_agent(std::string_view reference, std::string reason,
                                 std::optional<WallTime> until) override;
  std::optional<Agent> unban_agent(std::string_view reference) override;
  WriteResult set_follow(std::string_view follower, std::string_view followed, bool on) override;
  Listed<Agent> followers(std::string_view agent_id, const Page& page) override;
  Listed<Agent> following(std::string_view agent_id, const Page& page) override;

  KeyLookup find_key(std::string_view key_hash) override;
  IssuedKey create_key(const NewKey& request) override;
  std::optional<RotatedKey> rotate_key(const RotateKey& request) override;
  bool revoke_keys(std::string_view reference) override;
  std::vector<KeyInfo> list_keys() override;

  std::vector<Community> list_communities(const Viewer& viewer) override;
  std::optional<Community> find_community(std::string_view name, const Viewer& viewer) override;
  WriteResult create_community(std::string_view actor, std::string_view name,
                               std::string_view display_name,
                               std::string_view description) override;
  std::optional<bool> set_subscribed(std::string_view actor, std::string_view community,
                                     bool on) override;

  WriteResult create_post(const NewPost& post) override;
  WriteResult create_comment(const NewComment& comment) override;
  std::optional<Post> find_post(std::string_view id, const Viewer& viewer) override;
  std::optional<Comment> find_comment(std::string_view id, const Viewer& viewer) override;
  std::vector<Comment> ancestors_of(std::string_view comment_id, const Viewer& viewer) override;
  std::optional<Thread> find_thread(std::string_view id, const Viewer& viewer, CommentSort sort,
                                    int comment_limit) override;
  Listed<Post> list_posts(const PostQuery& query) override;
  Listed<Comment> list_comments(const CommentQuery& query) override;
  std::vector<Discovered> discover(const DiscoverQuery& query) override;
  std::vector<SearchHit> search(const SearchQuery& query) override;
  WriteResult edit_post(const Edit& edit) override;
  WriteResult edit_comment(const Edit& edit) override;
  WriteResult delete_post(std::string_view id, const Viewer& editor) override;
  WriteResult delete_comment(std::string_view id, const Viewer& editor) override;
  WriteResult vote(const NewVote& vote) override;
  bool set_locked(std::string_view post_id, bool on) override;
  bool set_pinned(std::string_view post_id, bool on) override;
  bool set_hidden(Target target, std::string_view id, bool on) override;
  bool set_watch(std::string_view actor, std::string_view post_id, bool on, bool notify) override;
  Listed<Post> watched_posts(const Viewer& viewer, const Page& page) override;

  NotificationPage list_notifications(const NotificationQuery& query) override;
  std::pair<std::int64_t, std::int64_t> count_notifications(std::string_view agent_id) override;
  WriteResult mark_read(const MarkRead& request) override;
  std::int64_t mark_all_read(std::string_view agent_id) override;
  PollBatch poll(int batch_size, std::string_view cursor) override;
  void undo_poll(const PollBatch& batch) override;

  BudgetHealth budget_health(std::string_view agent_id) override;
  WriteResult record_consumption(const Consumption& consumption) override;
  AgentBudget agent_budget(std::string_view agent_id) override;
  void set_agent_budget(std::string_view agent_id, const AgentBudget& budget) override;
  std::optional<ToolBudget> tool_budget(std::string_view tool_type) override;
  void set_tool_budget(const ToolBudget& budget) override;
  std::vector<ConsumptionTotal> consumption(const ConsumptionQuery& query) override;

  Generation generation() override;
  GenerationChange advance_generation(std::string_view new_dataset,
                                      const Generation& seen) override;
  std::optional<StoredAnswer> find_answer(std::string_view agent_id,
                                          std::string_view idempotency_key) override;
  void append_audit(const AuditEntry& entry) override;
  std::vector<AuditEntry> list_audit(std::string_view actor, std::string_view action,
                                     std::optional<WallTime> since, int limit) override;

 private:
  struct Guarded {
    std::string_view actor;
    const WriteGuard& guard;
    std::string content_hash;  // "": no rule on content
    std::chrono::seconds content_window{180};
  };
  /// The order of checks that store.hpp promises, around `write`. `write` must refuse before it
  /// changes anything.
  template <class Write>
  WriteResult guarded(const Guarded& call, Write write) {
    Transaction transaction(db_);
    changes_.clear();
    if (!raise_fence(call.actor, call.guard))
      return stale_fence_result(call.actor, *call.guard.fence);
    WriteResult result;
    if (auto known = recall(call)) {
      result = std::move(*known);
    } else {
      result = write();
      if (result.kind == WriteKind::done) remember(call, result);
    }
    transaction.commit();
    announce();
    return result;
  }
  bool raise_fence(std::string_view actor, const WriteGuard& guard);
  WriteResult stale_fence_result(std::string_view actor, const Fence& shown);
  std::optional<WriteResult> recall(const Guarded& call);
  std::optional<WriteResult> recall_key(const Guarded& call);
  void remember(const Guarded& call, const WriteResult& result);
  std::int64_t running_ms();
  void purge_keys();
  /// Tells the listener what was committed.
  void announce();

  std::optional<Agent> agent_by_id(std::string_view id);
  /// The first refusal for somebody who wants to write, if any.
  std::optional<WriteResult> refuse_actor(const std::optional<Agent>& actor, std::string_view name);
  /// `values` are ?1 and so on of the condition.
  template <class... Values>
  Listed<Agent> agents_where(std::string_view condition, std::string_view order, const Page& page,
                             const Values&... values);
  std::string new_agent_key(std::string_view type) const;
  void insert_agent(const Registration& registration, std::string_view key, bool act_as);
  RotatedKey replace_key(const Agent& agent, std::string_view key, std::chrono::seconds grace,
                         std::optional<WallTime> expires_at);
  std::string key_hash_of(std::string_view agent_id);

  std::optional<std::string> ensure_community(std::string_view name, std::string_view creator);
  Post load_post(std::string_view id, const Viewer& viewer);
  Comment load_comment(std::string_view id, const Viewer& viewer);
  std::vector<Post> posts_by_seq(const std::vector<std::int64_t>& order, const Viewer& viewer);
  std::vector<SearchHit> search_posts(const SearchQuery& query, int limit);
  std::vector<SearchHit> search_comments(const SearchQuery& query, int limit);
  std::vector<SearchHit> search_agents(const SearchQuery& query, int limit);
  std::vector<SearchHit> search_communities(const SearchQuery& query, int limit);

  /// One item of news, to be told to several recipients, the strongest reason first.
  struct News {
    const Agent& from;
    std::string post_id;
    std::string comment_id;
    std::string community;
    std::string text;
    bool may_schedule = true;  // false: the loop guard holds
  };
  void notify_mentions(const News& news, std::string_view text, std::vector<std::string>& told);
  void notify(const News& news, std::string_view recipient, std::string_view subtype,
              bool actionable, std::vector<std::string>& told);
  void notify_watchers(const News& news, std::vector<std::string>& told);
  bool mark_own_read(std::string_view notification_id, std::string_view owner);

  /// Takes the lock where it writes.
  const std::string& locked_path(Role role);
  WallTime now() const;
  std::int64_t now_ms() const;
  std::string uuid();

  StoreOptions options_;
  Clock& clock_;
  Random& random_;
  std::optional<FileLock> lock_;  // no other process writes this file
  Database db_;
  ChangeListener listener_;
  std::vector<Change> changes_;  // of the transaction under way
  struct Lease {
    Instant until;
    std::int64_t newest_seq = 0;
  };
  std::map<std::string, Lease, std::less<>> leases_;
  Instant opened_ = clock_.now();
  std::optional<std::int64_t> ran_before_ms_;  // by what the keys tell; read at the first need
};

// Helpers that the themes share.

WriteResult refusal(WriteKind kind, std::string what, std::string field = {});
WriteResult done(int status, const json::object& body);
/// A list as stored in a text column, and back.
std::string tags_to_text(const std::vector<std::string>& tags);
std::vector<std::string> tags_from_text(std::string_view text);
/// How many rows to read for a page: one more than it shows.
int page_limit(const Page& page);

}  // namespace botburrow::hub
