#include "sandbox/workspace.hpp"

#include "base/error.hpp"
#include "sandbox/remove_tree.hpp"

#include <fmt/format.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

namespace botburrow::sandbox {
namespace {

constexpr uid_t kNobody = 65534;
constexpr std::string_view kHome = ".home";
/// A sweep elsewhere may take a folder away between its making and its locking.
constexpr int kTries = 5;

[[noreturn]] void throw_io(const std::string& path, int number) {
  const bool passes = number == ENOSPC || number == EDQUOT || number == EMFILE || number == ENFILE;
  throw Error(errc::io,
              fmt::format("workspace {}: {} (see WORKSPACE_ROOT)", path, ::strerror(number)),
              passes ? Retry::after_backoff : Retry::never);
}

net::UniqueFd open_folder(int parent, const char* name) {
  return net::UniqueFd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

bool is_same(int fd, int parent, const char* name) {
  struct stat held{}, named{};
  return ::fstat(fd, &held) == 0 && ::fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

bool lock_now(int fd) {
  return ::flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/// The form of a UUID: 8-4-4-4-12 hexadecimal digits.
bool is_activation(std::string_view name) {
  if (name.size() != 36) return false;
  for (std::size_t at = 0; at < name.size(); ++at) {
    const bool dash = at == 8 || at == 13 || at == 18 || at == 23;
    const bool hex = (name[at] >= '0' && name[at] <= '9') || (name[at] >= 'a' && name[at] <= 'f');
    if (dash ? name[at] != '-' : !hex) return false;
  }
  return true;
}

bool is_ours_by_name(std::string_view name) {
  if (const auto dot = name.find(kHome); dot != std::string_view::npos) name = name.substr(0, dot);
  return is_activation(name);
}

std::vector<std::string> candidates(int root) {
  std::vector<std::string> names;
  const int copy = ::openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const opened = copy < 0 ? nullptr : ::fdopendir(copy);
  if (!opened) {
    if (copy >= 0) ::close(copy);
    return names;
  }
  while (const auto* const found = ::readdir(opened)) {
    if (is_ours_by_name(found->d_name)) names.emplace_back(found->d_name);
  }
  ::closedir(opened);
  return names;
}

}  // namespace

Owner Owner::of_this_process() {
  if (::geteuid() == 0) return {.uid = kNobody, .gid = kNobody};
  return {.uid = ::geteuid(), .gid = ::getegid()};
}

bool Owner::is_another() const {
  return uid != ::geteuid();
}

HeldFolder HeldFolder::make(const std::string& root, const std::string& name, Owner owner) {
  const auto path = root + "/" + name;
  std::error_code error;
  std::filesystem::create_directories(root, error);
  if (error) throw_io(root, error.value());
  net::UniqueFd parent(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() < 0) throw_io(root, errno);
  for (int tried = 0; tried < kTries; ++tried) {
    if (::mkdirat(parent.get(), name.c_str(), 0700) != 0) throw_io(path, errno);
    auto folder = open_folder(parent.get(), name.c_str());
    if (folder.get() < 0 && errno == ENOENT) continue;
    if (folder.get() < 0) throw_io(path, errno);
    if (!lock_now(folder.get()) || !is_same(folder.get(), parent.get(), name.c_str())) continue;
    // Whatever the umask says.
    if (::fchmod(folder.get(), 0700) != 0 ||
        (owner.is_another() && ::fchown(folder.get(), owner.uid, owner.gid) != 0)) {
      const int number = errno;
      ::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR);
      throw_io(path, number);
    }
    return {std::move(parent), std::move(folder), name, path};
  }
  throw_io(path, EAGAIN);
}

bool HeldFolder::remove() {
  if (root_.get() < 0) return true;
  if (!remove_tree(root_.get(), name_)) return false;
  fd_.reset();
  root_.reset();
  return true;
}

std::string home_name(const std::string& id) {
  return id + std::string(kHome);
}

Swept sweep_workspaces(const std::string& root, Owner owner) {
  Swept swept;
  const net::UniqueFd parent(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() < 0) return swept;
  for (const auto& name : candidates(parent.get())) {
    struct stat seen{};
    if (::fstatat(parent.get(), name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISDIR(seen.st_mode) || (seen.st_uid != owner.uid && seen.st_uid != ::geteuid()))
      continue;
    const auto folder = open_folder(parent.get(), name.c_str());
    // One that was closed even to its owner is held by nobody: its holder could not have left it
    // so.
    if (folder.get() >= 0 && !lock_now(folder.get())) continue;
    ++(remove_tree(parent.get(), name) ? swept.removed : swept.left);
  }
  return swept;
}

}  // namespace botburrow::sandbox
