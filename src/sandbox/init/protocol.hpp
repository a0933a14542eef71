#pragma once

#include <cstddef>
#include <cstdint>

// What the runner and process 1 of a sandbox say to each other, over a socket that both inherited.
// Both are built together, so plain structs do. Process 1 may be in the hands of whoever broke out
// of a command: the runner believes nothing of it that could hurt.
namespace botburrow::sandbox::wire {

/// Descriptors that process 1 starts with.
inline constexpr int kControlFd = 3;
inline constexpr int kBridgeFd =
    4;  ///< where connections of the bridge are passed on; may be closed

/// One message each way; nothing is ever longer.
inline constexpr std::size_t kMessageBytesMax = 128 * 1024;

struct Limits {
  std::uint64_t memory_bytes = 0;  ///< of each process, and of all together
  std::uint64_t file_bytes = 0;    ///< of each file
  std::uint64_t cpu_seconds = 0;   ///< of each process, and of all together
  std::uint32_t processes = 0;     ///< at one time
  std::uint32_t tasks = 0;         ///< threads count too; 0: not limited by the kernel
  std::uint32_t open_files = 0;
};

enum class AskKind : std::uint32_t {
  start = 1,  ///< with three descriptors: stdin, stdout, stderr
  signal,     ///< to everything that runs
  measure,
};

/// After a `start` come argc + envc + 1 texts, each with its zero byte: the working directory, the
/// arguments, the environment.
struct Ask {
  AskKind kind = AskKind::start;
  std::uint32_t id = 0;  ///< comes back with what is told
  std::int32_t signal = 0;
  std::uint32_t argc = 0;
  std::uint32_t envc = 0;
  std::uint32_t only_itself = 0;  ///< the program may start no other, itself excepted
  Limits limits;
};

enum class TellKind : std::uint32_t {
  ready = 1,
  started,
  refused,  ///< the program could not be started; `error` is errno
  ended,    ///< and with it everything that it left running
  measured,
  held,  ///< `removed_bytes` of the running command is another than was told before
};

/// Which limit ended everything; `unwatched`: process 1 could not look at what runs; `files`: there
/// are too many in the file systems in memory, and the whole sandbox ends with them.
enum class Cut : std::uint32_t { none, memory, processes, cpu, unwatched, files };

struct Tell {
  TellKind kind = TellKind::ready;
  std::uint32_t id = 0;
  std::int32_t code = -1;
  std::int32_t signal = 0;
  std::int32_t error = 0;
  Cut cut = Cut::none;
  std::uint64_t memory_bytes = 0;  ///< in use now; at `ended` the most that was seen
  std::uint64_t processes = 0;
  std::uint64_t cpu_ms = 0;
  std::uint64_t removed_bytes = 0;  ///< of files that have no name any more and are still open
};

}  // namespace botburrow::sandbox::wire
