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

std::exception_ptr aborted() {
  return std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
}

std::exception_ptr failure_of(std::move_only_function<void(const BlockingPool::Stopped&)>& call,
                              const BlockingPool::Stopped& dropped) {
  if (dropped) return aborted();
  try {
    call(dropped);
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

template <class Handler>
struct Waiter {
  std::optional<Handler> handler;  // gone once it was resumed
  std::atomic<bool> dropped{false};
};

template <class Handler>
void resume(Waiter<Handler>& waiter, std::exception_ptr failure) {
  if (!waiter.handler) return;
  auto handler = *std::exchange(waiter.handler, std::nullopt);
  std::move(handler)(std::move(failure));
}

}  // namespace

// Not a coroutine on the pool: a cancellation would reach into its state from another thread. Only
// the flag crosses; the waiter's handler is touched on the caller's executor alone.
Task<> BlockingPool::on_pool(std::move_only_function<void(const Stopped&)> call,
                             OnCancel on_cancel) {
  const auto executor = co_await asio::this_coro::executor;
  const auto start = [&](auto handler) {
    using Waiter = Waiter<decltype(handler)>;
    const auto waiter = std::make_shared<Waiter>();
    if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected()) {
      // Weak: the handler owns the slot.
      slot.assign([weak = std::weak_ptr(waiter), executor,
                   leave = on_cancel == OnCancel::leave](asio::cancellation_type) {
        const auto waiter = weak.lock();
        if (!waiter) return;
        waiter->dropped = true;
        if (leave) asio::post(executor, [waiter] { resume(*waiter, aborted()); });
      });
    }
    waiter->handler.emplace(std::move(handler));
    asio::post(pool_, [this, executor, waiter, call = std::move(call),
                       caller = asio::make_work_guard(executor)]() mutable {
      ++under_way_;
      auto failure = failure_of(call, waiter->dropped);
      call = nullptr;  // What it owns ends on the thread that used it.
      --under_way_;
      asio::post(executor, [waiter = std::move(waiter), failure = std::move(failure)]() mutable {
        resume(*waiter, std::move(failure));
      });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
      start, asio::use_awaitable);
}

}  // namespace botburrow
