#pragma once

#include "sandbox/beneath.hpp"
#include "sandbox/walk.hpp"
#include "sandbox/workspace.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace botburrow::sandbox {

/// A part of a text file.
struct FileLines {
  std::string text;
  std::uint64_t file_bytes = 0;
  bool binary = false;  ///< a zero byte among its first; `text` is empty then
  bool more = false;    ///< the file goes on after `text`, which came to bytes_max
};

struct LineRange {
  std::uint64_t first = 1;             ///< counted from 1
  std::optional<std::uint64_t> count;  ///< to the end
  std::size_t bytes_max = 1u << 20;
};

/// The files of one workspace. Every path is resolved by the kernel below the workspace's folder,
/// while programs in the sandbox may change the tree at any moment; only regular files are read or
/// replaced. Each call blocks.
class WorkspaceFiles {
 public:
  /// `root` stays open as long as this lives.
  WorkspaceFiles(int root, Owner owner, std::uint64_t quota_bytes);

  FileResult<FileLines> read_lines(std::string_view path, LineRange range,
                                   const Patience& patience) const;
  /// A whole file of at most `bytes_max`; `quota` says that it is longer.
  FileResult<std::string> read_all(std::string_view path, std::size_t bytes_max) const;
  /// Replaces the file or makes it, folders on the way included: readers see the old text or the
  /// new one. A link is not followed. `quota` says that the workspace would become too large.
  FileResult<void> write(std::string_view path, std::string_view text, const Patience& patience);

  /// Shows what lies below `start`; see walk(). A `start` that is a file is shown itself.
  FileResult<WalkEnd> look(std::string_view start, const Patience& patience,
                           const std::function<bool(const WalkedEntry&)>& visit) const;
  /// Opens a regular file for reading by the path that look() gave.
  FileResult<net::UniqueFd> open_file(const std::string& path) const;

  /// What the workspace takes of the disk, at least a block an entry; nothing when it is too large
  /// or too deep to be measured, or has folders closed to us: anything could be in there.
  std::optional<std::uint64_t> measure(const Patience& patience) const;
  /// Also with this much `more` that a look at its names does not find.
  bool over_quota(std::uint64_t more, const Patience& patience) const;
  /// After a program ran in it: forgets what write() believes the size to be.
  void changed_by_others() { used_ = -1; }
  std::uint64_t quota_bytes() const { return quota_; }

 private:
  FileResult<net::UniqueFd> ensure_folder(const std::string& path) const;
  FileResult<void> replace(int folder, const std::string& name, std::string_view path,
                           std::string_view text, mode_t mode) const;
  FileResult<void> check_quota(std::uint64_t more, const Patience& patience);

  int root_;
  Owner owner_;
  std::uint64_t quota_;
  std::atomic<std::int64_t> used_{-1};  // bytes, negative: unknown
};

}  // namespace botburrow::sandbox
