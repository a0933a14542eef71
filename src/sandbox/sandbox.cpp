#include "sandbox/sandbox.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/stop.hpp"
#include "net/output_capture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace botburrow::sandbox {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
/// Everything that could write is dead by then.
constexpr auto kLastWords = 2s;

/// Both outputs of a command, as they come.
class Outputs {
 public:
  Outputs(asio::any_io_executor executor, SandboxedProcess& process, std::size_t bytes_max)
      : process_(process), out_(bytes_max), err_(bytes_max), both_ended_(executor) {}

  Task<> collect_stdout() {
    for (auto bytes = co_await process_.read_stdout(kReadBytes); !bytes.empty();
         bytes = co_await process_.read_stdout(kReadBytes))
      out_.append(bytes);
    ended();
  }
  Task<> collect_stderr() {
    for (auto bytes = co_await process_.read_stderr(kReadBytes); !bytes.empty();
         bytes = co_await process_.read_stderr(kReadBytes))
      err_.append(bytes);
    ended();
  }
  Task<> until_both_ended() { return both_ended_.wait(); }

  void move_into(net::ProcessResult& result) {
    result.out_omitted = out_.omitted();
    result.err_omitted = err_.omitted();
    result.out = out_.take();
    result.err = err_.take();
  }

 private:
  void ended() {
    if (++ended_ == 2) both_ended_.stop();
  }
  SandboxedProcess& process_;
  net::OutputCapture out_;
  net::OutputCapture err_;
  StopSource both_ended_;
  int ended_ = 0;
};

Task<> feed(SandboxedProcess& process, std::string input) {
  try {
    co_await process.write_stdin(std::move(input));
  } catch (const Error&) {
    // A program need not read all that it is given.
  }
  process.close_stdin();
}

// Runs as a chain of its own: it stops listening to cancellation once the command must be ended.
Task<CommandResult> run_to_end(Sandbox& sandbox, Command command, std::string input,
                               Deadline deadline, std::chrono::nanoseconds grace) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  const auto executor = co_await asio::this_coro::executor;
  if (!input.empty()) command.want_stdin = true;
  const auto bytes_max = command.output_bytes_max;
  const bool feeds = command.want_stdin;
  const auto process = co_await sandbox.spawn(std::move(command), deadline);
  Outputs outputs(executor, *process, bytes_max);
  TaskGroup pumps(executor);
  if (feeds) {
    pumps.spawn("stdin", [&process, input = std::move(input)] { return feed(*process, input); });
  }
  pumps.spawn("stdout", [&outputs] { return outputs.collect_stdout(); });
  pumps.spawn("stderr", [&outputs] { return outputs.collect_stderr(); });

  CommandResult result;
  std::exception_ptr failure;
  try {
    result.process.status = co_await with_deadline("the command", deadline, process->wait());
  } catch (const Error&) {
    result.process.timed_out = true;
  } catch (...) {
    failure = std::current_exception();
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (failure || result.process.timed_out)
    result.process.status = co_await process->terminate(failure ? 0s : grace);
  try {
    co_await with_deadline("its output", Deadline::in(kLastWords), outputs.until_both_ended());
  } catch (const Error&) {
    // What is still missing then will not come.
  }
  co_await pumps.stop();
  if (failure) std::rethrow_exception(failure);
  outputs.move_into(result.process);
  result.cut = process->cut();
  co_return result;
}

}  // namespace

std::string_view name_of(Tier tier) {
  switch (tier) {
    case Tier::bwrap:
      return "bwrap";
    case Tier::landlock:
      return "landlock";
    case Tier::none:
      break;
  }
  return "none";
}

std::string cut_text(Cut cut, const SandboxLimits& limits) {
  switch (cut) {
    case Cut::none:
      break;
    case Cut::memory:
      return fmt::format("used more than {} MiB of memory (SANDBOX_MEMORY)",
                         limits.memory_bytes >> 20);
    case Cut::processes:
      return fmt::format("had more than {} processes at once", limits.processes_max);
    case Cut::cpu:
      return fmt::format("used more processor time than {} processors give (SANDBOX_CPU)",
                         limits.cpu);
    case Cut::quota:
      return "filled its workspace (WORKSPACE_QUOTA_MB; files count that it removed and has open), "
             "or closed a folder in it to the runner";
    case Cut::files:
      return "made more than 65536 files in /tmp and /dev/shm";
    case Cut::unwatched:
      return "could not be watched: the machine has no descriptors or memory left, or a program "
             "closed itself to process 1";
    case Cut::gone:
      return "lost its sandbox";
  }
  return "";
}

Task<CommandResult> run_command(Sandbox& sandbox, Command command, std::string input,
                                Deadline deadline, std::chrono::nanoseconds grace) {
  const auto executor = co_await asio::this_coro::executor;
  co_return co_await asio::co_spawn(
      executor, run_to_end(sandbox, std::move(command), std::move(input), deadline, grace),
      asio::use_awaitable);
}

}  // namespace botburrow::sandbox
