// Threads, posts and comments, search and the feed.

#include "base/json.hpp"
#include "hubapi/answers.hpp"
#include "hubapi/client.hpp"
#include "hubapi/wire.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace botburrow::hubapi {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ","));
}

constexpr std::size_t kPageSize = 100;

// A Hub that knows the order says so; one that does not gives the oldest first, as ever.
bool is_newest_first(const json::value& answer, const std::vector<Comment>& comments) {
  if (const auto order = string_field(answer, "comment_sort")) return *order == "new";
  return comments.size() > 1 && comments.front().created_at > comments.back().created_at;
}

// Whether the thread may have comments that were not given. Counts are of the Hub's making: deleted
// or hidden ones may be in them or not.
bool may_be_cut(const Post& post) {
  return post.comments.size() == kThreadComments || post.comments_total > post.comments.size();
}

bool is_by(const Comment& comment, const AgentId& agent) {
  return comment.author.id == agent.str() || comment.author.name == agent.str();
}

// Those that are not there yet are older than those that are.
void put_before(std::vector<Comment>& comments, std::vector<Comment> newest_first) {
  std::set<std::string> known;
  for (const auto& comment : comments)
    known.insert(comment.id);
  std::erase_if(newest_first, [&](const auto& comment) { return known.contains(comment.id); });
  std::ranges::reverse(newest_first);
  comments.insert(comments.begin(), std::make_move_iterator(newest_first.begin()),
                  std::make_move_iterator(newest_first.end()));
}

}  // namespace

// Pages of comments, newest first. A Hub that does not know the author gives those of everybody.
Task<std::vector<Comment>> HubClient::own_comments(AgentId agent, std::string post_id,
                                                   Deadline deadline) {
  std::vector<Comment> own;
  std::set<std::string> known;
  NextPage next;
  for (std::size_t page = 0; page < kOwnAnswers / kPageSize; ++page) {
    HubRequest call{.path = "/posts/" + net::url_encode(post_id) + "/comments",
                    .query = next.added_to({{"author", agent.str()},
                                            {"sort", "new"},
                                            {"limit", fmt::format("{}", kPageSize)},
                                            {"agent_id", agent.str()}}),
                    .acting = agent.str(),
                    .endpoint = "comments"};
    const auto answer = co_await request(call, deadline, true);
    const bool asks_too_much = is_unknown_call(answer.status) || answer.status == 400 ||
                               answer.status == 403 || answer.status == 422;
    if (asks_too_much) break;
    if (!is_fine(answer.status)) throw status_error(call, answer);
    const auto before = known.size();
    for (auto& one : read_list<Comment>(answer.body, "comments", read_comment)) {
      if (known.insert(one.id).second && is_by(one, agent)) own.push_back(std::move(one));
    }
    // The same page again and again: there are no more.
    if (known.size() == before) break;
    next.after(answer.body, array_field(answer.body, "comments").size());
    if (!next.more) break;
  }
  co_return own;
}

Task<std::optional<Post>> HubClient::thread(AgentId agent, std::string post_id, Deadline deadline) {
  HubRequest call{.path = "/posts/" + net::url_encode(post_id),
                  .query = {{"include_comments", "true"},
                            {"comment_sort", "new"},
                            {"comment_limit", fmt::format("{}", kThreadComments)},
                            {"agent_id", agent.str()}},
                  .acting = agent.str(),
                  .endpoint = "post"};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 404) co_return std::nullopt;
  if (!is_fine(answer.status)) throw status_error(call, answer);
  auto post = read_post(answer.body);
  if (!post) co_return std::nullopt;
  if (is_newest_first(answer.body, post->comments)) std::ranges::reverse(post->comments);
  if (may_be_cut(*post))
    put_before(post->comments, co_await own_comments(agent, post->id, deadline));
  co_return post;
}

Task<Written> HubClient::create_post(AgentId agent, NewPost post, WriteGuard guard,
                                     Deadline deadline) {
  json::object body{{"agent_id", agent.str()}, {"content", post.content}};
  if (!post.title.empty()) body["title"] = post.title;
  if (!post.community.empty()) body["community"] = post.community;
  const auto answer = co_await request({.method = "POST",
                                        .path = "/posts",
                                        .body = std::move(body),
                                        .acting = agent.str(),
                                        .guard = std::move(guard),
                                        .endpoint = "create_post",
                                        .wait_on_429 = false},
                                       deadline);
  Written written{.id = string_field(answer.body, "id").value_or(""), .replayed = answer.replayed};
  co_return written;
}

Task<Written> HubClient::create_comment(AgentId agent, NewComment comment, WriteGuard guard,
                                        Deadline deadline) {
  json::object body{{"agent_id", agent.str()}, {"content", comment.content}};
  if (!comment.parent_id.empty()) body["parent_id"] = comment.parent_id;
  if (!comment.notification_id.empty()) body["notification_id"] = comment.notification_id;
  const auto answer =
      co_await request({.method = "POST",
                        .path = "/posts/" + net::url_encode(comment.post_id) + "/comments",
                        .body = std::move(body),
                        .acting = agent.str(),
                        .guard = std::move(guard),
                        .endpoint = "create_comment",
                        .wait_on_429 = false},
                       deadline);
  Written written{
      .id = string_field(answer.body, "id").value_or(""),
      .replayed = answer.replayed,
      .notification_read = bool_field(answer.body, "notification_read").value_or(false)};
  co_return written;
}

Task<std::vector<Post>> HubClient::search(AgentId agent, SearchQuery query, Deadline deadline) {
  Query pairs{{"q", query.q}, {"limit", fmt::format("{}", query.limit)}};
  if (!query.community.empty()) pairs.emplace_back("community", query.community);
  if (!query.author.empty()) pairs.emplace_back("author", query.author);
  const auto answer = co_await request(
      {.path = "/search", .query = std::move(pairs), .acting = agent.str(), .endpoint = "search"},
      deadline);
  co_return read_list<Post>(answer.body, "results", read_post, warn_of_unreadable("results"));
}

Task<std::vector<Post>> HubClient::discover(AgentId agent, DiscoverQuery query, Deadline deadline) {
  Query pairs{{"limit", fmt::format("{}", query.limit)},
              {"exclude_responded", "true"},
              {"agent_id", agent.str()},
              {"min_age", "5m"},
              {"max_age", "24h"}};
  if (!query.communities.empty()) pairs.emplace_back("communities", joined(query.communities));
  if (!query.keywords.empty()) pairs.emplace_back("keywords", joined(query.keywords));
  const auto answer = co_await request({.path = "/feed/discover",
                                        .query = std::move(pairs),
                                        .acting = agent.str(),
                                        .endpoint = "discover"},
                                       deadline);
  co_return read_list<Post>(answer.body, "posts", read_post, warn_of_unreadable("posts"));
}

}  // namespace botburrow::hubapi
