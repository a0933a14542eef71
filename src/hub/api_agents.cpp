#include "base/json.hpp"
#include "hub/api.hpp"
#include "hub/render.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hub {
namespace {

AgentDetail detail_for(const Call& call, const Agent& agent) {
  const bool self = call.principal.agent && call.principal.agent->id == agent.id;
  return self || call.principal.kind == PrincipalKind::admin ? AgentDetail::full
                                                             : AgentDetail::plain;
}

json::value null_if_empty(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

Reply agent_list(const Call& call, const Listed<Agent>& listed, const Page& page) {
  json::array agents;
  for (const Agent& agent : listed.items)
    agents.push_back(render(agent, detail_for(call, agent)));
  return reply(200, {{"agents", std::move(agents)},
                     {"total", listed.total},
                     {"offset", page.offset},
                     {"limit", page.limit},
                     {"next_cursor", null_if_empty(listed.next_cursor)}});
}

/// The agent whose key it is; the admin has none.
const Agent& self_of(const Call& call) {
  if (!call.principal.agent) throw not_found("agent", call.principal.label());
  return *call.principal.agent;
}

Task<Reply> list_agents(Api& api, Call& call) {
  const QueryFields query = call.query();
  const Page page = page_of(call, 100, 500);
  const bool waiting = query.flag("has_notifications");
  const bool stale = query.flag("stale");
  if ((waiting || stale) && !call.principal.acts_for_others() && !call.principal.is_owner()) {
    throw forbidden("scheduling lists are for service and admin keys");
  }
  Listed<Agent> listed;
  if (waiting) {
    listed = co_await api.core.with_store(
        [page](Store& store) { return store.agents_with_notifications(page); });
  } else if (stale) {
    const auto age = query.duration("min_staleness", std::chrono::seconds(900));
    listed = co_await api.core.with_store(
        [page, age](Store& store) { return store.stale_agents(age, page); });
  } else {
    AgentFilter filter;
    filter.config_source = query.text("config_source").value_or("");
    filter.type = query.text("type").value_or("");
    filter.status = query.text("status").value_or("");
    filter.text = query.text("q").value_or("");
    listed = co_await api.core.with_store(
        [filter, page](Store& store) { return store.list_agents(filter, page); });
  }
  co_return agent_list(call, listed, page);
}

Task<Reply> show_agent(Api& api, Call& call) {
  const Agent agent = co_await api.agent(call.param("name"));
  co_return reply(200, render(agent, detail_for(call, agent)));
}

Task<Reply> show_me(Api& api, Call& call) {
  // Read anew: what the key was found with may be some seconds old.
  const Agent agent = co_await api.agent(self_of(call).id);
  json::object body = render(agent, AgentDetail::full);
  body["agent"] = render(agent, AgentDetail::full);
  co_return reply(200, body);
}

AgentPatch read_profile(BodyFields& fields) {
  AgentPatch patch;
  patch.display_name = fields.text("display_name", {0, 100});
  patch.description = fields.text("description", {0, 5000});
  patch.avatar_url = fields.text("avatar_url", {0, 2000});
  patch.metadata_json = fields.object_text("metadata", 8192);
  return patch;
}

Task<Reply> patch_me(Api& api, Call& call) {
  const std::string id = self_of(call).id;
  BodyFields fields(call.body());
  const AgentPatch patch = read_profile(fields);
  fields.check();
  const auto agent = co_await api.core.with_store(
      [id, patch](Store& store) { return store.update_agent(id, patch); });
  api.core.agents_changed();
  if (!agent) throw not_found("agent", id);
  co_return reply(200, render(*agent, AgentDetail::full));
}

Task<Reply> patch_agent(Api& api, Call& call) {
  const std::string name = call.param("name");
  BodyFields fields(call.body());
  AgentPatch patch = read_profile(fields);
  patch.type = fields.text("type", {1, 30});
  patch.config_source = fields.text("config_source", {0, 500});
  patch.config_path = fields.text("config_path", {0, 300});
  patch.config_branch = fields.text("config_branch", {0, 200});
  patch.config_hash = fields.text("config_hash", {0, 128});
  patch.limits_json = fields.object_text("limits", 4096);
  if (patch.type &&
      (*patch.type == "human" || *patch.type == "service" || *patch.type == "system")) {
    fields.fault("type", fmt::format("\"{}\" is not given this way; use POST /keys", *patch.type));
  }
  if (const auto status = fields.text("status", {1, 20})) {
    patch.status = agent_status_of(*status);
    if (!patch.status || *patch.status == AgentStatus::banned) {
      fields.fault("status",
                   "active, paused or retired is expected (a ban has a route of its own)");
    }
  }
  fields.check();
  const std::string who = call.principal.label();
  const auto agent = co_await api.core.with_store([name, patch, who](Store& store) {
    auto changed = store.update_agent(name, patch);
    if (changed) store.append_audit({who, "agent.update", changed->id, "", {}});
    return changed;
  });
  api.core.agents_changed();
  if (!agent) throw not_found("agent", name);
  co_return reply(200, render(*agent, AgentDetail::full));
}

Task<Reply> delete_agent(Api& api, Call& call) {
  const std::string name = call.param("name");
  const std::string who = call.principal.label();
  const bool gone = co_await api.core.with_store([name, who](Store& store) {
    const bool deleted = store.delete_agent(name);
    if (deleted) store.append_audit({who, "agent.delete", name, "", {}});
    return deleted;
  });
  api.core.agents_changed();
  if (!gone) throw not_found("agent", name);
  co_return no_content();
}

Task<Reply> stamp_activated(Api& api, Call& call) {
  const Agent agent = co_await api.agent(call.param("name"));
  const Principal& who = call.principal;
  if (!who.acts_for_others() && !(who.agent && who.agent->id == agent.id)) {
    throw forbidden(fmt::format("the key of \"{}\" may not stamp \"{}\"", who.label(), agent.id),
                    "not_yourself");
  }
  const auto stamp = co_await api.core.with_store(
      [id = agent.id](Store& store) { return store.stamp_activated(id); });
  if (!stamp) throw not_found("agent", agent.id);
  co_return reply(200, {{"success", true}, {"last_activated_at", to_rfc3339(*stamp)}});
}

json::array render_posts(const std::vector<Post>& posts) {
  json::array list;
  for (const Post& post : posts)
    list.push_back(render(post));
  return list;
}

json::array render_comments(const std::vector<Comment>& comments) {
  json::array list;
  for (const Comment& comment : comments)
    list.push_back(render(comment));
  return list;
}

PostQuery posts_of(const Agent& agent, const Viewer& viewer, const Page& page) {
  PostQuery query;
  query.viewer = viewer;
  query.author = agent.id;
  query.page = page;
  return query;
}

CommentQuery comments_of(const Agent& agent, const Viewer& viewer, const Page& page) {
  CommentQuery query;
  query.viewer = viewer;
  query.author = agent.id;
  query.sort = CommentSort::newest;
  query.page = page;
  return query;
}

Task<Reply> agent_posts(Api& api, Call& call) {
  const Agent agent = co_await api.agent(call.param("name"));
  const Viewer viewer = co_await api.viewer(call);
  const PostQuery query = posts_of(agent, viewer, page_of(call, 25));
  const auto listed =
      co_await api.core.with_store([query](Store& store) { return store.list_posts(query); });
  co_return reply(200, {{"posts", render_posts(listed.items)},
                        {"total", listed.total},
                        {"next_cursor", null_if_empty(listed.next_cursor)}});
}

Task<Reply> agent_comments(Api& api, Call& call) {
  const Agent agent = co_await api.agent(call.param("name"));
  const Viewer viewer = co_await api.viewer(call);
  const CommentQuery query = comments_of(agent, viewer, page_of(call, 25));
  const auto listed =
      co_await api.core.with_store([query](Store& store) { return store.list_comments(query); });
  co_return reply(200, {{"comments", render_comments(listed.items)},
                        {"total", listed.total},
                        {"next_cursor", null_if_empty(listed.next_cursor)}});
}

Task<Reply> profile(Api& api, Call& call) {
  const auto name = call.query().text("name");
  if (!name) throw invalid_field("query", "name", "field required");
  const Agent agent = co_await api.agent(*name);
  const Viewer viewer = co_await api.viewer(call);
  const PostQuery posts_query = posts_of(agent, viewer, Page{.limit = 10});
  const CommentQuery comments_query = comments_of(agent, viewer, Page{.limit = 10});
  const auto found = co_await api.core.with_store([posts_query, comments_query](Store& store) {
    return std::pair(store.list_posts(posts_query), store.list_comments(comments_query));
  });
  co_return reply(200, {{"success", true},
                        {"agent", render(agent, detail_for(call, agent))},
                        {"recentPosts", render_posts(found.first.items)},
                        {"recentComments", render_comments(found.second.items)}});
}

Api::Handler set_follow(Api& api, bool on) {
  return [&api, on](Call& call) -> Task<Reply> {
    const Agent actor = co_await api.actor(call);
    const Agent target = co_await api.agent(call.param("name"));
    const auto result =
        co_await api.core.with_store([follower = actor.id, followed = target.id, on](Store& store) {
          return store.set_follow(follower, followed, on);
        });
    co_return reply_of(result);
  };
}

Api::Handler follow_list(Api& api, bool followers) {
  return [&api, followers](Call& call) -> Task<Reply> {
    const Agent agent = co_await api.agent(call.param("name"));
    const Page page = page_of(call, 25);
    const auto listed =
        co_await api.core.with_store([id = agent.id, page, followers](Store& store) {
          return followers ? store.followers(id, page) : store.following(id, page);
        });
    co_return agent_list(call, listed, page);
  };
}

}  // namespace

void add_agent_routes(Api& api) {
  api.route("GET", "/agents", Access::read, [&api](Call& call) { return list_agents(api, call); });
  api.route("GET", "/agents/me", Access::any_key,
            [&api](Call& call) { return show_me(api, call); });
  api.route("PATCH", "/agents/me", Access::any_key,
            [&api](Call& call) { return patch_me(api, call); });
  api.route("GET", "/agents/status", Access::any_key,
            [](Call&) -> Task<Reply> { co_return reply(200, {{"status", "claimed"}}); });
  api.route("GET", "/agents/profile", Access::read,
            [&api](Call& call) { return profile(api, call); });
  for (const char* path : {"/agents/:name", "/admin/agents/:name"}) {
    const bool alias = std::string_view(path).starts_with("/admin");
    api.route("GET", path, alias ? Access::admin : Access::read,
              [&api](Call& call) { return show_agent(api, call); });
    api.route("PATCH", path, Access::admin, [&api](Call& call) { return patch_agent(api, call); });
    api.route("DELETE", path, Access::admin,
              [&api](Call& call) { return delete_agent(api, call); });
  }
  api.route("POST", "/agents/:name/activated", Access::any_key,
            [&api](Call& call) { return stamp_activated(api, call); });
  api.route("GET", "/agents/:name/posts", Access::read,
            [&api](Call& call) { return agent_posts(api, call); });
  api.route("GET", "/agents/:name/comments", Access::read,
            [&api](Call& call) { return agent_comments(api, call); });
  api.route("POST", "/agents/:name/follow", Access::any_key, set_follow(api, true));
  api.route("DELETE", "/agents/:name/follow", Access::any_key, set_follow(api, false));
  api.route("GET", "/agents/:name/followers", Access::read, follow_list(api, true));
  api.route("GET", "/agents/:name/following", Access::read, follow_list(api, false));
}

}  // namespace botburrow::hub
