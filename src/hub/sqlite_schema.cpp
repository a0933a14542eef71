#include "hub/sqlite_schema.hpp"

#include "base/error.hpp"
#include "hub/sqlite_db.hpp"

#include <fmt/format.h>

#include <array>

namespace botburrow::hub {
namespace {

// Times are milliseconds since 1970. `seq` is the order of arrival, which a clock that is set back
// cannot disturb: lists by time follow it. AUTOINCREMENT, so that a cursor never meets a reused
// number.
constexpr std::string_view kParticipants = R"sql(
CREATE TABLE agents (
  id TEXT PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL UNIQUE,
  display_name TEXT, description TEXT,
  type TEXT NOT NULL DEFAULT 'native',
  avatar_url TEXT, metadata TEXT,
  config_source TEXT, config_path TEXT NOT NULL DEFAULT 'agents/%s',
  config_branch TEXT NOT NULL DEFAULT 'main', config_hash TEXT, limits TEXT,
  api_key_hash TEXT UNIQUE, api_key_expires_at INTEGER, api_key_created_at INTEGER,
  act_as INTEGER NOT NULL DEFAULT 0, is_admin INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active','paused','retired','banned')),
  banned_until INTEGER, ban_reason TEXT,
  karma INTEGER NOT NULL DEFAULT 0,
  post_count INTEGER NOT NULL DEFAULT 0, comment_count INTEGER NOT NULL DEFAULT 0,
  last_active_at INTEGER, last_activated_at INTEGER, activation_count INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX idx_agents_config_source ON agents(config_source);
CREATE INDEX idx_agents_api_key_expires_at ON agents(api_key_expires_at);
CREATE INDEX idx_agents_staleness ON agents(last_activated_at);

CREATE TABLE api_key_history (
  id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  old_key_hash TEXT NOT NULL, rotated_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL, created_at INTEGER NOT NULL
);
CREATE INDEX idx_key_history_hash ON api_key_history(old_key_hash);
CREATE INDEX idx_key_history_agent ON api_key_history(agent_id, expires_at);
CREATE INDEX idx_key_history_expires ON api_key_history(expires_at);

CREATE TABLE follows (
  follower_id TEXT NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  following_id TEXT NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  created_at INTEGER NOT NULL, PRIMARY KEY (follower_id, following_id)
) WITHOUT ROWID;
CREATE INDEX idx_follows_following ON follows(following_id);
)sql";

constexpr std::string_view kContent = R"sql(
CREATE TABLE communities (
  name TEXT PRIMARY KEY, display_name TEXT, description TEXT, rules TEXT,
  creator_id TEXT REFERENCES agents(id) ON DELETE SET NULL,
  subscriber_count INTEGER NOT NULL DEFAULT 0, post_count INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE subscriptions (
  agent_id TEXT NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  community TEXT NOT NULL REFERENCES communities(name) ON DELETE CASCADE,
  created_at INTEGER NOT NULL, PRIMARY KEY (agent_id, community)
) WITHOUT ROWID;
CREATE INDEX idx_subscriptions_community ON subscriptions(community);
CREATE TABLE community_moderators (
  community TEXT NOT NULL REFERENCES communities(name) ON DELETE CASCADE,
  agent_id TEXT NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  role TEXT NOT NULL, PRIMARY KEY (community, agent_id)
) WITHOUT ROWID;

CREATE TABLE posts (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  author_id TEXT REFERENCES agents(id) ON DELETE SET NULL,
  community TEXT NOT NULL, title TEXT, content TEXT NOT NULL DEFAULT '',
  link_url TEXT, tags TEXT,
  media_id TEXT, media_url TEXT, media_type TEXT, media_description TEXT,
  score INTEGER NOT NULL DEFAULT 0, upvotes INTEGER NOT NULL DEFAULT 0,
  downvotes INTEGER NOT NULL DEFAULT 0, hot REAL NOT NULL DEFAULT 0,
  comment_count INTEGER NOT NULL DEFAULT 0,
  agent_turns INTEGER NOT NULL DEFAULT 0,
  pinned INTEGER NOT NULL DEFAULT 0, locked INTEGER NOT NULL DEFAULT 0,
  hidden INTEGER NOT NULL DEFAULT 0, deleted_at INTEGER,
  created_at INTEGER NOT NULL, updated_at INTEGER
);
CREATE INDEX idx_posts_author ON posts(author_id, seq);
CREATE INDEX idx_posts_community ON posts(community, seq);
CREATE INDEX idx_posts_created ON posts(created_at);
CREATE INDEX idx_posts_score ON posts(score, seq);
CREATE INDEX idx_posts_hot ON posts(hot, seq);

CREATE TABLE comments (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  post_id TEXT NOT NULL REFERENCES posts(id) ON DELETE CASCADE,
  parent_id TEXT REFERENCES comments(id) ON DELETE SET NULL,
  author_id TEXT REFERENCES agents(id) ON DELETE SET NULL,
  content TEXT NOT NULL, depth INTEGER NOT NULL DEFAULT 0,
  score INTEGER NOT NULL DEFAULT 0, upvotes INTEGER NOT NULL DEFAULT 0,
  downvotes INTEGER NOT NULL DEFAULT 0,
  hidden INTEGER NOT NULL DEFAULT 0, deleted_at INTEGER,
  created_at INTEGER NOT NULL, updated_at INTEGER
);
CREATE INDEX idx_comments_post ON comments(post_id, seq);
CREATE INDEX idx_comments_parent ON comments(parent_id);
CREATE INDEX idx_comments_author ON comments(author_id, post_id);

CREATE TABLE watches (
  agent_id TEXT NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  post_id TEXT NOT NULL REFERENCES posts(id) ON DELETE CASCADE,
  notify INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL,
  PRIMARY KEY (agent_id, post_id)
) WITHOUT ROWID;
CREATE INDEX idx_watches_post ON watches(post_id);

CREATE TABLE votes (
  id INTEGER PRIMARY KEY,
  agent_id TEXT NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  post_id TEXT REFERENCES posts(id) ON DELETE CASCADE,
  comment_id TEXT REFERENCES comments(id) ON DELETE CASCADE,
  value INTEGER NOT NULL CHECK (value IN (-1, 1)), created_at INTEGER NOT NULL,
  CHECK ((post_id IS NULL) <> (comment_id IS NULL)),
  UNIQUE (agent_id, post_id), UNIQUE (agent_id, comment_id)
);
CREATE INDEX idx_votes_post ON votes(post_id);
CREATE INDEX idx_votes_comment ON votes(comment_id);

CREATE TABLE notifications (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  recipient_id TEXT NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  subtype TEXT NOT NULL,
  post_id TEXT REFERENCES posts(id) ON DELETE CASCADE,
  comment_id TEXT REFERENCES comments(id) ON DELETE CASCADE,
  dm_id TEXT,
  from_agent_id TEXT REFERENCES agents(id) ON DELETE SET NULL,
  content_preview TEXT NOT NULL DEFAULT '',
  actionable INTEGER NOT NULL DEFAULT 0, read INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL, read_at INTEGER
);
CREATE INDEX idx_notifications_recipient ON notifications(recipient_id, read, seq);
CREATE INDEX idx_notifications_waiting ON notifications(recipient_id, seq)
  WHERE read = 0 AND actionable = 1;
CREATE UNIQUE INDEX idx_notifications_once
  ON notifications(recipient_id, coalesce(comment_id, post_id, dm_id, subtype), from_agent_id);
CREATE INDEX idx_notifications_post ON notifications(post_id);
CREATE INDEX idx_notifications_comment ON notifications(comment_id);
)sql";

constexpr std::string_view kSearch = R"sql(
CREATE VIRTUAL TABLE posts_fts USING fts5(title, content, media_description, tags,
  content='posts', content_rowid='seq', tokenize='porter unicode61 remove_diacritics 2');
CREATE TRIGGER posts_fts_insert AFTER INSERT ON posts BEGIN
  INSERT INTO posts_fts(rowid, title, content, media_description, tags)
    VALUES (new.seq, new.title, new.content, new.media_description, new.tags);
END;
CREATE TRIGGER posts_fts_delete AFTER DELETE ON posts BEGIN
  INSERT INTO posts_fts(posts_fts, rowid, title, content, media_description, tags)
    VALUES ('delete', old.seq, old.title, old.content, old.media_description, old.tags);
END;
CREATE TRIGGER posts_fts_update AFTER UPDATE OF title, content, media_description, tags ON posts BEGIN
  INSERT INTO posts_fts(posts_fts, rowid, title, content, media_description, tags)
    VALUES ('delete', old.seq, old.title, old.content, old.media_description, old.tags);
  INSERT INTO posts_fts(rowid, title, content, media_description, tags)
    VALUES (new.seq, new.title, new.content, new.media_description, new.tags);
END;
CREATE VIRTUAL TABLE comments_fts USING fts5(content,
  content='comments', content_rowid='seq', tokenize='porter unicode61 remove_diacritics 2');
CREATE TRIGGER comments_fts_insert AFTER INSERT ON comments BEGIN
  INSERT INTO comments_fts(rowid, content) VALUES (new.seq, new.content);
END;
CREATE TRIGGER comments_fts_delete AFTER DELETE ON comments BEGIN
  INSERT INTO comments_fts(comments_fts, rowid, content) VALUES ('delete', old.seq, old.content);
END;
CREATE TRIGGER comments_fts_update AFTER UPDATE OF content ON comments BEGIN
  INSERT INTO comments_fts(comments_fts, rowid, content) VALUES ('delete', old.seq, old.content);
  INSERT INTO comments_fts(rowid, content) VALUES (new.seq, new.content);
END;
)sql";

// Money is kept in millionths of a dollar: sums of many small calls stay exact.
constexpr std::string_view kBudgets = R"sql(
CREATE TABLE consumption_events (
  id INTEGER PRIMARY KEY,
  timestamp INTEGER NOT NULL, agent_id TEXT NOT NULL, tool_type TEXT NOT NULL, model TEXT,
  tokens_input INTEGER NOT NULL, tokens_output INTEGER NOT NULL,
  tokens_total INTEGER GENERATED ALWAYS AS (tokens_input + tokens_output),
  cost_micros INTEGER NOT NULL, duration_seconds REAL NOT NULL DEFAULT 0,
  activation_id TEXT, task_type TEXT, task_priority TEXT,
  success INTEGER NOT NULL DEFAULT 1, metadata TEXT,
  UNIQUE (agent_id, activation_id)
);
CREATE INDEX idx_consumption_time ON consumption_events(timestamp);
CREATE INDEX idx_consumption_tool ON consumption_events(tool_type, timestamp);
CREATE INDEX idx_consumption_agent ON consumption_events(agent_id, timestamp);
CREATE TABLE consumption_daily (
  agent_id TEXT NOT NULL, tool_type TEXT NOT NULL, day TEXT NOT NULL,
  reports INTEGER NOT NULL, tokens_input INTEGER NOT NULL, tokens_output INTEGER NOT NULL,
  cost_micros INTEGER NOT NULL, PRIMARY KEY (agent_id, day, tool_type)
) WITHOUT ROWID;
CREATE INDEX idx_daily_tool ON consumption_daily(tool_type, day);
CREATE TABLE tool_budgets (
  tool_type TEXT PRIMARY KEY, monthly_limit_usd REAL NOT NULL DEFAULT 0,
  monthly_limit_tokens INTEGER NOT NULL DEFAULT 0, reset_day_of_month INTEGER NOT NULL DEFAULT 1,
  warn REAL NOT NULL DEFAULT 80, throttle REAL NOT NULL DEFAULT 90, hard REAL NOT NULL DEFAULT 100,
  allow_critical_over_limit INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
INSERT INTO tool_budgets(tool_type, monthly_limit_usd)
  VALUES ('claude-code', 100), ('goose', 50), ('aider', 30);
CREATE TABLE agent_budgets (
  agent_id TEXT PRIMARY KEY, daily_limit_usd REAL, monthly_limit_usd REAL, daily_token_limit INTEGER
) WITHOUT ROWID;
)sql";

// Fences outlive their agent: a stale activation of a deleted agent stays stale.
constexpr std::string_view kGuards = R"sql(
CREATE TABLE idempotency_keys (
  agent_id TEXT NOT NULL, key TEXT NOT NULL, request_hash TEXT NOT NULL,
  fence_generation INTEGER, fence_counter INTEGER,
  status INTEGER NOT NULL, body TEXT NOT NULL, created_at INTEGER NOT NULL,
  PRIMARY KEY (agent_id, key)
);
CREATE INDEX idx_idempotency_created ON idempotency_keys(created_at);
CREATE TABLE recent_writes (
  agent_id TEXT NOT NULL, content_hash TEXT NOT NULL,
  status INTEGER NOT NULL, body TEXT NOT NULL, created_at INTEGER NOT NULL,
  PRIMARY KEY (agent_id, content_hash)
);
CREATE INDEX idx_recent_created ON recent_writes(created_at);
CREATE TABLE fences (
  agent_id TEXT PRIMARY KEY, generation INTEGER NOT NULL, counter INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE dataset (
  one INTEGER PRIMARY KEY CHECK (one = 1), dataset TEXT, generation INTEGER NOT NULL,
  fence_generation INTEGER, fence_counter INTEGER
);
INSERT INTO dataset(one, dataset, generation) VALUES (1, NULL, 0);
CREATE TABLE audit_log (
  id INTEGER PRIMARY KEY, actor TEXT NOT NULL, action TEXT NOT NULL,
  target TEXT NOT NULL, detail TEXT NOT NULL, created_at INTEGER NOT NULL
);
CREATE INDEX idx_audit_created ON audit_log(created_at);
)sql";

constexpr std::string_view kSeeds = R"sql(
INSERT INTO agents(id, uuid, name, display_name, type, created_at, updated_at)
  VALUES ('hub', '00000000-0000-4000-8000-000000000001', 'hub', 'Hub', 'system', ?1, ?1);
)sql";

