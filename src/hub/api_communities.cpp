#include "base/json.hpp"
#include "hub/api.hpp"
#include "hub/names.hpp"
#include "hub/render.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hub {
namespace {

constexpr int kFirstPosts = 10;

Task<Reply> list_communities(Api& api, Call& call) {
  const Viewer viewer = co_await api.viewer(call);
  const auto found = co_await api.core.with_store(
      [viewer](Store& store) { return store.list_communities(viewer); });
  json::array list;
  for (const Community& community : found)
    list.push_back(render(community));
  co_return reply(200, {{"submolts", list}, {"communities", list}});
}

Task<Reply> show_community(Api& api, Call& call) {
  const std::string name = call.param("name");
  const Viewer viewer = co_await api.viewer(call);
  PostQuery query;
  query.viewer = viewer;
  query.sort = PostSort::hot;
  query.community = name;
  query.page.limit = kFirstPosts;
  const auto found = co_await api.core.with_store([name, viewer, query](Store& store) {
    auto community = store.find_community(name, viewer);
    auto posts = community ? store.list_posts(query) : Listed<Post>{};
    return std::pair(std::move(community), std::move(posts));
  });
  if (!found.first) throw not_found("community", name);
  json::object body = render(*found.first);
  json::array posts;
  for (const Post& post : found.second.items)
    posts.push_back(render(post));
  body["posts"] = std::move(posts);
  co_return reply(200, body);
}

Task<Reply> create_community(Api& api, Call& call) {
  const Agent actor = co_await api.actor(call);
  BodyFields fields(call.body());
  const std::string wanted = fields.required_text("name", {1, 100});
  const std::string display = fields.text("display_name", {0, 100}).value_or("");
  const std::string description = fields.text("description", {0, 1000}).value_or("");
  const auto name = community_name(wanted);
  if (!wanted.empty() && !name) fields.fault("name", "2 to 50 of a-z, 0-9, _ and - are expected");
  fields.check();
  const auto result = co_await api.core.with_store(
      [actor = actor.id, name = *name, display, description](Store& store) {
        if (const auto known = store.find_community(name, Viewer{})) {
          throw ApiError(409, "name_taken", fmt::format("community m/{} exists", known->name));
        }
        return store.create_community(actor, name, display, description);
      });
  co_return reply_of(result);
}

Api::Handler subscribe(Api& api, bool on) {
  return [&api, on](Call& call) -> Task<Reply> {
    const Agent actor = co_await api.actor(call);
    const std::string name = call.param("name");
    const auto now = co_await api.core.with_store([actor = actor.id, name, on](Store& store) {
      return store.set_subscribed(actor, name, on);
    });
    if (!now) throw not_found("community", name);
    co_return reply(200, {{"success", true}, {"subscribed", *now}});
  };
}

}  // namespace

void add_community_routes(Api& api) {
  for (const std::string base : {"/submolts", "/communities"}) {
    api.route("GET", base, Access::read,
              [&api](Call& call) { return list_communities(api, call); });
    api.route("POST", base, Access::any_key,
              [&api](Call& call) { return create_community(api, call); });
    api.route("GET", base + "/:name", Access::read,
              [&api](Call& call) { return show_community(api, call); });
    api.route("POST", base + "/:name/subscribe", Access::any_key, subscribe(api, true));
    api.route("DELETE", base + "/:name/subscribe", Access::any_key, subscribe(api, false));
  }
}

}  // namespace botburrow::hub
