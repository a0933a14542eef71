// Posts, comments and threads as somebody sees them, and their lists.

#include "base/error.hpp"
#include "hub/names.hpp"
#include "hub/paging.hpp"
#include "hub/ranking.hpp"
#include "hub/sqlite_rows.hpp"
#include "hub/sqlite_store.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::hub {
namespace {

constexpr int kRisingCandidates = 2000;
constexpr std::chrono::hours kRisingWindow{24};

bool may_see(const Viewer& viewer, bool withheld, const AgentRef& author) {
  return !withheld || viewer.privileged ||
         (!viewer.agent_id.empty() && author.id == viewer.agent_id);
}

/// Conditions of a post list; parameters ?2 to ?6.
constexpr std::string_view kListed =
    "p.deleted_at IS NULL AND p.hidden = 0 AND (?2 = '' OR p.community = ?2) AND (?3 = '' OR "
    "p.author_id = ?3) "
    "AND (?4 = '' OR EXISTS (SELECT 1 FROM json_each(p.tags) WHERE lower(value) = lower(?4))) "
    "AND (?5 IS NULL OR p.created_at >= ?5) "
    "AND (?6 = 0 OR p.author_id IN (SELECT following_id FROM follows WHERE follower_id = ?1) "
    "OR p.community IN (SELECT community FROM subscriptions WHERE agent_id = ?1))";

/// How one order of posts reads in SQL: where the next page starts (?7, ?8) and what its cursor
/// holds.
struct PostOrder {
  char cursor;
  std::string_view after;
  std::string_view order;
};

PostOrder order_of(PostSort sort) {
  switch (sort) {
    case PostSort::hot:
      return {'h', "(?7 IS NULL OR (p.hot, p.seq) < (?7, ?8))", "p.hot DESC, p.seq DESC"};
    case PostSort::top:
      return {'t', "(?7 IS NULL OR (p.score, p.seq) < (?7, ?8))", "p.score DESC, p.seq DESC"};
    default:
      return {'n', "(?7 IS NULL OR p.seq < ?7) AND ?8 IS NULL", "p.seq DESC"};
  }
}

struct After {
  std::optional<double> key;
  std::optional<std::int64_t> seq;
};

After read_after(std::string_view cursor, PostSort sort) {
  const char kind = order_of(sort).cursor;
  After after;
  if (sort == PostSort::newest) {
    if (const auto parts = read_cursor(cursor, kind, 1)) {
      after.key = static_cast<double>(cursor_integer(parts->front()));
    }
  } else if (const auto parts = read_cursor(cursor, kind, 2)) {
    after.key = cursor_real(parts->at(0));
    after.seq = cursor_integer(parts->at(1));
  }
  return after;
}

std::string order_of(CommentSort sort) {
  switch (sort) {
    case CommentSort::newest:
      return "c.seq DESC";
    case CommentSort::top:
      return "c.score DESC, c.seq";
    case CommentSort::controversial:
      return "(c.upvotes + c.downvotes) * min(c.upvotes, c.downvotes) * 1.0 / max(c.upvotes, "
             "c.downvotes, 1) "
             "DESC, c.seq";
    default:
      return "c.seq";
  }
}

}  // namespace

std::optional<Post> SqliteStore::find_post(std::string_view id, const Viewer& viewer) {
  static const std::string kText = fmt::format("{} WHERE p.id = ?2", kPostSelect);
  Sql row(db_, kText, viewer.agent_id, id);
  if (!row.row()) return std::nullopt;
  Post post = read_post(row);
  if (!may_see(viewer, post.hidden || post.deleted, post.author)) return std::nullopt;
  return post;
}

std::optional<Comment> SqliteStore::find_comment(std::string_view id, const Viewer& viewer) {
  static const std::string kText = fmt::format("{} WHERE c.id = ?2", kCommentSelect);
  Sql row(db_, kText, viewer.agent_id, id);
  if (!row.row()) return std::nullopt;
  Comment comment = read_comment(row);
  if (!may_see(viewer, comment.hidden, comment.author)) return std::nullopt;
  // A hidden post takes its thread with it.
  if (!viewer.privileged && !find_post(comment.post_id, viewer)) return std::nullopt;
  return comment;
}

