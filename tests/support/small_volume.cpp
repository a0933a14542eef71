#include "tests/support/small_volume.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace botburrow::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

std::string new_folder() {
  std::string name = "/tmp/bb-volume-XXXXXX";
  if (!::mkdtemp(name.data())) fail(name);
  return name;
}

}  // namespace

bool SmallVolume::possible() {
  if (::geteuid() != 0) return false;
  // A container's root may not mount.
  const auto folder = new_folder();
  const bool mounted = ::mount("probe", folder.c_str(), "tmpfs", 0, "size=64k") == 0;
  if (mounted) ::umount2(folder.c_str(), MNT_DETACH);
  ::rmdir(folder.c_str());
  return mounted;
}

SmallVolume::SmallVolume(std::size_t bytes) : path_(new_folder()) {
  const auto options = fmt::format("size={},mode=0700", bytes);
  if (::mount("volume", path_.c_str(), "tmpfs", 0, options.c_str()) != 0) fail(path_);
}

SmallVolume::~SmallVolume() {
  ::umount2(path_.c_str(), MNT_DETACH);
  ::rmdir(path_.c_str());
}

void SmallVolume::fill() const {
  const int file =
      ::open((path_ + "/rubbish").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) fail(path_);
  const std::array<char, 512> block{};
  while (::write(file, block.data(), block.size()) > 0) {
  }
  const bool full = errno == ENOSPC;
  ::close(file);
  if (!full) fail("filling " + path_);
}

void SmallVolume::empty() const {
  ::unlink((path_ + "/rubbish").c_str());
}

void SmallVolume::make_read_only(bool read_only) const {
  if (::mount("volume", path_.c_str(), nullptr, MS_REMOUNT | (read_only ? MS_RDONLY : 0),
              nullptr) != 0)
    fail("remounting " + path_);
}

}  // namespace botburrow::test
