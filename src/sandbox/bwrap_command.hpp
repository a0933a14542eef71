#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace botburrow::sandbox {

/// How the system's folders beside /usr are: links into it, or folders.
struct SystemFolder {
  std::string path;  ///< e.g. /bin
  std::string link;  ///< e.g. usr/bin; empty: a folder of its own
};

/// What a sandbox of the first tier is made of. Numbers are descriptors as bubblewrap has them.
struct BwrapPlan {
  std::string program;    ///< path of bubblewrap
  std::string workspace;  ///< what becomes /workspace
  std::string home;       ///< what becomes /home/agent; empty: none
  std::vector<SystemFolder> system;
  std::vector<std::string> read_only;  ///< further folders, at their own paths
  std::uint64_t tmpfs_bytes = 64u << 20;
  int filter_fd = -1;
  int init_fd = -1;
  std::vector<std::pair<int, std::string>> files;  ///< texts below /etc
};

inline constexpr const char* kWorkspaceInside = "/workspace";
inline constexpr const char* kHomeInside = "/home/agent";

/// The argument vector: an empty root with a read-only system, private /proc and /dev, bounded
/// tmpfs, the workspace, and process 1. Nothing secret may be in it: anyone inside can read it.
std::vector<std::string> bwrap_command(const BwrapPlan& plan);

}  // namespace botburrow::sandbox
