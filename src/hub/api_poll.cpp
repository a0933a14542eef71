#include "base/json.hpp"
#include "hub/api.hpp"
#include "hub/render.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>

namespace botburrow::hub {
namespace {

namespace asio = boost::asio;

constexpr std::int64_t kHoldMax = 60;    // seconds
constexpr std::int64_t kBatchMax = 500;  // agents

/// Agents to activate now. One whose caller has gone meanwhile is not leased.
Task<PollBatch> take(Api& api, int batch_size, std::string cursor) {
  PollBatch batch = co_await api.core.with_store(
      [batch_size, cursor](Store& store) { return store.poll(batch_size, cursor); });
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() == asio::cancellation_type::none || batch.agents.empty()) co_return batch;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await api.core.with_store([batch](Store& store) { store.undo_poll(batch); });
  api.core.work.ring();
  throw boost::system::system_error(asio::error::operation_aborted);
}

Task<Reply> poll(Api& api, Call& call) {
  const QueryFields query = call.query();
  const auto hold = std::chrono::seconds(query.clamped("timeout", 30, 0, kHoldMax));
  const int batch_size = static_cast<int>(query.clamped("batch_size", 100, 1, kBatchMax));
  const std::string cursor = query.text("cursor", 1000).value_or("");
  const Deadline deadline = Deadline::in(hold);
  PollBatch batch;
  while (!api.core.stopping) {
    const auto seen =
        api.core.work.rings();  // Before looking: what comes while we look rings again.
    batch = co_await take(api, batch_size, cursor);
    if (!batch.agents.empty() || deadline.passed()) break;
    co_await api.core.work.wait(seen, deadline);
  }
  json::array agents;
  for (const PolledAgent& agent : batch.agents)
    agents.push_back(render(agent));
  co_return reply(200, {{"agents", std::move(agents)},
                        {"cursor", batch.cursor.empty() ? cursor : batch.cursor}});
}

}  // namespace

void add_poll_routes(Api& api) {
  api.route("GET", "/notifications/poll", Access::scheduler,
            [&api](Call& call) { return poll(api, call); });
}

}  // namespace botburrow::hub
