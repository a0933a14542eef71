#include "base/deadline.hpp"
#include "base/error.hpp"
#include "net/child_process.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <signal.h>

#include <functional>

namespace botburrow::net {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

Task<> feed(ChildProcess& child, std::string input) {
  try {
    co_await child.write_stdin(std::move(input));
  } catch (const Error&) {
    // A child need not read all that it is given.
  }
  child.close_stdin();
}

Task<> collect_stdout(ChildProcess& child, OutputCapture& into) {
  for (;;) {
    const auto bytes = co_await child.read_stdout(kReadBytes);
    if (bytes.empty()) co_return;
    into.append(bytes);
  }
}

Task<> collect_stderr(ChildProcess& child, OutputCapture& into) {
  for (;;) {
    const auto bytes = co_await child.read_stderr(kReadBytes);
    if (bytes.empty()) co_return;
    into.append(bytes);
  }
}

// Runs as a chain of its own: it stops listening to cancellation once the child must be ended.
Task<ProcessResult> run_to_end(ProcessOptions options, std::string input, Deadline deadline,
                               std::chrono::nanoseconds grace) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  const auto executor = co_await asio::this_coro::executor;
  if (!input.empty()) options.want_stdin = true;
  OutputCapture out(options.output_bytes_max);
  OutputCapture err(options.output_bytes_max);
  ChildProcess child(executor, spawn_child(options));

  TaskGroup pumps(executor);
  if (options.want_stdin) {
    pumps.spawn("stdin", [&child, input = std::move(input)] { return feed(child, input); });
  }
  pumps.spawn("stdout", [&child, &out] { return collect_stdout(child, out); });
  pumps.spawn("stderr", [&child, &err] { return collect_stderr(child, err); });

  ProcessResult result;
  std::exception_ptr failure;
  try {
    result.status = co_await with_deadline("the child", deadline, child.wait());
  } catch (const Error&) {
    result.timed_out = true;
  } catch (...) {
    failure = std::current_exception();
  }
  // The group must be ended also by a cancelled caller.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (failure || result.timed_out) {
    result.status = co_await child.terminate(grace);
  } else {
    child.signal_group(SIGKILL);
  }
  // All that the child wrote stands in the pipes by now; whoever left the group and still holds one
  // is not waited for.
  co_await pumps.stop();
  child.drain_stdout(out);
  child.drain_stderr(err);
  if (failure) std::rethrow_exception(failure);

  result.out_omitted = out.omitted();
  result.err_omitted = err.omitted();
  result.out = out.take();
  result.err = err.take();
  co_return result;
}

}  // namespace

Task<ProcessResult> run_process(ProcessOptions options, std::string input, Deadline deadline,
                                std::chrono::nanoseconds grace) {
  const auto executor = co_await asio::this_coro::executor;
  co_return co_await asio::co_spawn(
      executor, run_to_end(std::move(options), std::move(input), deadline, grace),
      asio::use_awaitable);
}

}  // namespace botburrow::net
