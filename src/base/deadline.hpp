#pragma once

#include "base/error.hpp"
#include "base/task.hpp"
#include "base/time.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>
#include <string>
#include <utility>

namespace botburrow {

/// Awaits `op` until `deadline`; then cancels it, waits for its end, and throws
/// Error{timeout, "<what>: timed out"}. A result that was already there wins over the clock, so
/// nothing that was taken is dropped. Cancelling the caller cancels `op`.
template <class T>
Task<T> with_deadline(std::string what, Deadline deadline, Task<T> op) {
  namespace asio = boost::asio;
  if (deadline.is_never()) co_return co_await std::move(op);
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, deadline.left());
  auto shielded = [](Task<T> inner) -> Task<T> {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    co_return co_await std::move(inner);
  };
  auto group = asio::experimental::make_parallel_group(
      asio::co_spawn(executor, shielded(std::move(op)), asio::deferred),
      timer.async_wait(asio::deferred));
  if constexpr (std::is_void_v<T>) {
    auto [order, failure, timer_error] =
        co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    if (!failure) co_return;
    if (order[0] == 1 && !timer_error)
      throw Error(errc::timeout, what + ": timed out", Retry::after_backoff);
    std::rethrow_exception(failure);
  } else {
    auto [order, failure, value, timer_error] =
        co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    if (!failure) co_return std::move(value);
    if (order[0] == 1 && !timer_error)
      throw Error(errc::timeout, what + ": timed out", Retry::after_backoff);
    std::rethrow_exception(failure);
  }
}

}  // namespace botburrow
