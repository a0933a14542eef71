#include "sandbox/walk.hpp"

#include "sandbox/beneath.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>
#include <vector>

namespace botburrow::sandbox {
namespace {

/// Of the folders that are still to be looked into, all their paths together.
constexpr std::size_t kPendingBytesMax = 32u << 20;

/// Names of a folder in order; nothing when there are more than `max`.
std::optional<std::vector<std::string>> names_in(net::UniqueFd folder, std::size_t max) {
  std::vector<std::string> names;
  DIR* const opened = ::fdopendir(folder.get());
  if (!opened) return names;
  folder.release();
  bool too_many = false;
  while (const auto* const found = ::readdir(opened)) {
    const std::string_view name = found->d_name;
    if (name == "." || name == "..") continue;
    too_many = names.size() >= max;
    if (too_many) break;
    names.emplace_back(name);
  }
  ::closedir(opened);
  if (too_many) return std::nullopt;
  std::ranges::sort(names);
  return names;
}

}  // namespace

WalkEnd walk(int root, const std::string& start, const Patience& patience,
             const std::function<bool(const WalkedEntry&)>& visit) {
  std::size_t seen = 0;
  std::size_t pending = 0;
  bool too_deep = false;
  bool closed = false;
  std::vector<std::string> folders{start == "." ? std::string() : start};
  while (!folders.empty()) {
    const auto folder = std::move(folders.back());
    folders.pop_back();
    pending -= std::min(pending, folder.size());
    if (patience.over()) return WalkEnd::out_of_time;
    auto opened = open_beneath(root, folder.empty() ? "." : folder,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
    if (!opened) {
      // Others have gone meanwhile.
      closed = closed || opened.error().kind == FileFault::Kind::refused;
      continue;
    }
    const int fd = opened->get();
    const net::UniqueFd held(::dup(fd));
    const auto names = names_in(std::move(*opened), kWalkEntriesMax - seen);
    if (!names) return WalkEnd::too_many;
    seen += names->size();
    std::vector<std::string> below;
    for (const auto& name : *names) {
      if (patience.over()) return WalkEnd::out_of_time;
      struct stat status{};
      if (::fstatat(held.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        closed = closed || errno == EACCES;
        continue;
      }
      const auto path = folder.empty() ? name : folder + "/" + name;
      if (!visit({.path = path, .status = status})) return WalkEnd::stopped;
      if (!S_ISDIR(status.st_mode)) continue;
      if (path.size() >= PATH_MAX - 256) {
        too_deep = true;
        continue;
      }
      pending += path.size();
      if (pending > kPendingBytesMax) return WalkEnd::too_many;
      below.push_back(path);
    }
    // The first of them comes next.
    folders.insert(folders.end(), below.rbegin(), below.rend());
  }
  if (too_deep) return WalkEnd::too_many;
  return closed ? WalkEnd::closed : WalkEnd::done;
}

}  // namespace botburrow::sandbox
