#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace botburrow::definitions {

struct FileContent {
  enum class State {
    read,
    absent,
    too_large,
    failed,  // no permission, a folder, a pipe, an I/O error
  };
  State state = State::failed;
  std::string text;
  std::string fault;        ///< why not, in words
  std::string fix;          ///< what to do about it
  std::string fingerprint;  ///< of the file as it was when it was read: device, inode, size, times
};

/// Reads a regular file of at most `bytes_max` bytes. Blocking. Pipes and devices are refused
/// without waiting for them.
FileContent read_file(const std::string& path, std::size_t bytes_max);

/// The same for a file of a repository. A repository may hold symbolic links; one that leads out of
/// it, be it the file or a folder above it, would let a stranger read the operator's files into a
/// prompt, and is not followed. `root` is canonical; an absent file is not outside.
FileContent read_file_inside(const std::filesystem::path& root, const std::filesystem::path& file,
                             std::size_t bytes_max);

/// What fingerprint of a read now would be; "absent" if there is no such file.
std::string file_fingerprint(const std::string& path);

/// Writes through a temporary file beside it and a rename, so that a reader sees the old or the
/// new text and never half of one. Throws Error{io}. Blocking.
void write_file_atomically(const std::string& path, std::string_view text);

}  // namespace botburrow::definitions
