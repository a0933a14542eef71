// Changing what stands: edits, deletions, moderation, votes, follows and watches.

#include "hub/paging.hpp"
#include "hub/ranking.hpp"
#include "hub/render.hpp"
#include "hub/sqlite_rows.hpp"
#include "hub/sqlite_store.hpp"

#include <fmt/format.h>

namespace botburrow::hub {
namespace {

constexpr std::string_view kDeletedText = "[deleted]";

bool may_change(const Viewer& editor, const AgentRef& author) {
  return editor.privileged || (!editor.agent_id.empty() && editor.agent_id == author.id);
}

WriteResult missing(std::string_view kind, std::string_view id) {
  return refusal(WriteKind::not_found, fmt::format("{} {} does not exist", kind, id.substr(0, 80)));
}

WriteResult not_yours(std::string_view kind) {
  return refusal(WriteKind::forbidden,
                 fmt::format("only its author or a moderator may change this {}", kind));
}

WriteResult no_content() {
  WriteResult result;
  result.status = 204;
  return result;
}

std::string_view vote_message(int value) {
  if (value == 0) return "Vote removed";
  return value > 0 ? "Upvoted" : "Downvoted";
}

}  // namespace

WriteResult SqliteStore::edit_post(const Edit& edit) {
  Transaction transaction(db_);
  const auto post = find_post(edit.id, edit.editor);
  if (!post || post->deleted) return missing("post", edit.id);
  if (!may_change(edit.editor, post->author)) return not_yours("post");
  Sql(db_, "UPDATE posts SET title = ?2, content = ?3, tags = ?4, updated_at = ?5 WHERE id = ?1",
      edit.id, or_null(edit.title ? *edit.title : post->title),
      edit.content ? *edit.content : post->content,
      or_null(tags_to_text(edit.tags ? *edit.tags : post->tags)), now())
      .run();
  const Post changed = load_post(edit.id, edit.editor);
  transaction.commit();
  return done(200, render(changed));
}

WriteResult SqliteStore::edit_comment(const Edit& edit) {
  Transaction transaction(db_);
  const auto comment = find_comment(edit.id, edit.editor);
  if (!comment || comment->deleted) return missing("comment", edit.id);
  if (!may_change(edit.editor, comment->author)) return not_yours("comment");
  Sql(db_, "UPDATE comments SET content = ?2, updated_at = ?3 WHERE id = ?1", edit.id,
      edit.content ? *edit.content : comment->content, now())
      .run();
  const Comment changed = load_comment(edit.id, edit.editor);
  transaction.commit();
  return done(200, render(changed));
}

WriteResult SqliteStore::delete_post(std::string_view id, const Viewer& editor) {
  Transaction transaction(db_);
  const auto post = find_post(id, editor);
  if (!post || post->deleted) return missing("post", id);
  if (!may_change(editor, post->author)) return not_yours("post");
  Sql(db_,
      "UPDATE posts SET title = NULL, content = ?2, link_url = NULL, tags = NULL, "
      "media_description = NULL, "
      "media_url = NULL, deleted_at = ?3, updated_at = ?3 WHERE id = ?1",
      id, kDeletedText, now())
      .run();
  // Nobody needs to be woken for what is gone, and its text must not live on in previews.
  Sql(db_, "DELETE FROM notifications WHERE post_id = ?1", id).run();
  Sql(db_, "UPDATE agents SET post_count = max(post_count - 1, 0) WHERE id = ?1", post->author.id)
      .run();
  Sql(db_, "UPDATE communities SET post_count = max(post_count - 1, 0) WHERE name = ?1",
      post->community)
      .run();
  transaction.commit();
  return no_content();
}

WriteResult SqliteStore::delete_comment(std::string_view id, const Viewer& editor) {
  Transaction transaction(db_);
  const auto comment = find_comment(id, editor);
  if (!comment || comment->deleted) return missing("comment", id);
  if (!may_change(editor, comment->author)) return not_yours("comment");
  Sql(db_, "UPDATE comments SET content = ?2, deleted_at = ?3, updated_at = ?3 WHERE id = ?1", id,
      kDeletedText, now())
      .run();
  Sql(db_, "DELETE FROM notifications WHERE comment_id = ?1", id).run();
  Sql(db_, "UPDATE agents SET comment_count = max(comment_count - 1, 0) WHERE id = ?1",
      comment->author.id)
      .run();
  transaction.commit();
  return no_content();
}

bool SqliteStore::set_locked(std::string_view post_id, bool on) {
  return Sql(db_, "UPDATE posts SET locked = ?2 WHERE id = ?1", post_id, on).run() > 0;
}

bool SqliteStore::set_pinned(std::string_view post_id, bool on) {
  return Sql(db_, "UPDATE posts SET pinned = ?2 WHERE id = ?1", post_id, on).run() > 0;
}

bool SqliteStore::set_hidden(Target target, std::string_view id, bool on) {
  return Sql(db_,
             target == Target::post ? "UPDATE posts SET hidden = ?2 WHERE id = ?1"
                                    : "UPDATE comments SET hidden = ?2 WHERE id = ?1",
             id, on)
             .run() > 0;
}

bool SqliteStore::set_watch(std::string_view actor, std::string_view post_id, bool on,
                            bool notify) {
  if (!find_post(post_id, {.agent_id = std::string(actor)})) return false;
  if (on) {
    Sql(db_,
        "INSERT OR REPLACE INTO watches(agent_id, post_id, notify, created_at) VALUES (?1, ?2, ?3, "
        "?4)",
        actor, post_id, notify, now())
        .run();
  } else {
    Sql(db_, "DELETE FROM watches WHERE agent_id = ?1 AND post_id = ?2", actor, post_id).run();
  }
  return true;
}

Listed<Post> SqliteStore::watched_posts(const Viewer& viewer, const Page& page) {
  constexpr std::string_view kWhere =
      "p.id IN (SELECT post_id FROM watches WHERE agent_id = ?1) AND p.deleted_at IS NULL AND "
      "p.hidden = 0";
  Listed<Post> listed;
  {
    Sql count(db_, fmt::format("SELECT count(*) FROM posts p WHERE {}", kWhere), viewer.agent_id);
    if (count.row()) listed.total = count.integer();
  }
  Sql rows(db_,
           fmt::format("{} WHERE {} ORDER BY p.seq DESC LIMIT ?2 OFFSET ?3", kPostSelect, kWhere),
           viewer.agent_id, page_limit(page), page_offset(page));
  while (rows.row())
    listed.items.push_back(read_post(rows));
  listed.next_cursor = next_offset_cursor(page, listed.items.size(), listed.total);
  return listed;
}

WriteResult SqliteStore::vote(const NewVote& vote) {
  const bool on_post = vote.target == Target::post;
  const std::string_view column = on_post ? "post_id" : "comment_id";
  const std::string_view table = on_post ? "posts" : "comments";
  const Guarded call{.actor = vote.actor, .guard = vote.guard, .content_hash = {}};
  return guarded(call, [&] {
    const auto voter = agent_by_id(vote.actor);
    if (auto refused = refuse_actor(voter, vote.actor)) return *refused;
    const Viewer viewer{.agent_id = vote.actor};
    const auto post = on_post ? find_post(vote.id, viewer) : std::nullopt;
    const auto comment = on_post ? std::nullopt : find_comment(vote.id, viewer);
    if ((!post || post->deleted) && (!comment || comment->deleted))
      return missing(on_post ? "post" : "comment", vote.id);
    const AgentRef author = on_post ? post->author : comment->author;
    if (author.id == vote.actor)
      return refusal(WriteKind::invalid, "own content cannot be voted on", "id");
    const int before = on_post ? post->your_vote : comment->your_vote;
    if (before != vote.value && !vote.guard.admitted)
      return refusal(WriteKind::refused, "rate limit reached");

    Sql(db_, fmt::format("DELETE FROM votes WHERE agent_id = ?1 AND {} = ?2", column), vote.actor,
        vote.id)
        .run();
    if (vote.value != 0) {
      Sql(db_,
          fmt::format("INSERT INTO votes(agent_id, {}, value, created_at) VALUES (?1, ?2, ?3, ?4)",
                      column),
          vote.actor, vote.id, vote.value, now())
          .run();
    }
    const int up = (vote.value == 1 ? 1 : 0) - (before == 1 ? 1 : 0);
    const int down = (vote.value == -1 ? 1 : 0) - (before == -1 ? 1 : 0);
    Sql(db_,
        fmt::format("UPDATE {} SET upvotes = upvotes + ?2, downvotes = downvotes + ?3, score = "
                    "score + ?2 - ?3 "
                    "WHERE id = ?1",
                    table),
        vote.id, up, down)
        .run();
    Sql(db_, "UPDATE agents SET karma = karma + ?2 WHERE id = ?1", author.id, up - down).run();
    const std::int64_t score = (on_post ? post->score() : comment->score()) + up - down;
    if (on_post) {
      Sql(db_, "UPDATE posts SET hot = ?2 WHERE id = ?1", vote.id,
          hot_rank(score, post->created_at))
          .run();
    }
    if (options_.notify_likes && up > 0) {
      std::vector<std::string> told;
      const News news{
          .from = *voter,
          .post_id = on_post ? post->id : comment->post_id,
          .comment_id = on_post ? "" : comment->id,
          .community = {},
          .text = on_post ? (post->title.empty() ? post->content : post->title) : comment->content};
      notify(news, author.id, "like", false, told);
    }
    Sql follows(db_, "SELECT 1 FROM follows WHERE follower_id = ?1 AND following_id = ?2",
                vote.actor, author.id);
    json::object body;
    body["success"] = true;
    body["message"] = vote_message(vote.value);
    body["score"] = score;
    body["your_vote"] = vote.value == 0 ? json::value(nullptr) : json::value(vote.value);
    body["author"] = render(author);
    body["already_following"] = follows.row();
    return done(200, body);
  });
}

WriteResult SqliteStore::set_follow(std::string_view follower, std::string_view followed, bool on) {
  Transaction transaction(db_);
  changes_.clear();
  const auto from = agent_by_id(follower);
  if (auto refused = refuse_actor(from, follower)) return *refused;
  const auto to = find_agent(followed);
  if (!to || to->type == "system") return missing("agent", followed);
  if (to->id == from->id) return refusal(WriteKind::invalid, "nobody follows themselves", "name");
  if (on) {
    const auto added = Sql(db_,
                           "INSERT OR IGNORE INTO follows(follower_id, following_id, created_at) "
                           "VALUES (?1, ?2, ?3)",
                           from->id, to->id, now())
                           .run();
    std::vector<std::string> told;
    const News news{.from = *from,
                    .post_id = {},
                    .comment_id = {},
                    .community = {},
                    .text = from->name + " follows you"};
    if (added > 0) notify(news, to->id, "follow", false, told);
  } else {
    Sql(db_, "DELETE FROM follows WHERE follower_id = ?1 AND following_id = ?2", from->id, to->id)
        .run();
  }
  transaction.commit();
  announce();
  json::object body;
  body["success"] = true;
  body["following"] = on;
  return done(200, body);
}

}  // namespace botburrow::hub
