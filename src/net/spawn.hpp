#pragma once

#include "net/subprocess.hpp"
#include "net/unique_fd.hpp"

#include <sys/types.h>

namespace botburrow::net {

/// A child that has become its program. Whoever holds this reaps it through the pidfd.
struct SpawnedChild {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd in;  ///< our ends; `in` is none without want_stdin
  UniqueFd out;
  UniqueFd err;
};

/// Starts a child in a session of its own, with default signal handling, no descriptors but the
/// ones named and the environment given. Returns once the program runs, so that all failures to
/// start it are thrown here; see Process::spawn. Blocks for that long, about a millisecond.
SpawnedChild spawn_child(const ProcessOptions& options);

}  // namespace botburrow::net
