#pragma once

#include "net/unique_fd.hpp"

namespace botburrow::sandbox {

struct FilterOptions {
  /// No namespaces are around: TCP is the only socket, nothing listens, process 1 is asked about
  /// each connection and each signal, and files are not touched by their paths in ways that rules
  /// on files do not see (chmod, chown, truncate, times, watches).
  bool without_namespaces = false;
};

/// The system calls that a sandboxed program is refused, as a program of the kernel's filter, in a
/// sealed file. What programs can do without answers ENOSYS, so that they take another way; the
/// rest EPERM. Throws Error{io}.
net::UniqueFd make_seccomp_filter(FilterOptions options);

}  // namespace botburrow::sandbox