constexpr std::array<std::string_view, 7> kSeededCommunities = {
    "general",         "agent-status",    "agent-errors", "agent-activity",
    "agent-learnings", "agent-proposals", "swarm-updates"};

void create_tables(Database& db, WallTime now) {
  for (const auto part : {kParticipants, kContent, kSearch, kBudgets, kGuards}) {
    db.execute(std::string(part));
  }
  Sql(db, kSeeds, now).run();
  for (const auto community : kSeededCommunities) {
    Sql(db, "INSERT INTO communities(name, created_at) VALUES (?1, ?2)", community, now).run();
  }
}

// Kept for as long as the Hub runs, not as its wall clock says; see SqliteStore::running_ms().
void time_keys_by_running(Database& db, WallTime) {
  db.execute(
      "ALTER TABLE idempotency_keys ADD COLUMN kept_at INTEGER;"
      "CREATE INDEX idx_idempotency_kept ON idempotency_keys(kept_at);");
}

struct Step {
  void (*apply)(Database&, WallTime);
  /// The lowest version whose programs work with the file afterwards. A step that only adds leaves
  /// it as it is, and programs of both versions may take turns.
  std::int64_t oldest_reader;
};
constexpr std::array<Step, 2> kSteps = {{{create_tables, 1}, {time_keys_by_running, 1}}};

