#include "sandbox/remove_tree.hpp"

#include "net/unique_fd.hpp"

#include <fmt/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

namespace botburrow::sandbox {
namespace {

// Its owner may have made it closed to himself; a link in its place is left alone. If this fails,
// what follows does and says so.
void open_up(int parent, const std::string& name) {
  [[maybe_unused]] const int opened = ::fchmodat(parent, name.c_str(), 0700, AT_SYMLINK_NOFOLLOW);
}

net::UniqueFd open_folder(int parent, const std::string& name) {
  struct stat seen{};
  if (::fstatat(parent, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(seen.st_mode))
    return {};
  if ((seen.st_mode & S_IRWXU) != S_IRWXU) open_up(parent, name);
  return net::UniqueFd(
      ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

struct Entry {
  std::string name;
  bool folder = false;
};

/// Up to some hundred entries: enough for one pass, since what is listed goes away.
std::vector<Entry> some_entries(int folder) {
  constexpr std::size_t kPass = 512;
  std::vector<Entry> entries;
  DIR* const opened = ::fdopendir(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return entries;
  while (entries.size() < kPass) {
    const auto* const found = ::readdir(opened);
    if (!found) break;
    const std::string_view name = found->d_name;
    if (name == "." || name == "..") continue;
    bool is_folder = found->d_type == DT_DIR;
    if (found->d_type == DT_UNKNOWN) {
      struct stat seen{};
      is_folder = ::fstatat(folder, found->d_name, &seen, AT_SYMLINK_NOFOLLOW) == 0 &&
                  S_ISDIR(seen.st_mode);
    }
    entries.push_back({std::string(name), is_folder});
  }
  ::closedir(opened);
  return entries;
}

/// Empties a tree by lifting what lies deep up to its top, a level at a time.
class Emptier {
 public:
  explicit Emptier(int top) : top_(top) {}

  bool empty() {
    for (;;) {
      const auto entries = some_entries(top_);
      if (entries.empty()) return true;
      bool progress = false;
      for (const auto& entry : entries)
        progress = (entry.folder ? dissolve(entry.name) : unlink(top_, entry.name)) || progress;
      if (!progress) return false;
    }
  }

 private:
  static bool unlink(int folder, const std::string& name) {
    return ::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT;
  }

  bool dissolve(const std::string& name) {
    auto folder = open_folder(top_, name);
    if (folder.get() < 0) return false;
    for (;;) {
      const auto entries = some_entries(folder.get());
      if (entries.empty()) break;
      bool progress = false;
      for (const auto& entry : entries)
        progress =
            (entry.folder ? lift(folder.get(), entry.name) : unlink(folder.get(), entry.name)) ||
            progress;
      if (!progress) return false;
    }
    // Removing what is still open costs ten times as much.
    folder.reset();
    return ::unlinkat(top_, name.c_str(), AT_REMOVEDIR) == 0;
  }

  bool lift(int from, const std::string& name) {
    if (::unlinkat(from, name.c_str(), AT_REMOVEDIR) == 0) return true;
    // Moving a folder writes into it, which its owner may have forbidden.
    open_up(from, name);
    for (int tried = 0; tried < 1000; ++tried) {
      const auto to = fmt::format(".lifted-{}", lifted_++);
      if (::syscall(SYS_renameat2, from, name.c_str(), top_, to.c_str(), RENAME_NOREPLACE) == 0)
        return true;
      if (errno != EEXIST) return false;
    }
    return false;
  }

  int top_;
  unsigned long lifted_ = 0;
};

}  // namespace

bool remove_tree(int parent, const std::string& name) {
  struct stat seen{};
  if (::fstatat(parent, name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT;
  const auto top = open_folder(parent, name);
  if (top.get() < 0) return false;
  if (!Emptier(top.get()).empty()) return false;
  return ::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0;
}

}  // namespace botburrow::sandbox
