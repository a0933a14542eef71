#include "sandbox/init/attempt.hpp"

#include <climits>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

extern char** environ;

namespace botburrow::sandbox::init {
namespace {

void escaped(const char* how) {
  std::printf("escaped %s\n", how);
}
void broken(const char* what) {
  std::printf("broken %s: %s\n", what, std::strerror(errno));
}

bool can_open(const char* path, int flags) {
  const int fd = ::open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

void try_files(const char* outside, const char* pid) {
  char path[PATH_MAX];
  const char* const roots[] = {"", "/proc/1/root", "/proc/self/root", "..", "../..", "../../.."};
  for (const char* root : roots) {
    std::snprintf(path, sizeof path, "%s%s", root, outside);
    if (can_open(path, O_RDONLY)) escaped("reading a file outside");
  }
  std::snprintf(path, sizeof path, "/proc/%s/root%s", pid, outside);
  if (can_open(path, O_RDONLY)) escaped("reading a file through the runner's process");
  char beside[PATH_MAX];
  std::snprintf(beside, sizeof beside, "%s.attempt", outside);
  for (const char* file :
       {static_cast<const char*>(beside), "/usr/botburrow-attempt", "/etc/botburrow-attempt",
        "/botburrow-attempt", "/dev/botburrow-attempt", "../botburrow-attempt"}) {
    if (!can_open(file, O_WRONLY | O_CREAT)) continue;
    ::unlink(file);
    escaped("writing outside the workspace");
  }
  // Neither to read nor to write, and Landlock asks for no right: but to empty it all the same.
  if (can_open(outside, O_ACCMODE | O_TRUNC)) escaped("emptying a file outside");
  if (can_open("/proc/sys/kernel/core_pattern", O_WRONLY)) escaped("writing kernel settings");
}

/// Whether somebody can be named to whom the kernel sends signals about a file.
bool can_own_signals() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  int self = ::getpid();
  const bool can = ::fcntl(ends[0], F_SETOWN, self) == 0 ||
                   ::fcntl(ends[0], F_SETSIG, SIGKILL) == 0 ||
                   ::ioctl(ends[0], FIOSETOWN, &self) == 0;
  ::close(ends[0]);
  ::close(ends[1]);
  return can;
}

void try_processes(const char* pid) {
  const int runner = std::atoi(pid);
  if (runner > 1 && runner != ::getpid() && ::kill(runner, 0) == 0)
    escaped("signalling the runner");
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%s/environ", pid);
  if (can_open(path, O_RDONLY)) escaped("reading the runner's environment");
  std::snprintf(path, sizeof path, "/proc/%s/mem", pid);
  if (can_open(path, O_RDWR)) escaped("opening the runner's memory");
  if (can_open("/proc/1/mem", O_RDWR)) escaped("opening the memory of process 1");
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0) escaped("ptrace");
  // Looking is enough: whoever may look may change. Our parent is process 1.
  rlimit seen{};
  if (::prlimit(::getppid(), RLIMIT_NOFILE, nullptr, &seen) == 0)
    escaped("the limits of process 1");
  if (::setpriority(PRIO_PGRP, 0, 0) == 0) escaped("the priority of more than itself");
  if (can_own_signals()) escaped("signals by way of a file");
}

// Of the runner's variables not one comes along; bubblewrap adds the working directory.
void try_environment() {
  for (char** variable = environ; *variable; ++variable) {
    if (std::strncmp(*variable, "PWD=", 4) != 0) escaped("a variable of the runner");
  }
  if (can_open("/proc/1/environ", O_RDONLY)) escaped("the launcher's environment");
}

bool can_connect(int kind, const char* port) {
  const int fd = ::socket(AF_INET, kind | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

void try_network(const char* port) {
  if (can_connect(SOCK_STREAM, port)) escaped("connecting to the runner's machine");
  struct Family {
    int family, kind;
    const char* name;
  };
  const Family families[] = {{AF_UNIX, SOCK_STREAM, "a Unix socket"},
                             {AF_NETLINK, SOCK_RAW, "a netlink socket"},
                             {AF_PACKET, SOCK_RAW, "a packet socket"},
                             {AF_VSOCK, SOCK_STREAM, "a vsock socket"},
                             {AF_INET, SOCK_RAW, "a raw socket"}};
  for (const auto& one : families) {
    const int fd = ::socket(one.family, one.kind | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    ::close(fd);
    escaped(one.name);
  }
}

void try_kernel() {
  if (::unshare(CLONE_NEWUSER) == 0) escaped("a user namespace inside");
  if (::unshare(CLONE_NEWNS) == 0) escaped("a mount namespace inside");
  if (::mount("tmpfs", "/tmp", "tmpfs", 0, nullptr) == 0) escaped("mount");
  if (::setuid(0) == 0) escaped("becoming root");
  if (::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0) >= 0)
    escaped("the keyring of the user");
  struct Call {
    long number;
    const char* name;
  };
  // With arguments that do nothing where the call is let through; then it is not EPERM or ENOSYS.
  const Call calls[] = {{SYS_bpf, "bpf"},
                        {SYS_io_uring_setup, "io_uring"},
                        {SYS_userfaultfd, "userfaultfd"},
                        {SYS_perf_event_open, "perf events"},
                        {SYS_open_tree, "open_tree"},
                        {SYS_process_vm_readv, "reading another process's memory"}};
  for (const auto& call : calls) {
    ::syscall(call.number, -1, -1, -1, -1, -1, -1);
    if (errno != EPERM && errno != ENOSYS) escaped(call.name);
  }
  if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) escaped("new privileges");
  if (::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != SECCOMP_MODE_FILTER)
    escaped("no filter of system calls");
}

void try_what_must_work() {
  if (!can_open("attempt.txt", O_WRONLY | O_CREAT)) broken("writing into the workspace");
  ::unlink("attempt.txt");
  if (!can_open("/usr/bin", O_RDONLY)) broken("reading the system's programs");
  if (!can_open("/dev/null", O_RDWR)) broken("/dev/null");
}

}  // namespace

int attempt(int argc, char** argv) {
  if (argc != 3) return 64;
  try_files(argv[0], argv[1]);
  try_processes(argv[1]);
  try_network(argv[2]);
  try_environment();
  try_what_must_work();
  try_kernel();
  std::printf("done\n");
  return 0;
}

}  // namespace botburrow::sandbox::init
