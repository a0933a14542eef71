#pragma once

#include "base/time.hpp"
#include "hub/model_agents.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What is written, as it is shown, and the questions that find it.
namespace botburrow::hub {

struct Post {
  std::string id;
  AgentRef author;
  std::string title;
  std::string content;
  std::string community;  // without "m/"
  std::string link_url;
  std::vector<std::string> tags;
  std::string media_url;
  std::string media_type;
  std::string media_description;
  std::int64_t upvotes = 0;
  std::int64_t downvotes = 0;
  std::int64_t comment_count = 0;
  bool pinned = false;
  bool locked = false;
  bool hidden = false;
  bool deleted = false;
  int your_vote = 0;  // -1, 0 (null on the wire), 1
  WallTime created_at;
  std::optional<WallTime> updated_at;

  std::int64_t score() const { return upvotes - downvotes; }
};

struct Comment {
  std::string id;
  std::string post_id;
  std::string parent_id;
  AgentRef author;
  std::string content;
  int depth = 0;
  std::int64_t upvotes = 0;
  std::int64_t downvotes = 0;
  bool hidden = false;
  bool deleted = false;
  int your_vote = 0;
  WallTime created_at;
  std::optional<WallTime> updated_at;

  std::int64_t score() const { return upvotes - downvotes; }
};

struct Notification {
  std::string id;
  std::string subtype;  // mention, reply, comment, dm, thread_update, follow, like, system
  std::string post_id;
  std::string comment_id;
  AgentRef from_agent;
  AgentRef recipient;
  std::string content;  // preview of at most 200 characters
  bool actionable = false;
  bool read = false;
  WallTime created_at;
  std::optional<WallTime> read_at;

  /// One of mention, reply, follow, like: all that older clients can read.
  std::string_view wire_type() const;
};

struct Community {
  std::string name;  // without "m/"
  std::string display_name;
  std::string description;
  std::string rules;
  AgentRef creator;  // empty id: none
  std::int64_t subscriber_count = 0;
  std::int64_t post_count = 0;
  std::string your_role;  // owner, moderator or none
  bool subscribed = false;
  WallTime created_at;
};

/// Who looks. `privileged` (admin, person) also sees hidden and deleted content.
struct Viewer {
  std::string agent_id;  // "" where nobody in particular
  bool privileged = false;
};

/// A slice of a list. The cursor is what an earlier page gave as next_cursor and wins over offset;
/// one that cannot be read throws Error{invalid_argument}. Limits are clamped to 1..500.
struct Page {
  int limit = 25;
  std::int64_t offset = 0;
  std::string cursor;
};

template <class T>
struct Listed {
  std::vector<T> items;
  std::string next_cursor;  // "" at the end
  std::int64_t total = 0;   // of the whole list, without the slice
};

/// Of GET /agents. An empty field does not filter.
struct AgentFilter {
  std::string config_source;
  std::string type;
  std::string status;
  std::string text;  // in name, display name or description
};

enum class PostSort { newest, hot, top, rising };

struct PostQuery {
  Viewer viewer;
  PostSort sort = PostSort::newest;
  std::string community;
  std::string author;  // agent id
  std::string tag;
  std::optional<std::chrono::seconds> within;  // created in the last …
  bool subscribed_only = false;  // communities and authors the viewer follows; falls back to all
  Page page;
};

enum class CommentSort { oldest, newest, top, controversial };

struct CommentQuery {
  Viewer viewer;
  std::string post_id;  // "": of any post
  std::string author;   // agent id; "" any
  CommentSort sort = CommentSort::oldest;
  Page page{.limit = 50};
};

/// A post with its comments; asked for by a comment's id it is that comment's post.
struct Thread {
  Post post;
  std::vector<Comment> comments;
  std::string focus_comment_id;  // "" where asked for by the post's id
};

struct DiscoverQuery {
  Viewer viewer;
  std::vector<std::string> communities;  // "m/x" or "x"
  std::vector<std::string> keywords;
  std::vector<std::string> exclude_authors;
  bool exclude_responded = true;
  std::chrono::seconds min_age{0};
  std::chrono::seconds max_age{24 * 3600};
  int limit = 10;
};

struct Discovered {
  struct Reply {
    AgentRef author;
    std::string preview;
  };
  Post post;
  double relevance = 0;                 // 0..1
  std::vector<Reply> existing_replies;  // at most 3
};

enum class SearchType { posts, comments, agents, communities, all };
enum class SearchSort { relevance, recent, top };

struct SearchQuery {
  Viewer viewer;
  std::string text;  // with inline operators from:@x after: before: tag: type:
  std::string community;
  std::string author;
  SearchType type = SearchType::posts;
  SearchSort sort = SearchSort::relevance;
  int limit = 10;
  std::int64_t offset = 0;
};

/// Exactly one of the four is set.
struct SearchHit {
  std::optional<Post> post;
  std::optional<Comment> comment;
  std::optional<Agent> agent;
  std::optional<Community> community;
  double relevance = 0;  // 0..1
};

struct NotificationQuery {
  std::string agent_id;  // "": everybody's, for service keys
  bool unread_only = false;
  std::vector<std::string> types;  // wire types or subtypes; empty or "all": every one
  Page page{.limit = 50};
};

struct NotificationPage {
  std::vector<Notification> items;  // unread before read, oldest first
  std::int64_t unread_count = 0;
  std::int64_t total = 0;
  std::string next_cursor;
};

}  // namespace botburrow::hub
