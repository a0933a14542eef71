#include "sandbox/init/keep.hpp"

#include "sandbox/init/landlock.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace botburrow::sandbox::init {
namespace {

// What headers of older systems do not know yet.
constexpr std::uint64_t kTruncate = 1ULL << 14;
constexpr std::uint64_t kScopeAbstract = 1ULL << 0;
constexpr std::uint64_t kScopeSignal = 1ULL << 1;
/// Before that one any file of the user can be opened for neither reading nor writing, and emptied.
constexpr int kVersionMin = 3;
/// To a port of our own it takes no time, but where strangers fill it up.
constexpr int kConnectMs = 500;
struct Ruleset {
  std::uint64_t files = 0;
  std::uint64_t net = 0;
  std::uint64_t scoped = 0;
};

constexpr std::uint64_t kRead =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                                   LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;

int fail(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  return -1;
}

/// Everything that kVersionMin can forbid about files.
constexpr std::uint64_t kAll = ((1ULL << 13) - 1) | LANDLOCK_ACCESS_FS_REFER | kTruncate;

int make_ruleset(int version) {
  Ruleset rules{.files = kAll};
  std::size_t size = sizeof rules.files;
  if (version >= 6) {
    rules.scoped = kScopeAbstract | kScopeSignal;
    size = sizeof rules;
  }
  return static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, size, 0));
}

/// A path that is not there needs no rule.
bool allow(int ruleset, const char* path, std::uint64_t access) {
  const int fd = ::open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT;
  struct stat seen{};
  if (::fstat(fd, &seen) == 0 && !S_ISDIR(seen.st_mode)) access &= kOfFiles;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  rule.parent_fd = fd;
  const auto done = ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  ::close(fd);
  return done == 0;
}

bool send_descriptor(int socket, int fd) {
  char byte = 'q';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control;
  head.msg_controllen = sizeof control;
  cmsghdr* const rights = CMSG_FIRSTHDR(&head);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  return ::sendmsg(socket, &head, MSG_NOSIGNAL) == 1;
}

/// The number after a label of /proc/<pid>/status; negative: no such process.
int field_of(int pid, const char* label) {
  char path[64], text[2048];
  std::snprintf(path, sizeof path, "/proc/%d/status", pid);
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  const auto got = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (got <= 0) return -1;
  text[got] = '\0';
  const char* const found = std::strstr(text, label);
  return found ? std::atoi(found + std::strlen(label)) : -1;
}

bool descends_from_us(int pid) {
  const int self = ::getpid();
  for (int steps = 0; pid > 1 && steps < 1024; ++steps) {
    pid = field_of(pid, "\nPPid:");
    if (pid == self) return true;
  }
  return false;
}

/// Their socket, shared with them.
int socket_of(int task, int number) {
  const int process = field_of(task, "\nTgid:");
  if (process <= 0) return -1;
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
  if (handle < 0) return -1;
  const int socket = static_cast<int>(::syscall(SYS_pidfd_getfd, handle, number, 0));
  ::close(handle);
  return socket;
}

bool is_tcp(int socket, int& family) {
  int kind = 0;
  socklen_t size = sizeof kind;
  if (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &kind, &size) != 0 || kind != SOCK_STREAM)
    return false;
  size = sizeof family;
  return ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 &&
         (family == AF_INET || family == AF_INET6);
}

bool is_connected(int socket) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  return ::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

/// A socket of ours that is connected to `port` of 127.0.0.1; negative: errno with its sign turned.
/// Theirs could be made to wait for ever, and we with it, while nobody watches what runs.
int connected_to(int family, int port) {
  const int socket = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return -errno;
  sockaddr_storage address{};
  socklen_t size = 0;
  if (family == AF_INET) {
    auto& four = reinterpret_cast<sockaddr_in&>(address);
    four.sin_family = AF_INET;
    four.sin_port = htons(static_cast<std::uint16_t>(port));
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size = sizeof four;
  } else {
    auto& six = reinterpret_cast<sockaddr_in6&>(address);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET6, "::ffff:127.0.0.1", &six.sin6_addr);
    size = sizeof six;
  }
  int failure = 0;
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), size) != 0) failure = errno;
  pollfd done{socket, POLLOUT, 0};
  if (failure == EINPROGRESS) {
    socklen_t length = sizeof failure;
    if (::poll(&done, 1, kConnectMs) != 1 ||
        ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &failure, &length) != 0)
      failure = ETIMEDOUT;
  }
  if (failure == 0) return socket;
  ::close(socket);
  return -failure;
}

/// Whether their descriptor is one that a start closes.
bool closes_on_exec(int task, int number) {
  char path[64], text[256];
  std::snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", task, number);
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return true;
  const auto got = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (got <= 0) return true;
  text[got] = '\0';
  const char* const flags = std::strstr(text, "flags:");
  return !flags || (std::strtoul(flags + 6, nullptr, 8) & O_CLOEXEC) != 0;
}

