#include "net/spawn.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace botburrow::net {
namespace {

enum class Step { none, parent_gone, descriptors, directory, exec };

struct Failure {
  Step step = Step::none;
  int number = 0;
};

struct Passed {
  int ours;
  int theirs;
};

// All that the child reads and writes, made before it exists: between clone and exec it shares our
// memory while we stand still, and may call only what is safe there.
struct Plan {
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  const char* directory = nullptr;
  Passed* passed = nullptr;
  std::size_t passed_count = 0;
  int descriptors_from = 0;  // above all numbers that the child is to have
  pid_t parent = 0;
  bool die_with_parent = false;
  /// A pipe that exec closes. Failures go through it, since emulators make a plain fork of our
  /// clone.
  int report_to = -1;
};

// Ours until exec, which spares copying the page tables. The thread sanitizer cannot follow two
// processes in one memory, so there the child has a copy.
#if __has_feature(thread_sanitizer)
constexpr int kSharing = 0;
#else
constexpr int kSharing = CLONE_VM | CLONE_VFORK;
#endif

void close_on_exec_from(int first) {
  if (::syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
  // Kernels before 5.11: there are no more descriptors than this in a service of ours.
  for (int fd = first; fd < 65536; ++fd)
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

bool move_descriptors(Plan& plan) {
  // First out of the way, then to their places: a source may sit where another one belongs.
  const int report_to = ::fcntl(plan.report_to, F_DUPFD_CLOEXEC, plan.descriptors_from);
  if (report_to < 0) return false;
  plan.report_to = report_to;
  for (std::size_t i = 0; i < plan.passed_count; ++i) {
    plan.passed[i].ours = ::fcntl(plan.passed[i].ours, F_DUPFD_CLOEXEC, plan.descriptors_from);
    if (plan.passed[i].ours < 0) return false;
  }
  close_on_exec_from(3);
  for (std::size_t i = 0; i < plan.passed_count; ++i) {
    if (::dup2(plan.passed[i].ours, plan.passed[i].theirs) < 0) return false;
  }
  return true;
}

void reset_signals() {
  struct sigaction plain{};
  plain.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number)
    ::sigaction(number, &plain, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

int fail(const Plan& plan, Step step) {
  const Failure failure{step, errno};
  [[maybe_unused]] const auto told = ::write(plan.report_to, &failure, sizeof failure);
  ::_exit(127);
}

int child_main(void* argument) {
  Plan& plan = *static_cast<Plan*>(argument);
  ::setsid();
  if (plan.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // A parent that ended before the call above sends nothing any more.
    if (::getppid() != plan.parent) return fail(plan, Step::parent_gone);
  }
  if (!move_descriptors(plan)) return fail(plan, Step::descriptors);
  if (plan.directory && ::chdir(plan.directory) != 0) return fail(plan, Step::directory);
  reset_signals();
  ::execve(plan.program, plan.argv, plan.environment);
  return fail(plan, Step::exec);
}

// The child's own stack, with a page below it that faults.
class ChildStack {
 public:
  ChildStack()
      : memory_(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
    if (memory_ != MAP_FAILED) ::mprotect(memory_, 4096, PROT_NONE);
  }
  ~ChildStack() {
    if (memory_ != MAP_FAILED) ::munmap(memory_, kSize);
  }
  ChildStack(const ChildStack&) = delete;
  ChildStack& operator=(const ChildStack&) = delete;
  void* top() const {
    return memory_ == MAP_FAILED ? nullptr : static_cast<char*>(memory_) + kSize;
  }

 private:
  static constexpr std::size_t kSize = 128 * 1024;
  void* memory_;
};

class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

[[noreturn]] void throw_io(std::string_view program, std::string_view doing, int number) {
  // Out of processes, memory or descriptors may pass.
  const bool passes = number == EAGAIN || number == ENOMEM || number == EMFILE || number == ENFILE;
  throw Error(errc::io, fmt::format("cannot start {}: {}: {}", program, doing, ::strerror(number)),
              passes ? Retry::after_backoff : Retry::never);
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe(std::string_view program) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_io(program, "pipe", errno);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string program_path(const ProcessOptions& options) {
  if (options.argv.empty() || options.argv.front().empty()) {
    throw Error(errc::invalid_argument, "cannot start a program without a name: argv is empty");
  }
  const auto& name = options.argv.front();
  if (name.find('/') != std::string::npos) return name;
  if (auto found = find_program(name, options.path_for_lookup)) return *found;
  throw Error(errc::not_found,
              fmt::format("program {} not found in {}", name, options.path_for_lookup));
}

void refuse_zero_bytes(const ProcessOptions& options) {
  const auto check = [](const std::vector<std::string>& texts, std::string_view what) {
    for (const auto& text : texts) {
      if (text.find('\0') != std::string::npos) {
        throw Error(errc::invalid_argument,
                    fmt::format("cannot start a program: {} with a zero byte", what));
      }
    }
  };
  check(options.argv, "an argument");
  check(options.environment, "an environment variable");
}

std::vector<char*> c_strings(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const auto& text : texts)
    pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void throw_failure(Failure failure, const ProcessOptions& options,
                                const std::string& program) {
  switch (failure.step) {
    case Step::directory:
      throw_io(program, fmt::format("working directory {}", options.working_directory),
               failure.number);
    case Step::descriptors:
      throw_io(program, "passing descriptors", failure.number);
    case Step::exec: {
      if (failure.number != ENOENT) throw_io(program, "exec", failure.number);
      const bool there = program.front() == '/' && ::access(program.c_str(), F_OK) == 0;
      throw Error(errc::not_found,
                  there ? fmt::format("the interpreter of program {} not found", program)
                        : fmt::format("program {} not found", program));
    }
    case Step::parent_gone:
    case Step::none:
      break;
  }
  throw_io(program, "start", failure.number);
}

// Ends when the child has become its program: that closes the other end.
Failure read_failure(int from) {
  Failure failure;
  ssize_t got = 0;
  do {
    got = ::read(from, &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof failure) ? failure : Failure{};
}

}  // namespace

SpawnedChild spawn_child(const ProcessOptions& options) {
  refuse_zero_bytes(options);
  const std::string program = program_path(options);
  const auto argv = c_strings(options.argv);
  const auto environment = c_strings(options.environment);

  Pipe in;
  if (options.want_stdin) {
    in = make_pipe(program);
  } else {
    in.read = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (in.read.get() < 0) throw_io(program, "/dev/null", errno);
  }
  Pipe out = make_pipe(program);
  Pipe err = make_pipe(program);
  Pipe report = make_pipe(program);

  std::vector<Passed> passed{{in.read.get(), 0}, {out.write.get(), 1}, {err.write.get(), 2}};
  int descriptors_from = 3;
  for (const auto& [ours, theirs] : options.pass_fds) {
    if (ours < 0 || theirs < 3) {
      throw Error(errc::invalid_argument,
                  fmt::format("cannot start {}: descriptor {} as {}: expected 3 or above", program,
                              ours, theirs));
    }
    passed.push_back({ours, theirs});
    descriptors_from = std::max(descriptors_from, theirs + 1);
  }

  Plan plan{
      .program = program.c_str(),
      .argv = argv.data(),
      .environment = environment.data(),
      .directory = options.working_directory.empty() ? nullptr : options.working_directory.c_str(),
      .passed = passed.data(),
      .passed_count = passed.size(),
      .descriptors_from = descriptors_from,
      .parent = ::getpid(),
      .die_with_parent = options.die_with_parent,
      .report_to = report.write.get()};
  const ChildStack stack;
  if (stack.top() == nullptr) throw_io(program, "memory", ENOMEM);
  int pidfd = -1;
  int pid = -1;
  int clone_failure = 0;
  {
    // A handler of ours that ran in the child would work on our memory.
    const SignalsBlocked blocked;
    pid = ::clone(child_main, stack.top(), kSharing | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
    clone_failure = errno;
  }
  if (pid < 0) throw_io(program, "clone", clone_failure);
  SpawnedChild child{.pid = pid, .pidfd = UniqueFd(pidfd)};
  report.write.reset();
  const Failure failure = read_failure(report.read.get());
  if (failure.step != Step::none) {
    siginfo_t ignored{};
    while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &ignored, WEXITED) != 0 && errno == EINTR) {
    }
    throw_failure(failure, options, program);
  }
  child.in = std::move(in.write);
  child.out = std::move(out.read);
  child.err = std::move(err.read);
  return child;
}

}  // namespace botburrow::net
