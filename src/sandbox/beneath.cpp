#include "sandbox/beneath.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace botburrow::sandbox {
namespace {

constexpr std::string_view kInside = "/workspace";
/// A rename elsewhere may make the kernel ask for another try.
constexpr int kTries = 16;

FileFault fault(FileFault::Kind kind, std::string_view what, std::string_view path) {
  return {.kind = kind, .text = fmt::format("{}: {}", what, valid_utf8(path))};
}

int openat2(int root, const char* path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<__u64>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how));
}

}  // namespace

FileFault file_fault(int number, std::string_view path) {
  using Kind = FileFault::Kind;
  switch (number) {
    case EXDEV:
    case ELOOP:  // A magic link, or links in a circle.
      return fault(Kind::escapes, "Path escapes workspace", path);
    case ENOENT:
    case ENOTDIR:
      return fault(Kind::not_found, "File not found", path);
    case EISDIR:
    case ENXIO:  // A socket, or a pipe that nobody reads.
    case ENODEV:
      return fault(Kind::not_a_file, "Not a file", path);
    case ENAMETOOLONG:
      return fault(Kind::bad_path, "Path too long", path.substr(0, kPathBytesMax));
    case EACCES:
    case EPERM:
      return fault(Kind::refused, "Permission denied", path);
    case ENOSPC:
    case EDQUOT:
      return fault(Kind::io, "The disk of the workspaces is full", path);
    default:
      return fault(Kind::io, ::strerror(number), path);
  }
}

FileResult<std::string> workspace_path(std::string_view path) {
  using Kind = FileFault::Kind;
  if (path.size() > kPathBytesMax) {
    return std::unexpected(
        FileFault{Kind::bad_path,
                  fmt::format("Path too long: {} bytes, at most {}", path.size(), kPathBytesMax)});
  }
  if (path.find('\0') != std::string_view::npos)
    return std::unexpected(FileFault{Kind::bad_path, "Path with a zero byte"});
  if (path == kInside || path.starts_with(std::string(kInside) + "/"))
    path.remove_prefix(kInside.size());
  while (path.starts_with('/'))
    path.remove_prefix(1);
  return path.empty() ? std::string(".") : std::string(path);
}

FileResult<net::UniqueFd> open_beneath(int root, const std::string& path, int flags, mode_t mode) {
  int fd = -1;
  for (int tried = 0; fd < 0 && tried < kTries; ++tried) {
    fd = openat2(root, path.c_str(), flags, mode);
    if (fd < 0 && errno != EAGAIN && errno != EINTR) break;
  }
  if (fd < 0) return std::unexpected(file_fault(errno, path));
  return net::UniqueFd(fd);
}

}  // namespace botburrow::sandbox
