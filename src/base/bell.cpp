#include "base/bell.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>

namespace botburrow {

namespace asio = boost::asio;

struct Bell::Waiter {
  Waiter(Bell& bell, std::chrono::nanoseconds left) : bell(bell), timer(bell.executor_, left) {
    place = bell.waiters_.insert(bell.waiters_.end(), this);
  }
  ~Waiter() { bell.waiters_.erase(place); }
  Waiter(const Waiter&) = delete;

  Bell& bell;
  asio::steady_timer timer;
  std::list<Waiter*>::iterator place;
};

void Bell::ring() {
  ++rings_;
  for (Waiter* waiter : waiters_)
    waiter->timer.cancel();
}

void Bell::ring_one() {
  if (!waiters_.empty()) waiters_.front()->timer.cancel();
}

Task<> Bell::wait(std::uint64_t seen, Deadline deadline) {
  if (rings_ != seen || deadline.passed()) co_return;
  Waiter waiter(*this, deadline.left());
  boost::system::error_code ignored;  // A ring cancels the timer, and so does the caller's owner.
  co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
}

}  // namespace botburrow
