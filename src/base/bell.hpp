#pragma once

#include "base/task.hpp"
#include "base/time.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <list>
#include <memory>

namespace botburrow {

/// Wakes the coroutines that wait for something new. A waiter costs a timer, no thread.
class Bell {
 public:
  explicit Bell(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  Bell(const Bell&) = delete;

  /// Counts the rings, so that one between looking and waiting is not missed.
  std::uint64_t rings() const { return rings_; }
  /// Wakes every waiter.
  void ring();
  /// Wakes the one that waits longest: to look whether time alone brought something.
  void ring_one();
  /// Returns at once if rings() is not `seen` any more, else when woken or at `deadline`.
  /// Cancellation ends it with operation_aborted.
  Task<> wait(std::uint64_t seen, Deadline deadline);
  std::size_t waiting() const { return waiters_.size(); }

 private:
  struct Waiter;
  boost::asio::any_io_executor executor_;
  std::uint64_t rings_ = 0;
  std::list<Waiter*> waiters_;
};

}  // namespace botburrow
