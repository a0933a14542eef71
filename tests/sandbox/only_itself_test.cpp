// A program that may start no other, on a kernel that has no Landlock to see to it.
#include "tests/sandbox/sandbox_world.hpp"

#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <iostream>

namespace botburrow::sandbox {
namespace {

/// From here on this process and what it starts find a kernel without Landlock.
void lose_landlock() {
  std::array filter{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  const bool lost =
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 &&
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < 0;
  if (!lost) std::exit(2);
}

/// What programs that may start no other said.
std::string said_without_landlock() {
  lose_landlock();
  SandboxWorld world({.backend = Backend::bwrap});
  std::string said;
  for (const auto& argv :
       std::vector<std::vector<std::string>>{{"env", "echo", "STARTED"},
                                             {"env", "/bin/echo", "STARTED"},
                                             {"bash", "-c", "exec /bin/echo STARTED"},
                                             {"bash", "-c", "/bin/echo STARTED"},
                                             {"echo", "fine"}}) {
    auto command = SandboxWorld::bash("");
    command.argv = argv;
    command.only_itself = true;
    said += world.run_command(std::move(command)).process.out;
  }
  return said;
}

TEST(OnlyItself, HoldsOnAKernelWithoutLandlock) {
  {
    SandboxWorld world({.backend = Backend::bwrap});
    const auto report = world.run(world.sandboxes.tier());
    if (report.tier != Tier::bwrap) GTEST_SKIP() << report.reason;
  }
  // A filter stays until the end of its process.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::cerr << "[" << said_without_landlock() << "]";
        std::exit(0);
      },
      ::testing::ExitedWithCode(0), "^\\[fine\n\\]$");
}

}  // namespace
}  // namespace botburrow::sandbox
