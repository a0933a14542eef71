#pragma once

#include "base/task.hpp"
#include "base/time.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace botburrow {

/// Tells one piece of work to end, from outside it. Lives at least as long as that work.
class StopSource {
 public:
  explicit StopSource(boost::asio::any_io_executor executor);
  StopSource(const StopSource&) = delete;
  /// Harmless when repeated.
  void stop();
  bool stopped() const { return stopped_; }
  /// Returns once stop() was called.
  Task<> wait();

 private:
  boost::asio::steady_timer timer_;
  bool stopped_ = false;
};

enum class BoundedEnd {
  done,      ///< the work ended by itself
  deadline,  ///< it was cancelled because time was over
  stopped,   ///< it was cancelled because stop() was called
};

/// Awaits `work` until it ends, `deadline` passes or `stop` is called; cancels it in the latter two
/// cases and waits for its end. What it throws by itself passes through; so does a cancellation of
/// the caller. Work that ends in the same moment counts as done.
Task<BoundedEnd> run_bounded(Task<> work, Deadline deadline, StopSource& stop);

}  // namespace botburrow
