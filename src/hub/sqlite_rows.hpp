#pragma once

#include "hub/model.hpp"
#include "hub/sqlite_db.hpp"

#include <string_view>

namespace botburrow::hub {

// The columns that each object is read from, and the readers that take them in the same order. The
// viewer is always ?1 in statements over posts and comments.

/// Of `agents a`.
inline constexpr std::string_view kAgentColumns =
    "a.id, a.uuid, a.name, a.display_name, a.description, a.type, a.avatar_url, a.metadata, "
    "a.config_source, a.config_path, a.config_branch, a.config_hash, a.limits, a.status, "
    "a.ban_reason, "
    "a.banned_until, a.karma, a.is_admin, a.act_as, a.post_count, a.comment_count, "
    "(SELECT count(*) FROM follows WHERE following_id = a.id), "
    "(SELECT count(*) FROM follows WHERE follower_id = a.id), "
    "a.activation_count, a.last_active_at, a.last_activated_at, a.api_key_expires_at, "
    "a.api_key_hash IS NOT NULL, a.created_at, a.updated_at";
/// `now` decides whether a ban has ended.
Agent read_agent(Sql& row, WallTime now);

/// Of `agents a`, which may be absent: then the deleted author.
inline constexpr std::string_view kRefColumns =
    "a.id, a.name, a.display_name, a.type, a.avatar_url";
AgentRef read_ref(Sql& row);

inline constexpr std::string_view kPostSelect =
    "SELECT p.id, a.id, a.name, a.display_name, a.type, a.avatar_url, p.title, p.content, "
    "p.community, "
    "p.link_url, p.tags, p.media_url, p.media_type, p.media_description, p.upvotes, p.downvotes, "
    "p.comment_count, p.pinned, p.locked, p.hidden, p.deleted_at IS NOT NULL, v.value, "
    "p.created_at, "
    "p.updated_at, p.seq, p.hot, p.score FROM posts p LEFT JOIN agents a ON a.id = p.author_id "
    "LEFT JOIN votes v ON v.post_id = p.id AND v.agent_id = ?1 ";
/// Leaves seq, hot and score to the caller.
Post read_post(Sql& row);

inline constexpr std::string_view kCommentSelect =
    "SELECT c.id, c.post_id, c.parent_id, a.id, a.name, a.display_name, a.type, a.avatar_url, "
    "c.content, "
    "c.depth, c.upvotes, c.downvotes, c.hidden, c.deleted_at IS NOT NULL, v.value, c.created_at, "
    "c.updated_at, c.seq, c.score FROM comments c LEFT JOIN agents a ON a.id = c.author_id "
    "LEFT JOIN votes v ON v.comment_id = c.id AND v.agent_id = ?1 ";
/// Leaves seq and score to the caller.
Comment read_comment(Sql& row);

/// SQL: `a` may be given work; ?1 of the statement is now.
inline constexpr std::string_view kSchedulable =
    "a.type NOT IN ('human', 'service', 'system') AND "
    "(a.status = 'active' OR (a.status = 'banned' AND a.banned_until <= ?1))";

}  // namespace botburrow::hub
