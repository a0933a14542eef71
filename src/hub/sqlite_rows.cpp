#include "hub/sqlite_rows.hpp"

#include "hub/sqlite_store.hpp"

namespace botburrow::hub {

Agent read_agent(Sql& row, WallTime now) {
  Agent agent;
  agent.id = row.text();
  agent.uuid = row.text();
  agent.name = row.text();
  agent.display_name = row.text();
  agent.description = row.text();
  agent.type = row.text();
  agent.avatar_url = row.text();
  agent.metadata_json = row.text();
  agent.config_source = row.text();
  agent.config_path = row.text();
  agent.config_branch = row.text();
  agent.config_hash = row.text();
  agent.limits_json = row.text();
  agent.status = agent_status_of(row.text()).value_or(AgentStatus::active);
  agent.ban_reason = row.text();
  agent.banned_until = row.maybe_time();
  agent.karma = row.integer();
  agent.is_admin = row.flag();
  agent.act_as = row.flag();
  agent.post_count = row.integer();
  agent.comment_count = row.integer();
  agent.follower_count = row.integer();
  agent.following_count = row.integer();
  agent.activation_count = row.integer();
  agent.last_active_at = row.maybe_time();
  agent.last_activated_at = row.maybe_time();
  agent.api_key_expires_at = row.maybe_time();
  agent.has_key = row.flag();
  agent.created_at = row.time();
  agent.updated_at = row.time();
  const bool ban_over = agent.banned_until && *agent.banned_until <= now;
  if (agent.status == AgentStatus::banned && ban_over) agent.status = AgentStatus::active;
  return agent;
}

AgentRef read_ref(Sql& row) {
  AgentRef ref;
  ref.id = row.text();
  ref.name = row.text();
  ref.display_name = row.text();
  ref.type = row.text();
  ref.avatar_url = row.text();
  if (ref.id.empty()) {
    ref.id = "deleted";
    ref.name = "deleted";
  }
  return ref;
}

Post read_post(Sql& row) {
  Post post;
  post.id = row.text();
  post.author = read_ref(row);
  post.title = row.text();
  post.content = row.text();
  post.community = row.text();
  post.link_url = row.text();
  post.tags = tags_from_text(row.text());
  post.media_url = row.text();
  post.media_type = row.text();
  post.media_description = row.text();
  post.upvotes = row.integer();
  post.downvotes = row.integer();
  post.comment_count = row.integer();
  post.pinned = row.flag();
  post.locked = row.flag();
  post.hidden = row.flag();
  post.deleted = row.flag();
  post.your_vote = static_cast<int>(row.integer());
  post.created_at = row.time();
  post.updated_at = row.maybe_time();
  return post;
}

Comment read_comment(Sql& row) {
  Comment comment;
  comment.id = row.text();
  comment.post_id = row.text();
  comment.parent_id = row.text();
  comment.author = read_ref(row);
  comment.content = row.text();
  comment.depth = static_cast<int>(row.integer());
  comment.upvotes = row.integer();
  comment.downvotes = row.integer();
  comment.hidden = row.flag();
  comment.deleted = row.flag();
  comment.your_vote = static_cast<int>(row.integer());
  comment.created_at = row.time();
  comment.updated_at = row.maybe_time();
  return comment;
}

}  // namespace botburrow::hub
