#pragma once

#include "base/task.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace botburrow::test {

namespace detail {

template <class T>
Task<T> cancellable(Task<T> task) {
  co_await boost::asio::this_coro::reset_cancellation_state(
      boost::asio::enable_total_cancellation());
  co_return co_await std::move(task);
}

/// Runs handlers until `done()`; false when `limit` passes first.
template <class Done>
bool run_until(boost::asio::io_context& ioc, Done done, std::chrono::nanoseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds(0)) return false;
    if (ioc.stopped()) ioc.restart();
    // Nothing left to run is no end: `done` may wait for something outside.
    if (ioc.run_one_for(std::min<std::chrono::nanoseconds>(left, std::chrono::milliseconds(20))) ==
            0 &&
        ioc.stopped()) {
      if (done()) return true;
      throw std::runtime_error("run_task: nothing is left to run, and the task has not ended");
    }
  }
  return true;
}

}  // namespace detail

/// Runs `ioc` until `task` ends; its value or exception is returned. Other tasks of `ioc` run
/// meanwhile and stay. After `limit` the task is cancelled and std::runtime_error is thrown.
template <class T>
T run_task(boost::asio::io_context& ioc, Task<T> task,
           std::chrono::nanoseconds limit = std::chrono::seconds(30)) {
  namespace asio = boost::asio;
  struct Outcome {
    bool done = false;
    std::exception_ptr failure;
    std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
  };
  // Shared: a task that does not even end when cancelled outlives this call.
  auto outcome = std::make_shared<Outcome>();
  auto signal = std::make_shared<asio::cancellation_signal>();
  if constexpr (std::is_void_v<T>) {
    asio::co_spawn(
        ioc, detail::cancellable(std::move(task)),
        asio::bind_cancellation_slot(signal->slot(), [outcome, signal](std::exception_ptr failure) {
          outcome->failure = std::move(failure);
          outcome->done = true;
        }));
  } else {
    asio::co_spawn(ioc, detail::cancellable(std::move(task)),
                   asio::bind_cancellation_slot(
                       signal->slot(), [outcome, signal](std::exception_ptr failure, T value) {
                         outcome->failure = std::move(failure);
                         if (!outcome->failure) outcome->value = std::move(value);
                         outcome->done = true;
                       }));
  }
  const auto done = [outcome] { return outcome->done; };
  if (!detail::run_until(ioc, done, limit)) {
    signal->emit(asio::cancellation_type::all);
    const bool ended = detail::run_until(ioc, done, std::chrono::seconds(5));
    throw std::runtime_error(
        ended ? "run_task: the time limit passed"
              : "run_task: the time limit passed, and the task ignores its cancellation");
  }
  if (outcome->failure) std::rethrow_exception(outcome->failure);
  if constexpr (!std::is_void_v<T>) return std::move(*outcome->value);
}

/// The same for a lambda coroutine, which is kept alive until its task ends: captures are welcome.
template <class Body>
  requires std::is_invocable_v<Body>
auto run_task(boost::asio::io_context& ioc, Body body,
              std::chrono::nanoseconds limit = std::chrono::seconds(30)) {
  return run_task(ioc, body(), limit);
}

/// Runs `ioc` until `condition` holds; false when `limit` passes first.
inline bool run_until(boost::asio::io_context& ioc, const std::function<bool()>& condition,
                      std::chrono::nanoseconds limit = std::chrono::seconds(30)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    if (ioc.stopped()) ioc.restart();
    ioc.run_one_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace botburrow::test
