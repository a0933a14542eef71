#pragma once

#include "base/task.hpp"
#include "base/time.hpp"
#include "net/subprocess.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::sandbox {

/// How well programs can be kept in on this machine, best last.
enum class Tier { none, landlock, bwrap };
std::string_view name_of(Tier tier);

/// Which limit ended a command, and with it everything that it had started.
enum class Cut {
  none,
  memory,     ///< all processes together held more than memory_bytes
  processes,  ///< more than processes_max at one time
  cpu,        ///< all together used more processor time than `cpu` of the time they had
  quota,      ///< the workspace became too large
  files,      ///< too many files in /tmp and /dev/shm; the sandbox ends with the command
  unwatched,  ///< what runs could not be looked at, so that no limit on all together held
  gone,       ///< the sandbox itself ended under it
};

/// Limits of everything that runs in a sandbox at one time.
struct SandboxLimits {
  std::uint64_t memory_bytes = std::uint64_t{2} << 30;  ///< SANDBOX_MEMORY; of each process as well
  double cpu = 1.0;                                     ///< SANDBOX_CPU, processors
  std::uint32_t processes_max = 256;
  std::uint32_t open_files_max = 1024;                    ///< of each process
  std::uint64_t file_bytes_max = std::uint64_t{1} << 30;  ///< of each file
};

/// A sentence for whoever ran the command, e.g. "used more than 2048 MiB of memory
/// (SANDBOX_MEMORY)"; empty for `none`.
std::string cut_text(Cut cut, const SandboxLimits& limits);

/// A program to run inside. Nothing is inherited from the runner.
struct Command {
  /// argv[0] is a path inside, or a name that is looked up in the PATH of `environment`.
  std::vector<std::string> argv;
  std::vector<std::string> environment;  ///< `NAME=value`; seen by this program only
  std::string working_directory;         ///< empty: the workspace
  bool want_stdin = false;               ///< else /dev/null
  /// It may start no other program. Held by the kernel: by Landlock, or by a filter that allows
  /// the one start.
  bool only_itself = false;
  /// Bytes kept of each of stdout and stderr by run().
  std::size_t output_bytes_max = 64u << 10;
};

/// A running command: a net::Process whose group is everything that it has started, wherever that
/// hid. When the command itself ends, all of that is killed. pid() means nothing outside.
class SandboxedProcess : public net::Process {
 public:
  /// Known once wait() has returned.
  virtual Cut cut() const = 0;
};

struct SandboxUsage {
  std::uint64_t memory_bytes = 0;
  std::uint64_t processes = 0;
  std::chrono::milliseconds cpu{0};
};

struct CommandResult {
  net::ProcessResult process;
  Cut cut = Cut::none;
};

/// A place where programs run that nobody trusts, reused by the commands of one activation, one
/// after the other. Its owner calls stop() before it lets go of it.
class Sandbox {
 public:
  virtual ~Sandbox() = default;

  /// Starts a command; waits for an earlier one that is just ending. `deadline` bounds its
  /// processor time; ending it in time is up to the caller. Throws Error{not_found} for a program
  /// that is not there, Error{limit} for a command line that is too long, Error{io} for a sandbox
  /// that is gone.
  virtual Task<std::unique_ptr<SandboxedProcess>> spawn(Command command, Deadline deadline) = 0;
  /// Of everything in it now. Throws Error{timeout, io}.
  virtual Task<SandboxUsage> measure() = 0;
  /// False once it has ended under us: another must be started.
  virtual bool usable() const = 0;
  virtual const SandboxLimits& limits() const = 0;
  /// Where programs inside see the workspace and their home: `/workspace` and `/home/agent`, or
  /// where they really lie. Without a home of its own that is the workspace.
  virtual const std::string& workspace() const = 0;
  virtual const std::string& home() const = 0;
  /// Kills everything and returns when it is gone. Safe to repeat.
  virtual Task<> stop() = 0;
};

/// Runs a command to its end, like net::run_process: feeds `input`, collects both pipes bounded,
/// and at the deadline ends it (SIGTERM, `grace`, SIGKILL) and says timed_out. Cancellation kills
/// it first.
Task<CommandResult> run_command(Sandbox& sandbox, Command command, std::string input,
                                Deadline deadline,
                                std::chrono::nanoseconds grace = std::chrono::seconds(2));

}  // namespace botburrow::sandbox
