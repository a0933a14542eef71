#pragma once

#include "net/unique_fd.hpp"

#include <sys/types.h>

#include <expected>
#include <string>
#include <string_view>

namespace botburrow::sandbox {

/// Why a file could not be had.
struct FileFault {
  enum class Kind {
    escapes,     ///< the path leads out of the workspace
    bad_path,    ///< too long, or with a zero byte
    not_found,   ///< nothing there
    not_a_file,  ///< a folder, a device, a pipe, a link where none may be
    quota,       ///< the workspace is full
    refused,     ///< permissions of the file itself
    io,          ///< the disk: full, broken
  };
  Kind kind = Kind::io;
  std::string text;  ///< for whoever asked, e.g. "File not found: notes.txt"
};

template <class T>
using FileResult = std::expected<T, FileFault>;

inline constexpr std::size_t kPathBytesMax = 1000;

/// The path as agents write it (`/workspace/a`, `/a` and `a` are the same), relative to the
/// workspace; "." for the workspace itself. `..` stays: the kernel judges it.
FileResult<std::string> workspace_path(std::string_view path);

/// Opens `path` below `root`; the kernel refuses whatever leads out of it, at the moment of
/// opening: no check that something could slip behind. `flags` as for open(); O_CLOEXEC is added.
FileResult<net::UniqueFd> open_beneath(int root, const std::string& path, int flags,
                                       mode_t mode = 0);

/// What errno means for a file that was asked for as `path`.
FileFault file_fault(int number, std::string_view path);

}  // namespace botburrow::sandbox
