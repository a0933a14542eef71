#include "base/blocking_pool.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <atomic>

namespace botburrow {

namespace asio = boost::asio;

namespace {

std::exception_ptr failure_of(std::move_only_function<void()>& call, bool dropped) {
  try {
    if (dropped) throw boost::system::system_error(asio::error::operation_aborted);
    call();
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

}  // namespace

// Not a coroutine on the pool: a cancellation would reach into its state from another thread. Only
// the flag crosses.
Task<> BlockingPool::on_pool(std::move_only_function<void()> call) {
  const auto executor = co_await asio::this_coro::executor;
  const auto dropped = std::make_shared<std::atomic<bool>>(false);
  const auto start = [&](auto handler) {
    if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
      slot.assign([dropped](asio::cancellation_type) { dropped->store(true); });
    }
    asio::post(pool_, [executor, dropped, call = std::move(call), handler = std::move(handler),
                       caller = asio::make_work_guard(executor)]() mutable {
      auto failure = failure_of(call, dropped->load());
      call = nullptr;  // What it owns ends on the thread that used it.
      asio::post(executor, [handler = std::move(handler), failure = std::move(failure)]() mutable {
        std::move(handler)(std::move(failure));
      });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
      start, asio::use_awaitable);
}

}  // namespace botburrow
