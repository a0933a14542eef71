#include "tests/support/hung_folder.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

namespace botburrow::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

int mount_at(const std::string& folder) {
  const int device = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) fail("/dev/fuse");
  const auto options = fmt::format("fd={},rootmode=40000,user_id=0,group_id=0", device);
  if (::mount("hung", folder.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) == 0)
    return device;
  ::close(device);
  fail("mounting at " + folder);
}

/// Answers the first request. Those that come later are never read, so that who waits for them can
/// be killed.
void say_hello(int device) {
  std::vector<char> buffer(1u << 20);
  ssize_t got = -1;
  do {
    got = ::read(device, buffer.data(), buffer.size());
  } while (got < 0 && errno == EINTR);
  if (got < static_cast<ssize_t>(sizeof(fuse_in_header))) fail("reading from /dev/fuse");
  fuse_in_header request;
  std::memcpy(&request, buffer.data(), sizeof request);
  struct {
    fuse_out_header header;
    fuse_init_out body;
  } answer{};
  answer.header.len = sizeof answer;
  answer.header.unique = request.unique;
  answer.body.major = FUSE_KERNEL_VERSION;
  answer.body.minor = FUSE_KERNEL_MINOR_VERSION;
  answer.body.max_write = 4096;
  if (::write(device, &answer, sizeof answer) < 0) fail("writing to /dev/fuse");
}

}  // namespace

bool HungFolder::possible() {
  if (::geteuid() != 0) return false;
  const int device = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device >= 0) ::close(device);
  return device >= 0;
}

HungFolder::HungFolder(std::string folder)
    : folder_(std::move(folder)), device_(mount_at(folder_)) {
  say_hello(device_);
}

HungFolder::~HungFolder() {
  // Forced: who waits is let go.
  ::umount2(folder_.c_str(), MNT_FORCE);
  ::umount2(folder_.c_str(), MNT_DETACH);
  ::close(device_);
}

}  // namespace botburrow::test
