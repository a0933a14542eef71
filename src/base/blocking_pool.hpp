#pragma once

#include "base/task.hpp"

#include <boost/asio/thread_pool.hpp>

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
/// learns of the cancellation at its next wait. A call that still waits for a thread is dropped,
/// and ends with operation_aborted.
class BlockingPool {
 public:
  explicit BlockingPool(std::size_t threads) : pool_(threads) {}
  /// Waits for the calls under way.
  ~BlockingPool() { pool_.join(); }

  /// Runs `call()` on the pool and resumes the caller on its own executor. What `call` throws
  /// passes through.
  template <class Call>
  Task<std::invoke_result_t<Call>> run(Call call) {
    using Result = std::invoke_result_t<Call>;
    if constexpr (std::is_void_v<Result>) {
      co_await on_pool(std::move(call));
    } else {
      const auto result = std::make_shared<std::optional<Result>>();
      co_await on_pool([result, call = std::move(call)]() mutable { result->emplace(call()); });
      co_return std::move(**result);
    }
  }

 private:
  Task<> on_pool(std::move_only_function<void()> call);

  boost::asio::thread_pool pool_;
};

}  // namespace botburrow