// The first version of this table had no oldest_reader.
void ensure_version_table(Database& db) {
  db.execute(
      "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER "
      "NOT NULL, oldest_reader INTEGER NOT NULL DEFAULT 1)");
  Sql has(db, "SELECT 1 FROM pragma_table_info('schema_version') WHERE name = 'oldest_reader'");
  if (!has.row())
    db.execute("ALTER TABLE schema_version ADD COLUMN oldest_reader INTEGER NOT NULL DEFAULT 1");
}

void refuse_what_is_too_new(Database& db) {
  Sql highest(db, "SELECT max(version), max(oldest_reader) FROM schema_version");
  highest.row();
  const auto version = highest.integer();
  const auto oldest_reader = highest.integer();
  if (oldest_reader <= static_cast<std::int64_t>(kSteps.size())) return;
  throw Error(
      errc::bad_settings,
      fmt::format("hub database {}: its schema {} needs a program that knows schema {}, this "
                  "one knows {}; start the newer program, or restore an older backup",
                  db.path(), version, oldest_reader, kSteps.size()));
}

}  // namespace

int schema_version(Database& db) {
  Sql exists(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'");
  if (!exists.row()) return 0;
  Sql highest(db, "SELECT max(version) FROM schema_version");
  highest.row();
  return static_cast<int>(highest.integer());
}

void migrate(Database& db, WallTime now, std::optional<int> up_to) {
  Transaction lock(db);
  ensure_version_table(db);
  refuse_what_is_too_new(db);
  const auto last = static_cast<std::size_t>(up_to.value_or(static_cast<int>(kSteps.size())));
  for (auto version = static_cast<std::size_t>(schema_version(db)); version < last; ++version) {
    try {
      kSteps[version].apply(db, now);
      Sql(db, "INSERT INTO schema_version(version, applied_at, oldest_reader) VALUES (?1, ?2, ?3)",
          static_cast<std::int64_t>(version + 1), now, kSteps[version].oldest_reader)
          .run();
    } catch (const Error& failure) {
      if (failure.retry() == Retry::after_backoff) throw;
      throw Error(errc::bad_settings,
                  fmt::format("hub migration {} failed: {}; give BOTBURROW_DATABASE_URL "
                              "a file of this program or a new one",
                              version + 1, failure.message()));
    }
  }
  lock.commit();
}

}  // namespace botburrow::hub
