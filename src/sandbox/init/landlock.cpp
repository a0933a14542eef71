#include "sandbox/init/landlock.hpp"

#include <climits>

#include <elf.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/prctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace botburrow::sandbox::init {
namespace {

bool add_rule(int ruleset, const char* path, std::uint64_t access) {
  const int fd = ::open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return false;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  rule.parent_fd = fd;
  const auto done = ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  ::close(fd);
  return done == 0;
}

/// The dynamic loader that an ELF program names: the kernel starts it first. Empty for none.
void read_loader(const char* program, char (&loader)[PATH_MAX]) {
  loader[0] = '\0';
  const int fd = ::open(program, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  Elf64_Ehdr head{};
  const bool is_elf = ::pread(fd, &head, sizeof head, 0) == sizeof head &&
                      std::memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 &&
                      head.e_ident[EI_CLASS] == ELFCLASS64;
  for (int at = 0; is_elf && at < head.e_phnum; ++at) {
    Elf64_Phdr part{};
    const auto offset = head.e_phoff + static_cast<Elf64_Off>(at) * head.e_phentsize;
    if (::pread(fd, &part, sizeof part, static_cast<off_t>(offset)) != sizeof part) break;
    if (part.p_type != PT_INTERP || part.p_filesz == 0 || part.p_filesz >= PATH_MAX) continue;
    const auto got = ::pread(fd, loader, part.p_filesz, static_cast<off_t>(part.p_offset));
    loader[got > 0 ? got : 0] = '\0';
    break;
  }
  ::close(fd);
}

}  // namespace

int landlock_version() {
  const auto version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

bool allow_only(const char* program) {
  if (landlock_version() == 0) return true;
  landlock_ruleset_attr rules{};
  rules.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE;
  const int ruleset =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0));
  if (ruleset < 0) return false;
  char loader[PATH_MAX];
  read_loader(program, loader);
  const bool done = add_rule(ruleset, program, LANDLOCK_ACCESS_FS_EXECUTE) &&
                    (!loader[0] || add_rule(ruleset, loader, LANDLOCK_ACCESS_FS_EXECUTE)) &&
                    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                    ::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  const int number = errno;
  ::close(ruleset);
  errno = number;
  return done;
}

}  // namespace botburrow::sandbox::init
