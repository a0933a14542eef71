#pragma once

#include "base/task.hpp"

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace botburrow {

/// A bounded set of threads for calls that block: SQLite, file trees, hashing. Values in, values
/// out: the callable must own what it uses.
///
/// Cancelling the caller does not interrupt a call under way: its result arrives, and the caller
/// learns of the cancellation at its next wait. A long one can look for it: run_stoppable(). A call
/// that still waits for a thread is dropped, and ends with operation_aborted. run_or_leave() is for
/// calls that may never end.
class BlockingPool {
 public:
  explicit BlockingPool(std::size_t threads) : pool_(threads) {}
  /// Waits for the calls under way.
  ~BlockingPool() { pool_.join(); }

  /// Runs `call()` on the pool and resumes the caller on its own executor. What `call` throws
  /// passes through.
  template <class Call>
  Task<std::invoke_result_t<Call>> run(Call call) {
    return run_as([call = std::move(call)](const Stopped&) mutable { return call(); },
                  OnCancel::finish);
  }

  /// True once the caller was cancelled. Set on the caller's thread while the call runs.
  using Stopped = std::atomic<bool>;
  /// The same for a long call that looks at `stopped` and ends early: `call(const Stopped&)`.
  template <class Call>
  Task<std::invoke_result_t<Call, const Stopped&>> run_stoppable(Call call) {
    return run_as(std::move(call), OnCancel::finish);
  }

  /// The same for reads that may hang, of a file system that went away: cancelling the caller ends
  /// its wait at once with operation_aborted. The call goes on alone, holds its thread until it
  /// returns, and its result is dropped.
  template <class Call>
  Task<std::invoke_result_t<Call>> run_or_leave(Call call) {
    return run_as([call = std::move(call)](const Stopped&) mutable { return call(); },
                  OnCancel::leave);
  }

  /// Calls that are on a thread now, those that were left alone included.
  std::size_t under_way() const { return under_way_; }

 private:
  enum class OnCancel { finish, leave };

  template <class Call>
  Task<std::invoke_result_t<Call, const Stopped&>> run_as(Call call, OnCancel on_cancel) {
    using Result = std::invoke_result_t<Call, const Stopped&>;
    if constexpr (std::is_void_v<Result>) {
      co_await on_pool(std::move(call), on_cancel);
    } else {
      const auto result = std::make_shared<std::optional<Result>>();
      co_await on_pool([result, call = std::move(call)](
                           const Stopped& stopped) mutable { result->emplace(call(stopped)); },
                       on_cancel);
      co_return std::move(**result);
    }
  }
  Task<> on_pool(std::move_only_function<void(const Stopped&)> call, OnCancel on_cancel);

  std::atomic<std::size_t> under_way_{0};
  boost::asio::thread_pool pool_;
};

}  // namespace botburrow
