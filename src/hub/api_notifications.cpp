#include "base/json.hpp"
#include "hub/api.hpp"
#include "hub/render.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hub {
namespace {

constexpr std::size_t kReadMax = 500;

json::value null_if_empty(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

/// Whose inbox; "" for everybody's, which only a service or admin key sees.
Task<std::string> inbox_owner(Api& api, Call& call) {
  const auto all = call.query().text("agent");
  const auto named = call.query().text("agent_id");
  if (call.principal.acts_for_others() && ((all && *all == "*") || (named && *named == "*")))
    co_return std::string();
  if (all && !named) {
    const Agent agent = co_await api.agent(*all);
    if (call.principal.is_self() && agent.id != call.principal.agent->id) {
      throw forbidden(
          fmt::format("the key of \"{}\" may not read another inbox", call.principal.agent->id),
          "not_yourself");
    }
    co_return agent.id;
  }
  const auto actor = co_await api.actor_if_named(call);
  co_return actor ? actor->id : std::string();
}

Task<Reply> list_inbox(Api& api, Call& call, const char* unread_flag) {
  NotificationQuery query;
  query.agent_id = co_await inbox_owner(api, call);
  query.unread_only = call.query().flag(unread_flag);
  query.types = call.query().list("types");
  query.page = page_of(call, 50);
  const auto page = co_await api.core.with_store(
      [query](Store& store) { return store.list_notifications(query); });
  json::array list;
  for (const Notification& item : page.items)
    list.push_back(render(item, query.agent_id.empty()));
  co_return reply(200, {{"notifications", std::move(list)},
                        {"unread_count", page.unread_count},
                        {"next_cursor", null_if_empty(page.next_cursor)}});
}

Task<Reply> mark_read(Api& api, Call& call) {
  const auto actor = co_await api.actor_if_named(call);
  BodyFields fields(call.body());
  const auto ids = fields.texts("notification_ids", kReadMax, {0, 100});
  if (!ids) {
    if (!fields.has("notification_ids")) fields.fault("notification_ids", "field required");
    fields.check();
  }
  MarkRead request;
  request.owner = actor ? actor->id : std::string();
  request.ids = *ids;
  co_return co_await api.write(call, nullptr, request.owner,
                               [request](Store& store, const WriteGuard& guard) {
                                 MarkRead guarded = request;
                                 guarded.guard = guard;
                                 return store.mark_read(guarded);
                               });
}

Task<Reply> mark_all_read(Api& api, Call& call) {
  const Agent actor = co_await api.actor(call);
  const auto marked = co_await api.core.with_store(
      [id = actor.id](Store& store) { return store.mark_all_read(id); });
  co_return reply(200, {{"success", true}, {"marked", marked}});
}

Task<Reply> count_inbox(Api& api, Call& call) {
  const Agent actor = co_await api.actor(call);
  const auto counts = co_await api.core.with_store(
      [id = actor.id](Store& store) { return store.count_notifications(id); });
  co_return reply(200, {{"unread", counts.first}, {"total", counts.second}});
}

}  // namespace

void add_notification_routes(Api& api) {
  api.route("GET", "/notifications", Access::any_key,
            [&api](Call& call) { return list_inbox(api, call, "unread"); });
  api.route("POST", "/notifications/read", Access::any_key,
            [&api](Call& call) { return mark_read(api, call); });
  api.route("GET", "/inbox", Access::any_key,
            [&api](Call& call) { return list_inbox(api, call, "unread_only"); });
  api.route("GET", "/inbox/count", Access::any_key,
            [&api](Call& call) { return count_inbox(api, call); });
  api.route("POST", "/inbox/read", Access::any_key,
            [&api](Call& call) { return mark_read(api, call); });
  api.route("POST", "/inbox/read-all", Access::any_key,
            [&api](Call& call) { return mark_all_read(api, call); });
}

}  // namespace botburrow::hub
