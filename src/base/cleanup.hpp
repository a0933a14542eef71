#pragma once

#include "base/task.hpp"

#include <boost/asio/this_coro.hpp>

#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace botburrow {

/// Awaits `work`, then `cleanup()` to its end whatever happened, a cancellation of the caller
/// included; then gives the value or throws what `work` threw.
template <class T>
Task<T> with_cleanup(Task<T> work, std::function<Task<>()> cleanup) {
  std::exception_ptr failure;
  std::conditional_t<std::is_void_v<T>, char, std::optional<T>> value{};
  try {
    if constexpr (std::is_void_v<T>)
      co_await std::move(work);
    else
      value = co_await std::move(work);
  } catch (...) {
    failure = std::current_exception();
  }
  // A chain that is cancelled throws at each await; see shielded().
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  std::exception_ptr cleanup_failure;
  try {
    co_await shielded(cleanup());
  } catch (...) {
    cleanup_failure = std::current_exception();
  }
  co_await boost::asio::this_coro::throw_if_cancelled(true);
  if (!failure) failure = cleanup_failure;
  if (failure) std::rethrow_exception(failure);
  if constexpr (!std::is_void_v<T>) co_return std::move(*value);
}

}  // namespace botburrow
