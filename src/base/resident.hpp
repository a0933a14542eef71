#pragma once

#include <cstddef>

namespace botburrow {

/// Unmaps what the process has mapped of its program and libraries and nobody has changed: pages of
/// code that only ran while it started, and what the kernel mapped around them. Nothing is lost;
/// what is used again is mapped again from the page cache. Answers the bytes that were unmapped.
///
/// Reads /proc/self/smaps; does nothing where there is none.
std::size_t release_startup_pages();

/// Bytes of a heap.
struct HeapUse {
  std::size_t used = 0;
  std::size_t free = 0;
};
/// Free bytes are many: 4 MiB at least, and an eighth of what is in use.
bool worth_trimming(HeapUse heap);

/// Gives free pages of the heap back to the system where that is worth it. A burst of work leaves
/// holes between what outlives it, and the allocator keeps them. Answers whether it did.
bool trim_heap();

/// For a process with one thread that works and a few that help: threads share one heap, so that
/// what one frees another can use. Call before threads are made.
void share_one_heap();

}  // namespace botburrow
