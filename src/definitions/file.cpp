#include "definitions/file.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

namespace botburrow::definitions {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string fingerprint_of(const struct stat& s) {
  return fmt::format("{}:{}:{}:{}.{}:{}.{}", s.st_dev, s.st_ino, s.st_size, s.st_mtim.tv_sec,
                     s.st_mtim.tv_nsec, s.st_ctim.tv_sec, s.st_ctim.tv_nsec);
}

bool is_absence(int error) {
  return error == ENOENT || error == ENOTDIR;
}

FileContent failure(FileContent::State state, std::string fault) {
  FileContent out;
  out.state = state;
  out.fault = std::move(fault);
  out.fix = "make it a readable file of at most 256 KiB";
  out.fingerprint = state == FileContent::State::absent ? "absent" : "failed";
  return out;
}

bool leads_outside(const std::filesystem::path& root, const std::filesystem::path& file) {
  std::error_code error;
  const auto real = std::filesystem::canonical(file, error);
  if (error) return false;
  const auto [end, ignored] = std::mismatch(root.begin(), root.end(), real.begin(), real.end());
  return end != root.end();
}

bool read_all(int fd, std::size_t bytes_max, std::string& out) {
  std::array<char, 16 * 1024> block;
  while (out.size() <= bytes_max) {
    const ssize_t got = ::read(fd, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return true;
    out.append(block.data(), static_cast<std::size_t>(got));
  }
  return true;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return ::fsync(fd) == 0;
}

}  // namespace

FileContent read_file(const std::string& path, std::size_t bytes_max) {
  using State = FileContent::State;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) {
    if (is_absence(errno)) return failure(State::absent, "no such file");
    return failure(State::failed, std::string("cannot be opened: ") + std::strerror(errno));
  }
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return failure(State::failed, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return failure(State::failed, "is not a regular file");
  FileContent out;
  out.fingerprint = fingerprint_of(info);
  if (!read_all(file.get(), bytes_max, out.text)) {
    return failure(State::failed, std::string("cannot be read: ") + std::strerror(errno));
  }
  if (out.text.size() > bytes_max) {
    FileContent large = failure(State::too_large,
                                fmt::format("is larger than the {} KiB allowed", bytes_max / 1024));
    large.fingerprint = out.fingerprint;
    return large;
  }
  out.state = State::read;
  return out;
}

FileContent read_file_inside(const std::filesystem::path& root, const std::filesystem::path& file,
                             std::size_t bytes_max) {
  if (!leads_outside(root, file)) return read_file(file.string(), bytes_max);
  FileContent out = failure(FileContent::State::failed,
                            "is a link that leads out of the repository, or lies behind one");
  out.fix = "copy what the link names into the repository";
  out.fingerprint = file_fingerprint(file.string());
  return out;
}

std::string file_fingerprint(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return is_absence(errno) ? "absent" : "failed";
  return S_ISREG(info.st_mode) ? fingerprint_of(info) : "failed";
}

void write_file_atomically(const std::string& path, std::string_view text) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  const auto fail = [&](const char* what) {
    const int error = errno;
    ::unlink(temporary.c_str());
    throw Error(errc::io, fmt::format("{}: cannot {}: {}", path, what, std::strerror(error)),
                Retry::after_backoff);
  };
  {
    const Descriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.get() < 0) fail("create a file");
    if (!write_all(file.get(), text)) fail("write");
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) fail("rename");
}

}  // namespace botburrow::definitions
