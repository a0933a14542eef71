#pragma once

#include "base/time.hpp"

#include <sys/stat.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>

namespace botburrow::sandbox {

/// When a long look at files must end early.
struct Patience {
  Deadline deadline = Deadline::never();
  const std::atomic<bool>& stopped;
  bool over() const { return stopped.load(std::memory_order_relaxed) || deadline.passed(); }
};

struct WalkedEntry {
  const std::string& path;  ///< relative to the workspace
  const struct stat& status;
};

enum class WalkEnd {
  done,
  stopped,      ///< the visitor said so
  out_of_time,  ///< patience was over
  too_many,     ///< more than kWalkEntriesMax entries, or paths longer than the kernel takes
  closed,       ///< all was seen, but for folders that may not be read
};

inline constexpr std::size_t kWalkEntriesMax = 200'000;

/// Shows everything below the folder `start` of `root` but `start` itself, folder by folder, in the
/// order of names, links as links. Folders that may not be read are passed over, and the end says
/// so. The visitor ends the walk by answering false. Blocks.
WalkEnd walk(int root, const std::string& start, const Patience& patience,
             const std::function<bool(const WalkedEntry&)>& visit);

}  // namespace botburrow::sandbox
