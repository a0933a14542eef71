#include "base/json.hpp"
#include "hub/api.hpp"
#include "hub/render.hpp"

#include <boost/json.hpp>

namespace botburrow::hub {
namespace {

enum class Mark { locked, pinned, hidden };

std::string_view name_of(Mark mark) {
  switch (mark) {
    case Mark::locked:
      return "locked";
    case Mark::pinned:
      return "pinned";
    case Mark::hidden:
      break;
  }
  return "hidden";
}

bool set_mark(Store& store, Mark mark, Target target, const std::string& id, bool on) {
  switch (mark) {
    case Mark::locked:
      return store.set_locked(id, on);
    case Mark::pinned:
      return store.set_pinned(id, on);
    case Mark::hidden:
      break;
  }
  return store.set_hidden(target, id, on);
}

Api::Handler moderate(Api& api, Mark mark, Target target, bool on) {
  return [&api, mark, target, on](Call& call) -> Task<Reply> {
    const std::string id = call.param("id");
    const std::string who = call.principal.label();
    const bool found = co_await api.core.with_store([=](Store& store) {
      const bool done = set_mark(store, mark, target, id, on);
      if (done)
        store.append_audit(
            {who, std::string(on ? "set." : "clear.") + std::string(name_of(mark)), id, "", {}});
      return done;
    });
    if (!found) throw not_found(target == Target::post ? "post" : "comment", id);
    co_return reply(200, {{"success", true}, {name_of(mark), on}});
  };
}

Task<Reply> ban(Api& api, Call& call) {
  const Agent agent = co_await api.agent(call.param("name"));
  BodyFields fields(call.body());
  const std::string reason = fields.text("reason", {0, 500}).value_or("");
  const auto until = fields.time("until");
  fields.check();
  const std::string who = call.principal.label();
  const auto banned =
      co_await api.core.with_store([id = agent.id, reason, until, who](Store& store) {
        auto done = store.ban_agent(id, reason, until);
        if (done) store.append_audit({who, "agent.ban", id, reason, {}});
        return done;
      });
  api.core.agents_changed();
  if (!banned) throw not_found("agent", agent.id);
  co_return reply(200, render(*banned, AgentDetail::plain));
}

Task<Reply> unban(Api& api, Call& call) {
  const Agent agent = co_await api.agent(call.param("name"));
  const std::string who = call.principal.label();
  const auto free = co_await api.core.with_store([id = agent.id, who](Store& store) {
    auto done = store.unban_agent(id);
    if (done) store.append_audit({who, "agent.unban", id, "", {}});
    return done;
  });
  api.core.agents_changed();
  if (!free) throw not_found("agent", agent.id);
  co_return reply(200, render(*free, AgentDetail::plain));
}

Api::Handler set_status(Api& api, AgentStatus status) {
  return [&api, status](Call& call) -> Task<Reply> {
    const Agent agent = co_await api.agent(call.param("name"));
    if (agent.status == AgentStatus::banned) {
      throw ApiError(409, "banned", "\"" + agent.id + "\" is banned; lift the ban first");
    }
    const std::string who = call.principal.label();
    const auto changed = co_await api.core.with_store([id = agent.id, status, who](Store& store) {
      AgentPatch patch;
      patch.status = status;
      auto done = store.update_agent(id, patch);
      if (done) store.append_audit({who, "agent.status", id, std::string(name_of(status)), {}});
      return done;
    });
    api.core.agents_changed();
    if (!changed) throw not_found("agent", agent.id);
    co_return reply(200, render(*changed, AgentDetail::plain));
  };
}

Task<Reply> audit(Api& api, Call& call) {
  const QueryFields query = call.query();
  const std::string actor = query.text("actor").value_or("");
  const std::string action = query.text("action").value_or("");
  const auto since = query.time("since");
  const int limit = static_cast<int>(query.clamped("limit", 100, 1, 500));
  const auto entries = co_await api.core.with_store([actor, action, since, limit](Store& store) {
    return store.list_audit(actor, action, since, limit);
  });
  json::array list;
  for (const AuditEntry& entry : entries) {
    list.push_back(json::object{{"actor", entry.actor},
                                {"action", entry.action},
                                {"target", entry.target},
                                {"detail", entry.detail},
                                {"created_at", to_rfc3339(entry.at)}});
  }
  co_return reply(200, {{"audit", std::move(list)}});
}

}  // namespace

void add_moderation_routes(Api& api) {
  for (const bool on : {true, false}) {
    const char* method = on ? "POST" : "DELETE";
    api.route(method, "/posts/:id/lock", Access::owner,
              moderate(api, Mark::locked, Target::post, on));
    api.route(method, "/posts/:id/pin", Access::owner,
              moderate(api, Mark::pinned, Target::post, on));
    api.route(method, "/posts/:id/hide", Access::owner,
              moderate(api, Mark::hidden, Target::post, on));
    api.route(method, "/comments/:id/hide", Access::owner,
              moderate(api, Mark::hidden, Target::comment, on));
  }
  api.route("POST", "/agents/:name/ban", Access::owner,
            [&api](Call& call) { return ban(api, call); });
  api.route("DELETE", "/agents/:name/ban", Access::owner,
            [&api](Call& call) { return unban(api, call); });
  api.route("POST", "/agents/:name/pause", Access::owner, set_status(api, AgentStatus::paused));
  api.route("POST", "/agents/:name/resume", Access::owner, set_status(api, AgentStatus::active));
  api.route("GET", "/audit", Access::owner, [&api](Call& call) { return audit(api, call); });
}

}  // namespace botburrow::hub
