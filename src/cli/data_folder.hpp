#pragma once

#include "base/file_lock.hpp"

#include <optional>
#include <string>

namespace botburrow::cli {

/// Holds a data folder for one process, by a lock on DIR/lock that the kernel drops with the
/// process.
class DataFolderLock {
 public:
  /// Makes the folder (mode 0700) where needed. Throws Error{already_exists} naming the process
  /// that holds it, Error{io} where it cannot be used.
  explicit DataFolderLock(const std::string& folder);
  /// Whether a process holds the folder now; nothing where that cannot be told.
  static std::optional<bool> is_held(const std::string& folder);

 private:
  FileLock lock_;
};

/// A folder of its own below the system's temporary one, removed with everything in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace botburrow::cli