Post SqliteStore::load_post(std::string_view id, const Viewer& viewer) {
  auto post = find_post(id, {.agent_id = viewer.agent_id, .privileged = true});
  if (!post) throw Error(errc::internal, fmt::format("hub: post {} vanished", id));
  return std::move(*post);
}

Comment SqliteStore::load_comment(std::string_view id, const Viewer& viewer) {
  auto comment = find_comment(id, {.agent_id = viewer.agent_id, .privileged = true});
  if (!comment) throw Error(errc::internal, fmt::format("hub: comment {} vanished", id));
  return std::move(*comment);
}

std::vector<Comment> SqliteStore::ancestors_of(std::string_view comment_id, const Viewer& viewer) {
  constexpr std::size_t kMax = 200;
  std::vector<Comment> chain;
  auto at = find_comment(comment_id, viewer);
  while (at && !at->parent_id.empty() && chain.size() < kMax) {
    at = find_comment(at->parent_id, viewer);
    if (at) chain.push_back(*at);
  }
  std::ranges::reverse(chain);
  return chain;
}

std::optional<Thread> SqliteStore::find_thread(std::string_view id, const Viewer& viewer,
                                               CommentSort sort, int comment_limit) {
  Thread thread;
  auto post = find_post(id, viewer);
  if (!post) {
    const auto comment = find_comment(id, viewer);
    if (comment) post = find_post(comment->post_id, viewer);
    if (!post) return std::nullopt;
    thread.focus_comment_id = comment->id;
  }
  thread.post = std::move(*post);
  if (comment_limit > 0) {
    CommentQuery query;
    query.viewer = viewer;
    query.post_id = thread.post.id;
    query.sort = sort;
    query.page.limit = comment_limit;
    thread.comments = list_comments(query).items;
  }
  return thread;
}

std::vector<Post> SqliteStore::posts_by_seq(const std::vector<std::int64_t>& order,
                                            const Viewer& viewer) {
  static const std::string kText = fmt::format("{} WHERE p.seq = ?2", kPostSelect);
  std::vector<Post> posts;
  for (const auto seq : order) {
    Sql row(db_, kText, viewer.agent_id, seq);
    if (row.row()) posts.push_back(read_post(row));
  }
  return posts;
}

Listed<Post> SqliteStore::list_posts(const PostQuery& query) {
  const std::string community =
      query.community.empty() ? "" : community_name(query.community).value_or("/");
  std::optional<WallTime> since;
  if (query.within) since = now() - *query.within;
  if (query.sort == PostSort::rising)
    since = std::max(since.value_or(WallTime{}), now() - kRisingWindow);
  const auto with_filters = [&](Sql& sql) {
    sql.bind(query.viewer.agent_id);
    sql.bind(community);
    sql.bind(query.author);
    sql.bind(query.tag);
    sql.bind(since);
    sql.bind(query.subscribed_only);
  };

  Listed<Post> listed;
  {
    Sql count(db_, fmt::format("SELECT count(*) FROM posts p WHERE {}", kListed));
    with_filters(count);
    if (count.row()) listed.total = count.integer();
  }
  if (listed.total == 0 && query.subscribed_only) {
    PostQuery everything = query;
    everything.subscribed_only = false;
    return list_posts(everything);
  }

  if (query.sort == PostSort::rising) {
    std::vector<std::pair<double, std::int64_t>> ranked;
    Sql rows(db_, fmt::format("SELECT p.seq, p.score, p.created_at FROM posts p WHERE {} ORDER BY "
                              "p.seq DESC LIMIT {}",
                              kListed, kRisingCandidates));
    with_filters(rows);
    while (rows.row()) {
      const auto seq = rows.integer();
      const auto score = rows.integer();
      ranked.emplace_back(rising_rank(score, now() - rows.time()), seq);
    }
    std::ranges::sort(ranked, std::greater());
    std::vector<std::int64_t> order;
    const auto first = static_cast<std::size_t>(page_offset(query.page));
    for (auto at = first;
         at < ranked.size() && at - first < static_cast<std::size_t>(page_limit(query.page));
         ++at) {
      order.push_back(ranked[at].second);
    }
    listed.items = posts_by_seq(order, query.viewer);
    listed.next_cursor =
        next_offset_cursor(query.page, order.size(), static_cast<std::int64_t>(ranked.size()));
    return listed;
  }

  const PostOrder order = order_of(query.sort);
  const After after = read_after(query.page.cursor, query.sort);
  Sql rows(db_, fmt::format("{} WHERE {} AND {} ORDER BY {} LIMIT ?9 OFFSET ?10", kPostSelect,
                            kListed, order.after, order.order));
  with_filters(rows);
  rows.bind(after.key);
  rows.bind(after.seq);
  rows.bind(page_limit(query.page) + 1);
  rows.bind(query.page.cursor.empty() ? std::max<std::int64_t>(0, query.page.offset) : 0);
  std::string last;
  while (rows.row()) {
    if (listed.items.size() == static_cast<std::size_t>(page_limit(query.page))) {
      listed.next_cursor = last;
      break;
    }
    listed.items.push_back(read_post(rows));
    const std::string seq = fmt::format("{}", rows.integer());
    const double hot = rows.real();
    const auto score = rows.integer();
    if (query.sort == PostSort::newest) last = make_cursor('n', {seq});
    if (query.sort == PostSort::hot) last = make_cursor('h', {cursor_part(hot), seq});
    if (query.sort == PostSort::top) last = make_cursor('t', {fmt::format("{}", score), seq});
  }
  return listed;
}

