#include "sandbox/init/landlock.hpp"

#include <climits>

#include <elf.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iterator>

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

bool allow_only_by_rules(const char* program) {
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

/// A filter sees where the text of a call stands, not what it says. Ours stands in a page that the
/// kernel places at random and that is gone with the start; a program that starts another takes
/// the name from its own memory.
const char* allow_one_start(const char* program) {
  void* const page =
      ::mmap(nullptr, PATH_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  char* const text = static_cast<char*>(page);
  std::snprintf(text, PATH_MAX, "%s", program);
  const auto place = reinterpret_cast<std::uint64_t>(text);
  constexpr std::uint32_t kRefuse = SECCOMP_RET_ERRNO | EACCES;
  constexpr std::uint32_t kPath = offsetof(seccomp_data, args);
  // Calls of another architecture are refused by the filter around us.
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kPath),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(place), 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kPath + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(place >> 32), 1, 0),
      BPF_STMT(BPF_RET | BPF_K, kRefuse),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog whole{static_cast<unsigned short>(std::size(filter)), filter};
  const bool done = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                    ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &whole) == 0;
  return done ? text : nullptr;
}

}  // namespace

int landlock_version() {
  const auto version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

const char* allow_only(const char* program) {
  if (landlock_version() == 0) return allow_one_start(program);
  return allow_only_by_rules(program) ? program : nullptr;
}

}  // namespace botburrow::sandbox::init
