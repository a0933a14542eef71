#include "base/file_lock.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace botburrow {
namespace {

std::string holder(int fd) {
  char text[32] = {};
  const auto size = ::pread(fd, text, sizeof text - 1, 0);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "unknown";
}

}  // namespace

FileLock::FileLock(const std::string& path, const Words& words) {
  const auto fail = [&](errc code, const std::string& text) {
    if (fd_ >= 0) ::close(fd_);
    throw Error(code, text);
  };
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0) fail(errc::io, fmt::format("{}: {}; {}", path, std::strerror(errno), words.cure));
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    fail(errc::already_exists, fmt::format("{} is in use by process {}; stop it, or {}", words.what,
                                           holder(fd_), words.cure));
  }
  // On a full disk nobody can read whose it is; it is held all the same.
  const auto pid = fmt::format("{}", ::getpid());
  const bool wrote = ::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, pid.data(), pid.size(), 0) > 0;
  static_cast<void>(wrote);
}

std::optional<bool> FileLock::is_held(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  // Shared, so that two who look do not see each other.
  const bool free = ::flock(fd, LOCK_SH | LOCK_NB) == 0;
  ::close(fd);
  return !free;
}

FileLock::~FileLock() {
  ::close(fd_);
}

}  // namespace botburrow
