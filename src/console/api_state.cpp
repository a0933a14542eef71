// What the page shows first, and goes on showing: the state, its stream, the plots.
#include "base/error.hpp"
#include "base/json.hpp"
#include "console/core.hpp"
#include "console/documents.hpp"
#include "console/stream.hpp"

#include <boost/json.hpp>

namespace botburrow::console {
namespace {

using net::ServerRequest;
using net::ServerResponse;

constexpr std::int64_t kMinutesMax = 180;
constexpr std::size_t kPointsMax = 180;

// Not through Routes::look: the text is made already.
Task<ServerResponse> state(Core& core, ServerRequest request) {
  if (const auto refusal = may_look(core, request)) co_return answer(*refusal);
  const auto shot = co_await core.board.fresh();
  auto response = answer(200, {});
  response.body = shot->seen_by(sight_of(core, request));
  co_return response;
}

Task<json::object> me(Core& core, const ServerRequest& request) {
  const auto access = access_to(core, request);
  co_return json::object{{"may_act", access.may_act()},
                         {"may_read_transcripts", access.may_read_transcripts()},
                         {"admin_key_set", !core.options.admin_key.empty()}};
}

Task<json::object> history(Core& core, const ServerRequest& request) {
  const auto minutes = number_of_query(request, "minutes", 60, 1, kMinutesMax);
  const auto since = to_unix(core.parts.clock.wall()) - static_cast<double>(minutes) * 60;
  auto document = to_document(core.board.history().plot(since, kPointsMax));
  document["minutes"] = minutes;
  co_return document;
}

/// Counts one stream for as long as it lives.
class Place {
 public:
  explicit Place(Core& core) : core_(core) { count(1); }
  ~Place() { count(-1); }
  Place(const Place&) = delete;

 private:
  void count(int one) {
    core_.streams += static_cast<std::size_t>(one);
    core_.metrics.streams.set(static_cast<double>(core_.streams));
  }
  Core& core_;
};

Task<> events(Core& core, ServerRequest request, net::ResponseStream& out) {
  if (const auto refusal = may_look(core, request)) {
    out.answer(answer(*refusal));
    co_return;
  }
  if (core.streams >= core.options.streams_max) {
    core.metrics.refused.add();
    throw Error(errc::limit, "too many pages are open; this one asks every few seconds instead",
                Retry::after_backoff);
  }
  const Place place(core);
  try {
    co_await stream_states(core.board, out, {}, sight_of(core, request));
  } catch (const Error& error) {
    if (error.code() == errc::timeout) core.metrics.dropped.add();
    throw;
  }
}

}  // namespace

void add_state_routes(Routes& routes) {
  auto& core = routes.core();
  routes.whole("/state",
               [&core](ServerRequest request) { return state(core, std::move(request)); });
  routes.stream("/events", [&core](ServerRequest request, net::ResponseStream& out) {
    return events(core, std::move(request), out);
  });
  routes.look("/me", me);
  routes.look("/history", history);
}

}  // namespace botburrow::console
