#pragma once

#include "net/unique_fd.hpp"

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

namespace botburrow::sandbox {

/// Whom files in a workspace belong to, and as whom sandboxed programs run. A runner that is root
/// gives up that right for them.
struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;

  /// The runner's own, or nobody's where that is root.
  static Owner of_this_process();
  /// True where it differs from who we are, so that new files must be given away.
  bool is_another() const;
};

/// A folder of mode 0700 below the root of workspaces, held by a lock of this process: a sweep of
/// another runner leaves it alone, and finds it once this one is dead. All of it blocks.
class HeldFolder {
 public:
  /// Makes the folder `name`, and the root where it is missing. Throws Error{io} that names the
  /// folder.
  static HeldFolder make(const std::string& root, const std::string& name, Owner owner);
  HeldFolder(HeldFolder&&) = default;
  HeldFolder& operator=(HeldFolder&&) = default;

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  /// Removes it with all that is in it; nothing may run in it any more. False when something is
  /// left, which the next sweep tries again. Harmless when repeated.
  bool remove();

 private:
  HeldFolder(net::UniqueFd root, net::UniqueFd fd, std::string name, std::string path)
      : root_(std::move(root)),
        fd_(std::move(fd)),
        name_(std::move(name)),
        path_(std::move(path)) {}
  net::UniqueFd root_;
  net::UniqueFd fd_;
  std::string name_;
  std::string path_;
};

/// The name that a private home beside the workspace `id` has.
std::string home_name(const std::string& id);

struct Swept {
  std::size_t removed = 0;
  std::size_t left = 0;  ///< could not be removed
};
/// Removes what dead runners left in `root`: folders with the name of an activation (or of a home
/// beside it) that belong to us and that nobody holds. Everything else there stays. Blocks.
Swept sweep_workspaces(const std::string& root, Owner owner);

}  // namespace botburrow::sandbox
