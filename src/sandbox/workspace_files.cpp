#include "sandbox/workspace_files.hpp"

#include "base/json.hpp"
#include "base/random.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace botburrow::sandbox {
namespace {

using Kind = FileFault::Kind;

constexpr std::size_t kChunk = 64 * 1024;
constexpr std::size_t kBinaryLook = 8 * 1024;
/// The least that an entry takes: folders full of empty files must not be free.
constexpr std::uint64_t kEntryBytes = 4096;

FileFault not_a_file(std::string_view path) {
  return {Kind::not_a_file, fmt::format("Not a file: {}", valid_utf8(path))};
}

FileResult<std::uint64_t> regular_size(int fd, std::string_view path) {
  struct stat seen{};
  if (::fstat(fd, &seen) != 0) return std::unexpected(file_fault(errno, path));
  if (!S_ISREG(seen.st_mode)) return std::unexpected(not_a_file(path));
  return static_cast<std::uint64_t>(seen.st_size);
}

/// Up to `max` bytes, fewer at the end of the file; negative as read().
ssize_t read_some(int fd, char* into, std::size_t max) {
  ssize_t got = 0;
  do {
    got = ::read(fd, into, max);
  } while (got < 0 && errno == EINTR);
  return got;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

/// Takes the wanted lines out of a file that comes in pieces.
class LineTaker {
 public:
  explicit LineTaker(const LineRange& range) : range_(range) {}

  /// False once nothing more is wanted.
  bool take(std::string_view piece) {
    while (line_ < range_.first && !piece.empty()) {
      const auto end = piece.find('\n');
      if (end == std::string_view::npos) return true;
      piece.remove_prefix(end + 1);
      ++line_;
    }
    while (!piece.empty()) {
      if (range_.count && line_ >= range_.first + *range_.count) return false;
      const auto end = piece.find('\n');
      const auto size = end == std::string_view::npos ? piece.size() : end + 1;
      const auto fits = std::min(size, range_.bytes_max - text_.size());
      text_.append(piece.substr(0, fits));
      if (fits < size) {
        more_ = true;
        return false;
      }
      if (end != std::string_view::npos) ++line_;
      piece.remove_prefix(size);
    }
    return true;
  }
  std::string text() { return std::move(text_); }
  bool more() const { return more_; }

 private:
  const LineRange& range_;
  std::uint64_t line_ = 1;
  std::string text_;
  bool more_ = false;
};

struct Split {
  std::string folder;
  std::string name;
};

Split split(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != "..";
}

std::uint64_t size_of(const struct stat& status) {
  return std::max(static_cast<std::uint64_t>(status.st_blocks) * 512, kEntryBytes);
}

}  // namespace

WorkspaceFiles::WorkspaceFiles(int root, Owner owner, std::uint64_t quota_bytes)
    : root_(root), owner_(owner), quota_(quota_bytes) {}

FileResult<net::UniqueFd> WorkspaceFiles::open_file(const std::string& path) const {
  // Without O_NONBLOCK a pipe would hold us until somebody writes to it.
  auto fd = open_beneath(root_, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) return fd;
  if (const auto size = regular_size(fd->get(), path); !size) return std::unexpected(size.error());
  return fd;
}

FileResult<FileLines> WorkspaceFiles::read_lines(std::string_view path, LineRange range,
                                                 const Patience& patience) const {
  const auto inside = workspace_path(path);
  if (!inside) return std::unexpected(inside.error());
  const auto fd = open_file(*inside);
  if (!fd) return std::unexpected(fd.error());
  const auto size = regular_size(fd->get(), path);
  if (!size) return std::unexpected(size.error());
  FileLines lines{.file_bytes = *size};
  LineTaker taker(range);
  std::string piece(kChunk, '\0');
  for (bool first = true;; first = false) {
    if (patience.over()) return std::unexpected(FileFault{Kind::io, "Reading took too long"});
    const auto got = read_some(fd->get(), piece.data(), piece.size());
    if (got < 0) return std::unexpected(file_fault(errno, path));
    if (got == 0) break;
    const std::string_view bytes(piece.data(), static_cast<std::size_t>(got));
    lines.binary = first && bytes.substr(0, kBinaryLook).find('\0') != std::string_view::npos;
    if (lines.binary) return lines;
    if (!taker.take(bytes)) break;
  }
  lines.more = taker.more();
  lines.text = taker.text();
  return lines;
}

FileResult<std::string> WorkspaceFiles::read_all(std::string_view path,
                                                 std::size_t bytes_max) const {
  const auto inside = workspace_path(path);
  if (!inside) return std::unexpected(inside.error());
  const auto fd = open_file(*inside);
  if (!fd) return std::unexpected(fd.error());
  std::string text;
  std::string piece(kChunk, '\0');
  for (;;) {
    const auto got = read_some(fd->get(), piece.data(), piece.size());
    if (got < 0) return std::unexpected(file_fault(errno, path));
    if (got == 0) return text;
    text.append(piece, 0, static_cast<std::size_t>(got));
    if (text.size() > bytes_max) {
      return std::unexpected(FileFault{
          Kind::quota,
          fmt::format("File too large: {} is longer than {} bytes", valid_utf8(path), bytes_max)});
    }
  }
}

// Each step is taken from a folder that the kernel has just found to be inside.
FileResult<net::UniqueFd> WorkspaceFiles::ensure_folder(const std::string& path) const {
  constexpr int kFolder = O_PATH | O_DIRECTORY;
  if (auto found = open_beneath(root_, path, kFolder);
      found || found.error().kind != Kind::not_found)
    return found;
  auto above = open_beneath(root_, ".", kFolder);
  for (std::size_t from = 0; above && from <= path.size();) {
    const auto slash = std::min(path.find('/', from), path.size());
    const auto name = path.substr(from, slash - from);
    auto next = open_beneath(root_, path.substr(0, slash), kFolder);
    if (!next && next.error().kind == Kind::not_found && is_plain_name(name)) {
      if (::mkdirat(above->get(), name.c_str(), 0755) == 0 && owner_.is_another() &&
          ::fchownat(above->get(), name.c_str(), owner_.uid, owner_.gid, AT_SYMLINK_NOFOLLOW) != 0)
        return std::unexpected(file_fault(errno, path));
      next = open_beneath(root_, path.substr(0, slash), kFolder);
    }
    above = std::move(next);
    from = slash + 1;
  }
  return above;
}

// What is believed counts replaced files twice, so nobody is refused without a new look.
FileResult<void> WorkspaceFiles::check_quota(std::uint64_t more, const Patience& patience) {
  const auto fits = [&](std::uint64_t used) { return used <= quota_ && more <= quota_ - used; };
  auto used = used_.load();
  if (used < 0 || !fits(static_cast<std::uint64_t>(used))) {
    const auto measured = measure(patience);
    if (!measured || !fits(*measured)) {
      return std::unexpected(
          FileFault{Kind::quota,
                    fmt::format("The workspace is full: {} bytes more do not fit into its {} MiB "
                                "(WORKSPACE_QUOTA_MB)",
                                more, quota_ >> 20)});
    }
    used = static_cast<std::int64_t>(*measured);
  }
  used_ = used + static_cast<std::int64_t>(more);
  return {};
}

// No fsync: a workspace does not outlive its runner.
FileResult<void> WorkspaceFiles::replace(int folder, const std::string& name, std::string_view path,
                                         std::string_view text, mode_t mode) const {
  const auto draft = fmt::format(".draft-{}", random_hex(8));
  net::UniqueFd fd(
      ::openat(folder, draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd.get() < 0) return std::unexpected(file_fault(errno, path));
  const bool done = write_all(fd.get(), text) && ::fchmod(fd.get(), mode & 07777) == 0 &&
                    (!owner_.is_another() || ::fchown(fd.get(), owner_.uid, owner_.gid) == 0) &&
                    ::renameat(folder, draft.c_str(), folder, name.c_str()) == 0;
  if (done) return {};
  const int number = errno;
  ::unlinkat(folder, draft.c_str(), 0);
  return std::unexpected(file_fault(number, path));
}

FileResult<void> WorkspaceFiles::write(std::string_view path, std::string_view text,
                                       const Patience& patience) {
  const auto inside = workspace_path(path);
  if (!inside) return std::unexpected(inside.error());
  const auto [folder_path, name] = split(*inside);
  if (!is_plain_name(name)) return std::unexpected(not_a_file(path));
  const auto folder = ensure_folder(folder_path.empty() ? "." : folder_path);
  if (!folder) {
    // In the words of who asked: what was tried may be a part of the path.
    const auto kind = folder.error().kind;
    return std::unexpected(kind == Kind::escapes ? file_fault(EXDEV, path) : folder.error());
  }
  struct stat seen{};
  mode_t mode = 0644;
  if (::fstatat(folder->get(), name.c_str(), &seen, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISREG(seen.st_mode)) return std::unexpected(not_a_file(path));
    mode = seen.st_mode & 0777;
  }
  if (auto fits = check_quota(std::max<std::uint64_t>(text.size(), kEntryBytes), patience); !fits)
    return fits;
  auto done = replace(folder->get(), name, path, text, mode);
  if (!done) changed_by_others();
  return done;
}

FileResult<WalkEnd> WorkspaceFiles::look(
    std::string_view start, const Patience& patience,
    const std::function<bool(const WalkedEntry&)>& visit) const {
  const auto inside = workspace_path(start);
  if (!inside) return std::unexpected(inside.error());
  const auto found = open_beneath(root_, *inside, O_PATH);
  if (!found) return std::unexpected(found.error());
  struct stat seen{};
  if (::fstat(found->get(), &seen) != 0) return std::unexpected(file_fault(errno, start));
  if (S_ISDIR(seen.st_mode)) return walk(root_, *inside, patience, visit);
  if (!S_ISREG(seen.st_mode)) return std::unexpected(not_a_file(start));
  return visit({.path = *inside, .status = seen}) ? WalkEnd::done : WalkEnd::stopped;
}

std::optional<std::uint64_t> WorkspaceFiles::measure(const Patience& patience) const {
  std::uint64_t bytes = 0;
  const auto end = walk(root_, ".", patience, [&](const WalkedEntry& entry) {
    bytes += size_of(entry.status);
    return bytes <= quota_;
  });
  // Stopped means that it is over the quota already, by however much.
  if (end == WalkEnd::done || end == WalkEnd::stopped) return bytes;
  return std::nullopt;
}

bool WorkspaceFiles::over_quota(std::uint64_t more, const Patience& patience) const {
  const auto bytes = measure(patience);
  return !bytes || *bytes > quota_ || more > quota_ - *bytes;
}

}  // namespace botburrow::sandbox
