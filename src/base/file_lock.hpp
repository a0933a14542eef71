#pragma once

#include <optional>
#include <string>

namespace botburrow {

/// Holds something for one process, by a lock on a file that the kernel drops with the process,
/// however that ends. The file says whose it is.
class FileLock {
 public:
  /// What is held, for people, and what to do where another process has it.
  struct Words {
    std::string what;  ///< "data folder /srv/bb"
    std::string cure;  ///< "choose another one with --data DIR"
  };
  /// Makes the file (mode 0600); its folder must be there. Throws Error{already_exists, "<what> is
  /// in use by process N; stop it, or <cure>"}, Error{io} where it cannot be made.
  FileLock(const std::string& path, const Words& words);
  ~FileLock();
  FileLock(const FileLock&) = delete;

  /// Whether somebody holds the lock of this file just now; nothing where there is no such file, or
  /// it may not be looked at.
  static std::optional<bool> is_held(const std::string& path);

 private:
  int fd_ = -1;
};

}  // namespace botburrow
