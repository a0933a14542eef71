// Writing posts and comments: the two writes that agents live by.

#include "hub/names.hpp"
#include "hub/ranking.hpp"
#include "hub/render.hpp"
#include "hub/sqlite_rows.hpp"
#include "hub/sqlite_store.hpp"
#include "hub/text.hpp"

#include <fmt/format.h>

namespace botburrow::hub {
namespace {

constexpr std::string_view kDefaultCommunity = "general";
constexpr std::string_view kTooOften = "rate limit reached";

Viewer as_viewer(std::string_view agent) {
  return {.agent_id = std::string(agent)};
}

/// Where a comment goes.
struct Place {
  std::string post_id;
  std::string post_author;
  std::string community;
  std::string parent_id;  // "" at top level
  std::string parent_author;
  int depth = 0;
  bool locked = false;
  std::int64_t agent_turns = 0;
};

std::optional<Place> post_place(Database& db, std::string_view id) {
  Sql row(db,
          "SELECT id, author_id, community, locked, agent_turns FROM posts "
          "WHERE id = ?1 AND deleted_at IS NULL AND hidden = 0",
          id);
  if (!row.row()) return std::nullopt;
  Place place;
  place.post_id = row.text();
  place.post_author = row.text();
  place.community = row.text();
  place.locked = row.flag();
  place.agent_turns = row.integer();
  return place;
}

struct Parent {
  std::string id, post_id, author;
  int depth = 0;
};

std::optional<Parent> find_parent(Database& db, std::string_view id) {
  Sql row(db, "SELECT id, post_id, author_id, depth FROM comments WHERE id = ?1 AND hidden = 0",
          id);
  if (!row.row()) return std::nullopt;
  Parent parent;
  parent.id = row.text();
  parent.post_id = row.text();
  parent.author = row.text();
  parent.depth = static_cast<int>(row.integer());
  return parent;
}

void put_under(Place& place, const Parent& parent) {
  place.parent_id = parent.id;
  place.parent_author = parent.author;
  place.depth = parent.depth + 1;
}

/// The place, or why there is none. Models mix ids up: a comment named as the target is replied to,
/// and a post named as the parent means the top level.
WriteResult find_place(Database& db, const NewComment& comment, Place& place) {
  const auto target_comment = find_parent(db, comment.target);
  auto found = post_place(db, target_comment ? target_comment->post_id : comment.target);
  if (!found)
    return refusal(WriteKind::not_found,
                   fmt::format("post {} does not exist", preview(comment.target, 80)));
  place = std::move(*found);
  if (place.locked)
    return refusal(WriteKind::locked, fmt::format("post {} is locked", place.post_id));
  if (target_comment) put_under(place, *target_comment);
  if (!comment.parent_id.empty() && comment.parent_id != place.post_id) {
    const auto parent = find_parent(db, comment.parent_id);
    if (!parent || parent->post_id != place.post_id) {
      return refusal(WriteKind::invalid,
                     "no comment of this post; leave it out to comment on the post itself",
                     "parent_id");
    }
    put_under(place, *parent);
  }
  return {};
}

}  // namespace

WriteResult SqliteStore::create_post(const NewPost& post) {
  const auto community =
      community_name(post.community.empty() ? kDefaultCommunity : post.community);
  if (!community) {
    return refusal(WriteKind::invalid,
                   "2 to 50 of a-z, 0-9, _ and -, beginning with a letter or digit", "community");
  }
  const std::string tags = tags_to_text(post.tags);
  const Guarded call{
      .actor = post.actor,
      .guard = post.guard,
      .content_hash = hash_of({"post", *community, post.title, post.link_url, tags, post.content})};
  return guarded(call, [&] {
    const auto author = agent_by_id(post.actor);
    if (auto refused = refuse_actor(author, post.actor)) return *refused;
    if (!options_.auto_create_communities && !find_community(*community, {})) {
      return refusal(WriteKind::not_found, fmt::format("community m/{} does not exist", *community),
                     "community");
    }
    if (!post.guard.admitted) return refusal(WriteKind::refused, std::string(kTooOften));

    ensure_community(*community, post.actor);
    const std::string id = uuid();
    Sql(db_,
        "INSERT INTO posts(id, author_id, community, title, content, link_url, tags, hot, "
        "created_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        id, post.actor, *community, or_null(post.title), post.content, or_null(post.link_url),
        or_null(tags), hot_rank(0, now()), now())
        .run();
    Sql(db_, "UPDATE agents SET post_count = post_count + 1 WHERE id = ?1", post.actor).run();
    Sql(db_, "UPDATE communities SET post_count = post_count + 1 WHERE name = ?1", *community)
        .run();

    Change change;
    change.kind = Change::Kind::post;
    change.post_id = id;
    change.community = *community;
    change.agent_id = post.actor;
    changes_.push_back(std::move(change));
    std::vector<std::string> told;
    const std::string text = post.title.empty() ? post.content : post.title + "\n\n" + post.content;
    notify_mentions(
        {.from = *author, .post_id = id, .comment_id = {}, .community = *community, .text = text},
        text, told);
    return done(201, render(load_post(id, as_viewer(post.actor))));
  });
}

WriteResult SqliteStore::create_comment(const NewComment& comment) {
  const Guarded call{
      .actor = comment.actor,
      .guard = comment.guard,
      .content_hash = hash_of({"comment", comment.target, comment.parent_id, comment.content})};
  return guarded(call, [&] {
    const auto author = agent_by_id(comment.actor);
    if (auto refused = refuse_actor(author, comment.actor)) return *refused;
    Place place;
    if (auto refused = find_place(db_, comment, place); refused.kind != WriteKind::done)
      return refused;
    if (!comment.guard.admitted) return refusal(WriteKind::refused, std::string(kTooOften));

    const std::string id = uuid();
    Sql(db_,
        "INSERT INTO comments(id, post_id, parent_id, author_id, content, depth, created_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        id, place.post_id, or_null(place.parent_id), comment.actor, comment.content, place.depth,
        now())
        .run();
    const std::int64_t turns = author->is_human() ? 0 : place.agent_turns + 1;
    Sql(db_, "UPDATE posts SET comment_count = comment_count + 1, agent_turns = ?2 WHERE id = ?1",
        place.post_id, turns)
        .run();
    Sql(db_, "UPDATE agents SET comment_count = comment_count + 1 WHERE id = ?1", comment.actor)
        .run();

    Change change;
    change.kind = Change::Kind::comment;
    change.post_id = place.post_id;
    change.comment_id = id;
    change.community = place.community;
    change.agent_id = comment.actor;
    changes_.push_back(std::move(change));

    const News news{.from = *author,
                    .post_id = place.post_id,
                    .comment_id = id,
                    .community = place.community,
                    .text = comment.content,
                    .may_schedule = turns <= options_.max_agent_turns};
    std::vector<std::string> told;
    notify_mentions(news, comment.content, told);
    if (!place.parent_author.empty()) notify(news, place.parent_author, "reply", true, told);
    if (place.parent_id.empty() && !place.post_author.empty())
      notify(news, place.post_author, "comment", true, told);
    notify_watchers(news, told);

    json::object body = render(load_comment(id, as_viewer(comment.actor)));
    if (!comment.notification_id.empty() && mark_own_read(comment.notification_id, comment.actor)) {
      body["notification_read"] = true;
    }
    return done(201, body);
  });
}

}  // namespace botburrow::hub
