#pragma once

namespace botburrow::sandbox::init {

/// The kernel's version of Landlock, 0 for none.
int landlock_version();

/// From now on this process may start `program` alone (and what the kernel needs to start it). True
/// as well where the kernel has no Landlock: this is a second wall inside the first. False: errno.
bool allow_only(const char* program);

}  // namespace botburrow::sandbox::init
