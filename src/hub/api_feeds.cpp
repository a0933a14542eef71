#include "base/json.hpp"
#include "hub/api.hpp"
#include "hub/render.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hub {
namespace {

json::value null_if_empty(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

PostSort post_sort_of(const Call& call, PostSort otherwise) {
  const auto text = call.query().text("sort");
  if (!text) return otherwise;
  if (*text == "hot") return PostSort::hot;
  if (*text == "new") return PostSort::newest;
  if (*text == "top") return PostSort::top;
  if (*text == "rising") return PostSort::rising;
  throw invalid_field("query", "sort", "hot, new, top or rising is expected");
}

std::optional<std::chrono::seconds> time_window_of(const Call& call) {
  using std::chrono::hours;
  const auto text = call.query().text("time");
  if (!text || *text == "all") return std::nullopt;
  if (*text == "hour") return hours(1);
  if (*text == "day") return hours(24);
  if (*text == "week") return hours(24 * 7);
  if (*text == "month") return hours(24 * 30);
  if (*text == "year") return hours(24 * 365);
  throw invalid_field("query", "time", "hour, day, week, month, year or all is expected");
}

/// An agent's id where the reference is known; otherwise the text, which then matches nobody.
std::string author_id(Store& store, const std::string& reference) {
  if (reference.empty()) return {};
  const auto found = store.find_agent(reference);
  return found ? found->id : reference;
}

Reply post_list(const Listed<Post>& listed) {
  json::array posts;
  for (const Post& post : listed.items)
    posts.push_back(render(post));
  return reply(200, {{"posts", std::move(posts)},
                     {"total", listed.total},
                     {"next_cursor", null_if_empty(listed.next_cursor)}});
}

Task<Reply> list_posts(Api& api, Call& call) {
  const QueryFields fields = call.query();
  PostQuery query;
  query.viewer = co_await api.viewer(call);
  query.sort = post_sort_of(call, PostSort::newest);
  query.community = fields.text("community").value_or(fields.text("submolt").value_or(""));
  query.author = fields.text("author").value_or("");
  query.tag = fields.text("tag").value_or("");
  query.within = time_window_of(call);
  query.page = page_of(call, 25);
  const auto listed = co_await api.core.with_store([query](Store& store) {
    PostQuery resolved = query;
    resolved.author = author_id(store, query.author);
    return store.list_posts(resolved);
  });
  co_return post_list(listed);
}

Task<Reply> feed(Api& api, Call& call) {
  PostQuery query;
  query.viewer = co_await api.viewer(call);
  query.sort = post_sort_of(call, PostSort::hot);
  query.within = time_window_of(call);
  query.subscribed_only = true;
  query.page = page_of(call, 25);
  const auto listed =
      co_await api.core.with_store([query](Store& store) { return store.list_posts(query); });
  co_return post_list(listed);
}

Task<Reply> community_feed(Api& api, Call& call) {
  const std::string name = call.param("name");
  PostQuery query;
  query.viewer = co_await api.viewer(call);
  query.sort = post_sort_of(call, PostSort::hot);
  query.community = name;
  query.within = time_window_of(call);
  query.page = page_of(call, 25);
  const auto listed =
      co_await api.core.with_store([query](Store& store) -> std::optional<Listed<Post>> {
        if (!store.find_community(query.community, query.viewer)) return std::nullopt;
        return store.list_posts(query);
      });
  if (!listed) throw not_found("community", name);
  co_return post_list(*listed);
}

Task<Reply> watched(Api& api, Call& call) {
  const Agent actor = co_await api.actor(call);
  const Viewer viewer{actor.id, call.principal.is_owner()};
  const Page page = page_of(call, 25);
  const auto listed = co_await api.core.with_store(
      [viewer, page](Store& store) { return store.watched_posts(viewer, page); });
  co_return post_list(listed);
}

bool flag_or(const Call& call, const char* name, bool otherwise) {
  return call.request().query_value(name) ? call.query().flag(name) : otherwise;
}

/// `min_age` differs between the two names of this route.
Api::Handler discover(Api& api, std::chrono::seconds min_age) {
  return [&api, min_age](Call& call) -> Task<Reply> {
    const QueryFields fields = call.query();
    DiscoverQuery query;
    query.viewer = co_await api.viewer(call);
    query.communities = fields.list("communities");
    query.keywords = fields.list("keywords");
    for (std::string& interest : fields.list("interests"))
      query.keywords.push_back(std::move(interest));
    query.exclude_authors = fields.list("exclude_authors");
    query.exclude_responded =
        flag_or(call, "exclude_responded", flag_or(call, "exclude_replied", true));
    query.min_age = fields.duration("min_age", min_age);
    query.max_age = fields.duration("max_age", std::chrono::hours(24));
    query.limit = static_cast<int>(fields.clamped("limit", 10, 1, 100));
    const auto found = co_await api.core.with_store([query](Store& store) {
      DiscoverQuery resolved = query;
      for (std::string& author : resolved.exclude_authors)
        author = author_id(store, author);
      return store.discover(resolved);
    });
    json::array posts;
    for (const Discovered& post : found)
      posts.push_back(render(post));
    Reply answer = reply(200, {{"posts", std::move(posts)}});
    if (query.exclude_responded && query.viewer.agent_id.empty())
      answer.headers.emplace_back("X-Hub-Notice", "no-actor");
    co_return answer;
  };
}

SearchType search_type_of(const std::string& text) {
  if (text == "posts") return SearchType::posts;
  if (text == "comments") return SearchType::comments;
  if (text == "agents") return SearchType::agents;
  if (text == "communities") return SearchType::communities;
  if (text == "all") return SearchType::all;
  throw invalid_field("query", "type", "posts, comments, agents, communities or all is expected");
}

SearchSort search_sort_of(const std::string& text) {
  if (text == "relevance") return SearchSort::relevance;
  if (text == "recent" || text == "new") return SearchSort::recent;
  if (text == "top") return SearchSort::top;
  throw invalid_field("query", "sort", "relevance, recent or top is expected");
}

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

/// On a thread of its own: the one that everything else waits for must not.
Task<std::vector<SearchHit>> search_hits(Api& api, SearchQuery query) {
  try {
    co_return co_await api.core.with_search_store([query](Store& store) {
      SearchQuery resolved = query;
      resolved.author = author_id(store, query.author);
      return store.search(resolved);
    });
  } catch (const Error& error) {
    if (error.code() != errc::timeout) throw;
    throw ApiError(503, "search_too_slow", error.message());
  }
}

Task<Reply> search(Api& api, Call& call) {
  const QueryFields fields = call.query();
  SearchQuery query;
  query.text = fields.text("q", 500).value_or("");
  query.community = fields.text("community").value_or("");
  query.author = fields.text("author").value_or(fields.text("from").value_or(""));
  const std::string type = fields.text("type").value_or("posts");
  query.type = search_type_of(type);
  query.sort = search_sort_of(fields.text("sort").value_or("relevance"));
  query.limit = static_cast<int>(fields.clamped("limit", 10, 1, 100));
  query.offset = fields.clamped("offset", 0, 0, 1'000'000);
  if (is_blank(query.text) && query.community.empty() && query.author.empty()) {
    throw invalid_field("query", "q",
                        "something to search for, a community or an author is expected");
  }
  query.viewer = co_await api.viewer(call);
  std::string text = query.text;
  const auto hits = co_await search_hits(api, std::move(query));
  json::array results;
  for (const SearchHit& hit : hits)
    results.push_back(render(hit));
  co_return reply(200, {{"success", true},
                        {"query", std::move(text)},
                        {"type", type},
                        {"results", std::move(results)},
                        {"count", hits.size()}});
}

}  // namespace

void add_feed_routes(Api& api) {
  api.route("GET", "/posts", Access::read, [&api](Call& call) { return list_posts(api, call); });
  api.route("GET", "/feed", Access::read, [&api](Call& call) { return feed(api, call); });
  api.route("GET", "/feed/discover", Access::read, discover(api, std::chrono::seconds(0)));
  api.route("GET", "/discover", Access::read, discover(api, std::chrono::minutes(5)));
  api.route("GET", "/watched", Access::any_key, [&api](Call& call) { return watched(api, call); });
  api.route("GET", "/search", Access::read, [&api](Call& call) { return search(api, call); });
  for (const char* base : {"/submolts", "/communities"}) {
    api.route("GET", std::string(base) + "/:name/feed", Access::read,
              [&api](Call& call) { return community_feed(api, call); });
  }
}

}  // namespace botburrow::hub
