#include "sandbox/init/enter.hpp"

#include <climits>

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace botburrow::sandbox::init {
namespace {

int fail(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  return 1;
}

bool open_stage(const char* base) {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", base, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=0755") == 0;
}

// By path and not by descriptor: one from before belongs to mounts that are not ours any more.
bool place(const char* base, const char* folder, const char* name) {
  char to[PATH_MAX];
  const int size = std::snprintf(to, sizeof to, "%s/%s", base, name);
  return size > 0 && size < PATH_MAX && ::mkdir(to, 0755) == 0 &&
         ::mount(folder, to, nullptr, MS_BIND, nullptr) == 0;
}

bool become(const char* uid, const char* gid) {
  const auto user = static_cast<uid_t>(std::strtoul(uid, nullptr, 10));
  const auto group = static_cast<gid_t>(std::strtoul(gid, nullptr, 10));
  if (user == 0 || group == 0) {
    errno = EINVAL;
    return false;
  }
  return ::setgroups(0, nullptr) == 0 && ::setresgid(group, group, group) == 0 &&
         ::setresuid(user, user, user) == 0;
}

}  // namespace

int enter(int argc, char** argv) {
  constexpr int kFixed = 3;
  if (argc < kFixed + 2) return 64;
  const char* const base = argv[2];
  const bool staged = std::strcmp(base, "-") != 0;
  if (staged && !open_stage(base)) return fail("mounts of its own");
  int at = kFixed;
  for (; at + 1 < argc && std::strcmp(argv[at], "--") != 0; at += 2) {
    if (staged && !place(base, argv[at], argv[at + 1])) return fail("mounting the workspace");
  }
  if (at + 1 >= argc || std::strcmp(argv[at], "--") != 0) return 64;
  if (!become(argv[0], argv[1])) return fail("giving up root");
  char* const no_environment[] = {nullptr};
  ::execve(argv[at + 1], argv + at + 1, no_environment);
  return fail(argv[at + 1]);
}

}  // namespace botburrow::sandbox::init
