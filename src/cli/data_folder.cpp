#include "cli/data_folder.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace botburrow::cli {
namespace {

namespace fs = std::filesystem;

std::string holder(int fd) {
  char text[32] = {};
  const auto size = ::pread(fd, text, sizeof text - 1, 0);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "unknown";
}

}  // namespace

DataFolderLock::DataFolderLock(const std::string& folder) {
  std::error_code error;
  const bool existed = fs::exists(folder, error);
  fs::create_directories(folder, error);
  if (!error && !existed) fs::permissions(folder, fs::perms::owner_all, error);
  if (error)
    throw Error(errc::io, fmt::format("data folder {}: {}; choose another one with --data DIR",
                                      folder, error.message()));
  const auto path = folder + "/lock";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0)
    throw Error(errc::io, fmt::format("{}: {}; choose another data folder with --data DIR", path,
                                      std::strerror(errno)));
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    const auto pid = holder(fd_);
    ::close(fd_);
    throw Error(errc::already_exists, fmt::format("data folder {} is in use by process {}; stop "
                                                  "it, or choose another one with --data DIR",
                                                  folder, pid));
  }
  const auto pid = fmt::format("{}", ::getpid());
  if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, pid.data(), pid.size(), 0) < 0) {
    ::close(fd_);
    throw Error(errc::io, fmt::format("{}: cannot be written: {}", path, std::strerror(errno)));
  }
}

DataFolderLock::~DataFolderLock() {
  ::close(fd_);
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "botburrow-XXXXXX").string();
  if (!::mkdtemp(name.data()))
    throw Error(errc::io,
                fmt::format("{}: {}; set TMPDIR to a writable folder", name, std::strerror(errno)));
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace botburrow::cli
