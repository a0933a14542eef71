#pragma once
// A Hub's database goes back to its place.
#include "base/file_lock.hpp"
#include "cli/backup_file.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace botburrow::cli {

/// A database on its way into or out of a backup; goes with its side files when this ends.
class Scratch {
 public:
  explicit Scratch(std::string path) : path_(std::move(path)) {}
  ~Scratch();
  Scratch(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Who owns a file or folder.
struct Owner {
  uid_t user = 0;
  gid_t group = 0;
};

/// The Redis of `up` writes its files as who runs it; a folder of somebody else's must not get
/// files that its owner cannot read. Throws bad_input.
void refuse_folder_of_others(const std::string& folder);

/// A Hub's database takes its place whole or not at all, and only where no Hub works on it.
class HubRestore {
 public:
  /// Locks the database. Throws already_exists where one is there and `force` is not set.
  HubRestore(const std::string& path, bool force);

  /// Unpacks and checks it beside its place. `redis`: the generation that Redis holds.
  void prepare(const std::string& backup, const BackupHeader& header,
               std::optional<std::int64_t> redis);
  void put();

 private:
  std::string folder_of_file() const;
  /// What the system is known to have come to. Where nobody can say, no Hub has counted up to the
  /// seconds since 1970.
  std::int64_t reached(std::optional<std::int64_t> redis) const;
  /// The Hub reads it as the user that it was of. A new one made by root is the folder's owner's.
  void give(const std::string& path) const;

  std::string path_;
  Scratch scratch_{path_ + ".restoring"};
  std::optional<Owner> replaced_;
  std::optional<FileLock> lock_;
};

}  // namespace botburrow::cli