/// Puts `ours` in the place of the socket that they asked about, blocking or not as theirs is.
bool put_in_place(int questions, const seccomp_notif& question, int theirs, int ours) {
  const int flags = ::fcntl(theirs, F_GETFL);
  if (flags < 0 || ::fcntl(ours, F_SETFL, flags & O_NONBLOCK) != 0) return false;
  const int number = static_cast<int>(question.data.args[0]);
  seccomp_notif_addfd place{};
  place.id = question.id;
  place.flags = SECCOMP_ADDFD_FLAG_SETFD;
  place.srcfd = static_cast<std::uint32_t>(ours);
  place.newfd = static_cast<std::uint32_t>(number);
  place.newfd_flags = closes_on_exec(static_cast<int>(question.pid), number) ? O_CLOEXEC : 0;
  return ::ioctl(questions, SECCOMP_IOCTL_NOTIF_ADDFD, &place) >= 0;
}

std::uint16_t own_port(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

}  // namespace

int Keeper::prepare(int argc, char** argv, Keeper& keeper) {
  if (argc < 1) return -64;
  const int version = landlock_version();
  if (version == 0) return fail("the kernel has no Landlock");
  if (version < kVersionMin) {
    std::fprintf(stderr,
                 "Landlock of this kernel is version %d, which lets files be emptied that it "
                 "closes; version %d is needed (Linux 6.2)\n",
                 version, kVersionMin);
    return -1;
  }
  const int filter_fd = std::atoi(argv[0]);
  struct stat seen{};
  if (::fstat(filter_fd, &seen) != 0 || seen.st_size <= 0) return fail("the filter");
  const auto size = static_cast<std::size_t>(seen.st_size);
  keeper.filter_ = std::malloc(size);
  if (!keeper.filter_ || ::pread(filter_fd, keeper.filter_, size, 0) != seen.st_size)
    return fail("the filter");
  ::close(filter_fd);
  keeper.filter_count_ = static_cast<unsigned short>(size / sizeof(sock_filter));
  keeper.ruleset_ = make_ruleset(version);
  if (keeper.ruleset_ < 0) return fail("rules on files");
  ::fcntl(keeper.ruleset_, F_SETFD, FD_CLOEXEC);
  for (int at = 1; at + 1 < argc; at += 2) {
    const auto access = argv[at][0] == 'w' ? kAll : kRead;
    if (!allow(keeper.ruleset_, argv[at + 1], access)) return fail(argv[at + 1]);
  }
  for (const char* device :
       {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}) {
    if (!allow(keeper.ruleset_, device,
               LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE))
      return fail(device);
  }
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return fail("sockets");
  keeper.pass_to_parent_ = pair[0];
  keeper.pass_from_child_ = pair[1];
  return 0;
}

bool Keeper::confine_self() const {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (::syscall(SYS_landlock_restrict_self, ruleset_, 0) != 0) return false;
  sock_fprog program{filter_count_, static_cast<sock_filter*>(filter_)};
  const auto questions = static_cast<int>(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
  if (questions < 0) return false;
  return send_descriptor(pass_to_parent_, questions);
}

int Keeper::take_questions() {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control;
  head.msg_controllen = sizeof control;
  if (::recvmsg(pass_from_child_, &head, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1) return -1;
  const cmsghdr* const rights = CMSG_FIRSTHDR(&head);
  if (!rights || rights->cmsg_type != SCM_RIGHTS) return -1;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  return fd;
}

// The address is not even looked at: it could change under us, and there is only one place to go.
int Keeper::connect_for(int questions, const seccomp_notif& question, int port) {
  const int theirs =
      socket_of(static_cast<int>(question.pid), static_cast<int>(question.data.args[0]));
  if (theirs < 0) return -ENETUNREACH;
  int family = 0;
  const bool fits =
      ::ioctl(questions, SECCOMP_IOCTL_NOTIF_ID_VALID, &question.id) == 0 && is_tcp(theirs, family);
  const bool again = fits && is_connected(theirs);
  const int ours = !fits ? -ENETUNREACH : again ? -EISCONN : connected_to(family, port);
  int result = ours;
  if (ours >= 0) {
    // Before they have it: from there on they could close it.
    ports_[next_port_++ % kPortsMax] = own_port(ours);
    result = put_in_place(questions, question, theirs, ours) ? 0 : -ENETUNREACH;
    ::close(ours);
  }
  ::close(theirs);
  return result;
}

void Keeper::answer(int questions, int port) {
  seccomp_notif question{};
  if (::ioctl(questions, SECCOMP_IOCTL_NOTIF_RECV, &question) != 0) return;
  seccomp_notif_resp reply{};
  reply.id = question.id;
  reply.error = -EPERM;
  const auto& data = question.data;
  if (data.nr == SYS_connect) {
    reply.error = port > 0 ? connect_for(questions, question, port) : -ENETUNREACH;
  } else {
    // kill, tkill, tgkill: the last is about a task of the group in its first argument.
    const int target = static_cast<int>(data.args[0]);
    const bool own_group = data.nr == SYS_kill && target == 0;
    const int process = data.nr == SYS_tkill ? field_of(target, "\nTgid:") : target;
    if (own_group || (target < -1 && descends_from_us(-target)) ||
        (process > 0 && descends_from_us(process))) {
      reply.error = 0;
      reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    }
  }
  ::ioctl(questions, SECCOMP_IOCTL_NOTIF_SEND, &reply);
}

bool Keeper::made_by_us(std::uint16_t port) {
  for (auto& one : ports_) {
    if (one != port || port == 0) continue;
    one = 0;
    return true;
  }
  return false;
}

}  // namespace botburrow::sandbox::init
