#pragma once

#include <sys/types.h>

#include <cstdint>

namespace botburrow::sandbox::init {

/// What runs in the sandbox beside process 1.
struct Usage {
  std::uint64_t memory_bytes = 0;  ///< resident and not of files, of all processes together
  std::uint64_t processes = 0;
  std::uint64_t cpu_ms = 0;  ///< of those that run and of those that were waited for
  bool blind = false;        ///< not all could be looked at: we lack descriptors or memory
};

/// Threads on this machine whose user is ours: what RLIMIT_NPROC counts where we have no namespace.
std::uint64_t tasks_of_user();

/// Everything in /proc but ourselves, or with `descendants_only` what descends from us.
Usage measure(bool descendants_only);

/// What the processes of the sandbox hold on a file system though it has no name any more.
struct Removed {
  std::uint64_t bytes = 0;
  bool blind = false;   ///< not all could be looked at: we lack descriptors, memory or room
  bool closed = false;  ///< a process does not let us look
};
Removed held_removed_files(dev_t device, bool descendants_only);

/// Files in /tmp and /dev/shm, which are bounded in bytes alone.
std::uint64_t files_in_memory();

/// Processor time of the processes that we have waited for so far.
std::uint64_t reaped_cpu_ms();

/// Kills everything that measure() would see and waits until it is gone.
void kill_everything(bool descendants_only);
void signal_everything(bool descendants_only, int signal);

}  // namespace botburrow::sandbox::init
