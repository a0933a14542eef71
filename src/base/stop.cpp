#include "base/stop.hpp"

#include "base/error.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace botburrow {

namespace asio = boost::asio;

namespace {

Task<> cancellable(Task<> work) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await std::move(work);
}

}  // namespace

StopSource::StopSource(asio::any_io_executor executor)
    : timer_(std::move(executor), asio::steady_timer::time_point::max()) {}

void StopSource::stop() {
  stopped_ = true;
  timer_.cancel();
}

Task<> StopSource::wait() {
  while (!stopped_) {
    boost::system::error_code error;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (!stopped_ && state.cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error(asio::error::operation_aborted);
    }
  }
}

Task<BoundedEnd> run_bounded(Task<> work, Deadline deadline, StopSource& stop) {
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, asio::steady_timer::time_point::max());
  if (!deadline.is_never()) timer.expires_after(deadline.left());
  auto group = asio::experimental::make_parallel_group(
      asio::co_spawn(executor, cancellable(std::move(work)), asio::deferred),
      timer.async_wait(asio::deferred),
      asio::co_spawn(executor, cancellable(stop.wait()), asio::deferred));
  auto [order, failure, timer_error, stop_failure] =
      co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  if (!failure) co_return BoundedEnd::done;
  if (!is_cancellation(failure)) std::rethrow_exception(failure);
  if (order[0] == 2 && !stop_failure) co_return BoundedEnd::stopped;
  if (order[0] == 1 && !timer_error) co_return BoundedEnd::deadline;
  std::rethrow_exception(failure);
}

}  // namespace botburrow
