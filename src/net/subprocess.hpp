#pragma once

#include "base/task.hpp"
#include "base/time.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace botburrow::net {

struct ProcessOptions {
  /// argv[0] is a path, or a name looked up in `path_for_lookup`. No shell is involved.
  std::vector<std::string> argv;
  /// The whole environment of the child, `NAME=value`; nothing is inherited.
  std::vector<std::string> environment;
  std::string working_directory;  ///< empty = ours
  std::string path_for_lookup = "/usr/local/bin:/usr/bin:/bin";
  bool want_stdin = false;  ///< else /dev/null
  /// Bytes kept of each of stdout and stderr when collected; of more, the first half of
  /// this and the last half stay.
  std::size_t output_bytes_max = 4u << 20;
  /// Let the child die with this process (PR_SET_PDEATHSIG, through the spawning thread).
  bool die_with_parent = false;
  /// Extra descriptors to pass: {ours, number in the child}.
  std::vector<std::pair<int, int>> pass_fds;
};

struct ExitStatus {
  int code = -1;  ///< exit code, -1 when ended by a signal
  int signal = 0;
  bool ok() const { return code == 0; }
};

/// A child in a session and process group of its own. Reaped through a pidfd: no SIGCHLD handler
/// and no global state. Destroying it kills the whole group with SIGKILL and reaps.
class Process {
 public:
  /// Throws Error{not_found} when the program is not there, Error{io} for other failures; both name
  /// the program.
  static std::unique_ptr<Process> spawn(boost::asio::any_io_executor executor,
                                        ProcessOptions options);
  virtual ~Process() = default;

  virtual int pid() const = 0;
  /// Waits for the end of the child itself; safe to repeat and to cancel. An ended child is reaped
  /// by terminate() or the destructor; until then its group can be signalled without hitting
  /// strangers.
  virtual Task<ExitStatus> wait() = 0;
  /// Writes all of it; throws Error{io} when the child closed its end.
  virtual Task<> write_stdin(std::string bytes) = 0;
  virtual void close_stdin() = 0;
  /// Up to `max` bytes as they come; empty = end. One reader at a time each.
  virtual Task<std::string> read_stdout(std::size_t max) = 0;
  virtual Task<std::string> read_stderr(std::size_t max) = 0;
  /// To the whole group.
  virtual void signal_group(int signal) = 0;
  /// SIGTERM to the group, up to `grace` for its end, then SIGKILL; returns when reaped. Whatever
  /// remains of the group is killed too.
  virtual Task<ExitStatus> terminate(std::chrono::nanoseconds grace) = 0;
};

struct ProcessResult {
  ExitStatus status;
  std::string out, err;
  std::size_t out_omitted = 0, err_omitted = 0;  ///< bytes dropped from the middle
  bool timed_out = false;
};

/// Runs to the end: feeds `input`, collects both pipes bounded, and at the deadline ends the group
/// (SIGTERM, `grace`, SIGKILL) and says timed_out. A daemon that keeps a pipe open does not hold it
/// up: the group is killed when the child ends. Cancellation ends the group the same way first.
Task<ProcessResult> run_process(ProcessOptions options, std::string input, Deadline deadline,
                                std::chrono::nanoseconds grace = std::chrono::seconds(5));

/// Absolute path of a program on `path`, nothing if there is none.
std::optional<std::string> find_program(std::string_view name, std::string_view path);

}  // namespace botburrow::net
