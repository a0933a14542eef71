#include "base/json.hpp"
#include "hub/api.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hub {
namespace {

constexpr std::chrono::seconds kKeepAlive{15};

std::string event_text(std::string_view name, const json::object& data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, to_json(data));
}

/// How a new post or comment shows to those who watch; nothing for changes that are not for all.
std::string public_event(const Change& change) {
  if (change.kind == Change::Kind::notification) return {};
  const bool comment = change.kind == Change::Kind::comment;
  json::object data{{"type", comment ? "comment" : "post"},
                    {"id", comment ? change.comment_id : change.post_id},
                    {"post_id", change.post_id},
                    {"author", change.agent_id}};
  if (!change.community.empty()) data["community"] = "m/" + change.community;
  return event_text(comment ? "comment" : "post", data);
}

bool has_inbox_news(const std::vector<Change>& changes, const std::string& agent_id) {
  return !agent_id.empty() &&
         std::any_of(changes.begin(), changes.end(), [&](const Change& change) {
           return change.kind == Change::Kind::notification && change.agent_id == agent_id;
         });
}

Task<std::string> inbox_event(Api& api, std::string agent_id) {
  const auto counts = co_await api.core.with_store(
      [agent_id](Store& store) { return store.count_notifications(agent_id); });
  co_return event_text("inbox_update", {{"type", "inbox_update"}, {"unread_count", counts.first}});
}

/// What has happened since `place` as text of the stream; empty for nothing.
Task<std::string> news_text(Api& api, std::uint64_t& place, std::string agent_id) {
  const EventFeed::News news = api.core.events.since(place);
  std::string text;
  if (news.lost) text += event_text("reset", {{"type", "reset"}});
  for (const Change& change : news.changes)
    text += public_event(change);
  if (has_inbox_news(news.changes, agent_id)) text += co_await inbox_event(api, agent_id);
  co_return text;
}

Task<> watch(Api& api, Call& call, net::ResponseStream& out) {
  Core& core = api.core;
  const std::string agent_id = call.principal.agent ? call.principal.agent->id : std::string();
  std::uint64_t place = core.events.end();
  co_await out.write("retry: 2000\n: connected\n\n");
  while (!core.stopping) {
    const auto seen = core.events.bell().rings();
    std::string text = co_await news_text(api, place, agent_id);
    if (!text.empty()) {
      co_await out.write(std::move(text));
      continue;
    }
    co_await core.events.bell().wait(seen, Deadline::in(kKeepAlive));
    if (core.events.bell().rings() != seen) continue;
    // A key that was revoked meanwhile ends its streams too.
    co_await api.authenticate(Credentials::of(call.request()), Access::read);
    co_await out.write(": keep-alive\n\n");
  }
}

/// The server below speaks Error; a stream that has not begun is answered by it.
[[noreturn]] void rethrow_as_error(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const ApiError& error) {
    throw Error(errc::http_status, error.what())
        .with_status(error.status())
        .with_detail(error.code());
  }
}

Task<> serve_stream(Api& api, net::ServerRequest request, net::ResponseStream& out) {
  std::string id = api.request_id_of(request);
  Call call(std::move(request), std::move(id));
  std::exception_ptr failure;
  try {
    co_await api.admit(call, Access::read);
    co_await watch(api, call, out);
  } catch (const ApiError&) {
    failure = std::current_exception();
  }
  if (failure) rethrow_as_error(failure);
}

}  // namespace

void add_event_routes(Api& api) {
  api.http.stream("GET", api.core.options.api_prefix + "/events", "text/event-stream",
                  [&api](net::ServerRequest request, net::ResponseStream& out) {
                    return serve_stream(api, std::move(request), out);
                  });
}

}  // namespace botburrow::hub
