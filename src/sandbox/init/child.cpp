#include "sandbox/init/child.hpp"

#include "sandbox/init/keep.hpp"
#include "sandbox/init/landlock.hpp"
#include "sandbox/init/watch.hpp"

#include <climits>

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace botburrow::sandbox::init {
namespace {

constexpr int kReportFd = 3;

bool limit(int what, rlim_t value) {
  rlimit now{};
  if (::getrlimit(static_cast<__rlimit_resource>(what), &now) != 0) return false;
  if (now.rlim_max != RLIM_INFINITY && now.rlim_max < value) value = now.rlim_max;
  const rlimit both{value, value};
  return ::setrlimit(static_cast<__rlimit_resource>(what), &both) == 0;
}

/// `others`: tasks that the kernel counts beside those of this command.
bool set_limits(const wire::Limits& limits, std::uint64_t others) {
  // RLIMIT_AS would be the obvious one, but programs that reserve address space die of it.
  return limit(RLIMIT_DATA, limits.memory_bytes) && limit(RLIMIT_FSIZE, limits.file_bytes) &&
         limit(RLIMIT_CPU, limits.cpu_seconds) && limit(RLIMIT_NOFILE, limits.open_files) &&
         limit(RLIMIT_CORE, 0) && limit(RLIMIT_MSGQUEUE, 0) && limit(RLIMIT_MEMLOCK, 64 * 1024) &&
         (limits.tasks == 0 || limit(RLIMIT_NPROC, others + limits.tasks));
}

// If the machine runs out of memory, this goes first.
void offer_to_oom_killer() {
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const auto put = ::write(fd, "800", 3);
  ::close(fd);
}

void plain_signals() {
  struct sigaction plain{};
  plain.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number)
    ::sigaction(number, &plain, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

const char* variable(char* const* environment, const char* name) {
  const auto size = std::strlen(name);
  for (; *environment; ++environment) {
    if (std::strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
      return *environment + size + 1;
  }
  return "";
}

/// Where the program is; in `found` if it had to be looked for.
const char* program_path(const Command& command, char (&found)[PATH_MAX]) {
  const char* const name = command.argv[0];
  if (std::strchr(name, '/')) return name;
  for (const char* at = variable(command.environment, "PATH"); *at;) {
    const char* const end = ::strchrnul(at, ':');
    const int size =
        std::snprintf(found, sizeof found, "%.*s/%s", static_cast<int>(end - at), at, name);
    struct stat seen{};
    if (size > 0 && size < PATH_MAX && ::access(found, X_OK) == 0 && ::stat(found, &seen) == 0 &&
        S_ISREG(seen.st_mode))
      return found;
    at = *end ? end + 1 : end;
  }
  errno = ENOENT;
  return nullptr;
}

[[noreturn]] void fail(int number) {
  [[maybe_unused]] const auto told = ::write(kReportFd, &number, sizeof number);
  ::_exit(127);
}

[[noreturn]] void become(const Command& command, int report) {
  ::setsid();
  // Out of the way of 0 to 3 first.
  int high[4] = {command.stdio[0], command.stdio[1], command.stdio[2], report};
  for (int& fd : high)
    fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 64);
  for (int place = 0; place < 4; ++place)
    ::dup2(high[place], place);
  ::fcntl(kReportFd, F_SETFD, FD_CLOEXEC);
  // A keeper has descriptors that it needs until the end.
  ::syscall(SYS_close_range, kReportFd + 1, ~0U, command.keeper ? CLOSE_RANGE_CLOEXEC : 0);
  offer_to_oom_killer();
  ::umask(022);
  char found[PATH_MAX];
  if (::chdir(command.directory) != 0) fail(errno);
  const char* program = program_path(command, found);
  if (program && command.only_itself) program = allow_only(program);
  if (!program) fail(errno);
  if (!set_limits(command.limits, command.keeper ? tasks_of_user() : 0)) fail(errno);
  plain_signals();
  if (command.keeper) {
    // Were process 1 killed, nobody would be left to kill what it started.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!command.keeper->confine_self()) fail(errno);
  }
  ::execve(program, command.argv, command.environment);
  fail(errno);
}

}  // namespace

pid_t start_child(const Command& command) {
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) return -errno;
  const pid_t pid = ::fork();
  if (pid == 0) become(command, report[1]);
  const int fork_failure = errno;
  ::close(report[1]);
  int failure = 0;
  ssize_t got = 0;
  if (pid > 0) {
    do {
      got = ::read(report[0], &failure, sizeof failure);
    } while (got < 0 && errno == EINTR);
  }
  ::close(report[0]);
  if (pid < 0) return -fork_failure;
  if (got != static_cast<ssize_t>(sizeof failure)) return pid;
  ::waitpid(pid, nullptr, 0);
  return -failure;
}

}  // namespace botburrow::sandbox::init
