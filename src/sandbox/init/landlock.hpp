#pragma once

namespace botburrow::sandbox::init {

/// The kernel's version of Landlock, 0 for none.
int landlock_version();

/// From now on this process may start `program` alone (and what the kernel needs to start it).
/// Where the kernel has no Landlock, a filter lets through the one start whose text stands where
/// none of the program's own ever will. Returns what to give to execve; null: errno.
const char* allow_only(const char* program);

}  // namespace botburrow::sandbox::init