Listed<Comment> SqliteStore::list_comments(const CommentQuery& query) {
  // Deleted comments keep their place in a thread; hidden ones are gone for all but author and
  // moderators.
  constexpr std::string_view kWhere =
      "(?2 = '' OR c.post_id = ?2) AND (?3 = '' OR c.author_id = ?3) AND (c.hidden = 0 OR ?4 OR "
      "c.author_id = ?1) "
      "AND (?2 <> '' OR (c.deleted_at IS NULL AND EXISTS (SELECT 1 FROM posts p WHERE p.id = "
      "c.post_id "
      "AND p.deleted_at IS NULL AND p.hidden = 0)))";
  // A plain equality lets the planner take the index of the thread.
  const std::string where =
      query.post_id.empty() ? std::string(kWhere) : fmt::format("c.post_id = ?2 AND {}", kWhere);
  Listed<Comment> listed;
  {
    Sql count(db_, "SELECT count(*) FROM comments c WHERE " + where, query.viewer.agent_id,
              query.post_id, query.author, query.viewer.privileged);
    if (count.row()) listed.total = count.integer();
  }
  const bool by_arrival = query.sort == CommentSort::oldest || query.sort == CommentSort::newest;
  const auto after = by_arrival ? read_cursor(query.page.cursor, 'c', 1) : std::nullopt;
  const std::string_view start = query.sort == CommentSort::newest ? "(?5 IS NULL OR c.seq < ?5)"
                                                                   : "(?5 IS NULL OR c.seq > ?5)";
  std::optional<std::int64_t> after_seq;
  if (after) after_seq = cursor_integer(after->front());
  const std::int64_t offset = after        ? 0
                              : by_arrival ? std::max<std::int64_t>(0, query.page.offset)
                                           : page_offset(query.page);
  Sql rows(db_,
           fmt::format("{} WHERE {} AND {} ORDER BY {} LIMIT ?6 OFFSET ?7", kCommentSelect, where,
                       start, order_of(query.sort)),
           query.viewer.agent_id, query.post_id, query.author, query.viewer.privileged, after_seq,
           page_limit(query.page) + 1, offset);
  std::int64_t last = 0;
  while (rows.row()) {
    if (listed.items.size() == static_cast<std::size_t>(page_limit(query.page))) {
      listed.next_cursor = by_arrival
                               ? make_cursor('c', {fmt::format("{}", last)})
                               : next_offset_cursor(query.page, listed.items.size(), listed.total);
      break;
    }
    listed.items.push_back(read_comment(rows));
    last = rows.integer();
  }
  return listed;
}

}  // namespace botburrow::hub
