#pragma once

#include "base/log.hpp"
#include "base/task.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>

namespace botburrow::cli {

/// Tells a service that it is to end. The first SIGTERM or SIGINT asks it to drain, the second to
/// give back what it holds at once, the third ends the process where it stands (exit 130). SIGHUP
/// asks it to drain, however often it comes, unless the process was started with it ignored
/// (`nohup`).
class StopRequest {
 public:
  explicit StopRequest(boost::asio::any_io_executor executor);
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;

  bool requested() const;
  bool urgent() const;
  /// Waits for the first request; returns at once when it has come.
  Task<> until_requested();
  /// Waits for the second.
  Task<> until_urgent();
  /// What a signal does; also for a service that ends the others.
  void request();
  /// One line `stop_requested` that names the signal, where it was one.
  void log_to(const Log& log) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Runs `body` on an io_context of its own, on this thread, until it returns; its result is the
/// exit code. What it throws is printed and mapped to one. The StopRequest outlives the body.
/// Everything the body started must be joined when it returns.
int run_service(std::function<Task<int>(StopRequest& stop)> body);

/// The same for a command that just does something: a signal cancels it, and the exit code is 130.
int run_command(std::function<Task<int>()> body);

/// Ends the process here and now, without destructors: for what is done in all but one thread that
/// hangs in a file system, which joining would wait for without end. Flushes the standard streams.
[[noreturn]] void leave_process(int code);

}  // namespace botburrow::cli
