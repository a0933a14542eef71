#pragma once

#include "base/time.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace botburrow {

/// Every coroutine of this program. It starts when awaited or handed to a TaskGroup.
template <class T = void>
using Task = boost::asio::awaitable<T>;

/// Owns coroutines: cancels and awaits them. Declare it as the last member, so that its tasks may
/// use every member above. Not for use by several threads.
class TaskGroup {
 public:
  /// Called once for each task that ends by an exception other than a cancellation.
  using FailureHandler = std::function<void(const std::string& name, std::exception_ptr failure)>;

  TaskGroup(boost::asio::any_io_executor executor, FailureHandler on_failure = {});
  /// Asserts that no task is left: cancel() and join() come first.
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Starts `body` (kept alive until its task ends): on the executor's thread at once, up to its
  /// first wait. Terminal, partial and total cancellation all reach it. After cancel(), tasks
  /// spawned later are cancelled at their first wait.
  void spawn(std::string name, std::function<Task<>()> body);

  /// Asks every task to stop; harmless when repeated.
  void cancel();

  /// Waits until no task is left, also when the caller is cancelled meanwhile: tasks end in bounded
  /// time once cancelled. For a caller that is cancelled already see shielded().
  Task<> join();

  /// cancel(), then join().
  Task<> stop();

  std::size_t size() const;
  boost::asio::any_io_executor executor() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Awaits `work` to its end although the caller is cancelled meanwhile; the caller then learns of
/// its cancellation at its next wait. (reset_cancellation_state would not do: it changes the state
/// of the whole chain of callers, and for good.)
///
/// A caller that is cancelled already cannot await anything, this neither: every co_await throws
/// before it begins. Cleanup after a wait that was cancelled therefore lays the throwing aside:
///
///     co_await asio::this_coro::throw_if_cancelled(false);
///     co_await shielded(clean_up());
///     co_await asio::this_coro::throw_if_cancelled(true);
Task<> shielded(Task<> work);

/// Waits `d`; cancellation ends it with operation_aborted.
Task<> sleep_for(std::chrono::nanoseconds d);

/// Lets other ready work run first.
Task<> yield_once();

}  // namespace botburrow
