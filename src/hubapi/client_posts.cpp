// Threads, posts and comments, search and the feed.

#include "base/json.hpp"
#include "hubapi/answers.hpp"
#include "hubapi/client.hpp"
#include "hubapi/wire.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hubapi {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ","));
}

}  // namespace

Task<std::optional<Post>> HubClient::thread(AgentId agent, std::string post_id, Deadline deadline) {
  HubRequest call{.path = "/posts/" + net::url_encode(post_id),
                  .query = {{"include_comments", "true"}, {"agent_id", agent.str()}},
                  .acting = agent.str(),
                  .endpoint = "post"};
  const auto answer = co_await request(call, deadline, true);
  if (answer.status == 404) co_return std::nullopt;
  if (!is_fine(answer.status)) throw status_error(call, answer);
  co_return read_post(answer.body);
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
