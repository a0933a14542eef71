#include "sandbox/init/serve.hpp"

#include "sandbox/init/bridge.hpp"
#include "sandbox/init/child.hpp"
#include "sandbox/init/keep.hpp"
#include "sandbox/init/watch.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace botburrow::sandbox::init {
namespace {

using wire::Ask;
using wire::AskKind;
using wire::Cut;
using wire::Tell;
using wire::TellKind;

constexpr int kWatchPeriodMs = 250;
/// Open files take longer to look at, and one that stays open in secret is no hurry.
constexpr std::uint64_t kRemovedPeriodMs = 1000;
/// Between its start and its program a child is closed to us; nobody stays so.
constexpr int kClosedLooksMax = 4;
/// Each costs the kernel about a kilobyte that no process answers for.
constexpr std::uint64_t kFilesInMemoryMax = 65536;
constexpr std::size_t kTextsMax = 8192;

// One message, with room for a zero behind it, and pointers into it.
alignas(Ask) char message[wire::kMessageBytesMax + 1];
char* texts[kTextsMax + 4];

struct Received {
  std::size_t bytes = 0;
  int fds[3] = {-1, -1, -1};
  int fd_count = 0;
  bool closed = false;
};

void take_descriptors(msghdr& head, Received& received) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&head); part; part = CMSG_NXTHDR(&head, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const auto count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t at = 0; at < count && received.fd_count < 3; ++at)
      std::memcpy(&received.fds[received.fd_count++], CMSG_DATA(part) + at * sizeof(int),
                  sizeof(int));
  }
}

Received receive() {
  Received received;
  alignas(cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))];
  iovec part{message, wire::kMessageBytesMax};
  msghdr head{};
  head.msg_iov = &part;
  head.msg_iovlen = 1;
  head.msg_control = control;
  head.msg_controllen = sizeof control;
  const auto got = ::recvmsg(wire::kControlFd, &head, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got > 0) {
    received.bytes = static_cast<std::size_t>(got);
    take_descriptors(head, received);
  } else {
    received.closed = got == 0 || (errno != EAGAIN && errno != EINTR);
  }
  return received;
}

std::uint64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

void tell(const Tell& what) {
  while (::send(wire::kControlFd, &what, sizeof what, MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

/// Cuts what follows an Ask into texts: the directory, then argv, null, the environment, null.
bool cut_texts(const Ask& ask, std::size_t bytes, Command& command) {
  const std::size_t count = std::size_t{1} + ask.argc + ask.envc;
  if (ask.argc == 0 || ask.argc > kTextsMax || ask.envc > kTextsMax || count > kTextsMax)
    return false;
  message[bytes] = '\0';
  char* at = message + sizeof(Ask);
  char* const end = message + bytes;
  std::size_t place = 0;
  for (std::size_t number = 0; number < count; ++number) {
    if (at >= end) return false;
    // A null behind the directory's place would be in the way: argv begins at 1.
    texts[place++] = at;
    at += std::strlen(at) + 1;
    if (number == ask.argc) texts[place++] = nullptr;
  }
  texts[place] = nullptr;
  command.directory = texts[0];
  command.argv = texts + 1;
  command.environment = texts + 2 + ask.argc;
  return true;
}

class Server {
 public:
  explicit Server(Keeper* keeper) : keeper_(keeper), descendants_only_(keeper != nullptr) {}

  int run(int child_events, int bridge) {
    tell({.kind = TellKind::ready, .error = 0});
    for (;;) {
      // Negative descriptors are passed over.
      pollfd wait[4] = {{wire::kControlFd, POLLIN, 0},
                        {child_events, POLLIN, 0},
                        {bridge, POLLIN, 0},
                        {questions_, POLLIN, 0}};
      const int ready = ::poll(wait, 4, running_ > 0 ? kWatchPeriodMs : -1);
      if (ready < 0 && errno != EINTR) return 1;
      if (ready <= 0) wait[0].revents = wait[1].revents = wait[2].revents = wait[3].revents = 0;
      if (wait[3].revents & POLLIN) keeper_->answer(questions_, bridge >= 0 ? port_of(bridge) : 0);
      if (wait[1].revents) drain(child_events);
      reap();
      // By the clock, not by silence: whoever keeps us busy is watched all the same.
      if (running_ > 0 && now_ms() >= watch_at_) watch();
      if (wait[2].revents) pass_connection_on(bridge, keeper_);
      if (wait[0].revents && !take()) return 0;
      // What is in its file systems in memory goes away with them only.
      if (running_ == 0 && cut_ == Cut::files) return 0;
    }
  }

  void end_everything() { kill_everything(descendants_only_); }

 private:
  static void drain(int child_events) {
    signalfd_siginfo ignored[8];
    while (::read(child_events, ignored, sizeof ignored) > 0) {
    }
  }

  // Everybody's orphans are ours; the one that was asked for ends the command.
  void reap() {
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid <= 0) return;
      if (pid != running_) continue;
      running_ = 0;
      finish(status);
    }
  }

  void finish(int status) {
    note(measure(descendants_only_));
    kill_everything(descendants_only_);
    forget_questions();
    tell({.kind = TellKind::ended,
          .id = id_,
          .code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
          .cut = cut_,
          .memory_bytes = peak_,
          .processes = 0,
          .cpu_ms = reaped_cpu_ms() - cpu_before_});
  }

  void forget_questions() {
    if (questions_ >= 0) ::close(questions_);
    questions_ = -1;
  }

  void note(const Usage& usage) { peak_ = std::max(peak_, usage.memory_bytes); }

  void watch() {
    const auto usage = measure(descendants_only_);
    watch_at_ = now_ms() + kWatchPeriodMs;
    note(usage);
    if (cut_ != Cut::none) return;
    if (usage.blind)
      cut_ = Cut::unwatched;
    else if (usage.memory_bytes > limits_.memory_bytes)
      cut_ = Cut::memory;
    else if (usage.processes > limits_.processes)
      cut_ = Cut::processes;
    else if (usage.cpu_ms > cpu_before_ + limits_.cpu_seconds * 1000)
      cut_ = Cut::cpu;
    else if (!descendants_only_ && files_in_memory() > kFilesInMemoryMax)
      cut_ = Cut::files;
    else
      look_at_removed();
    if (cut_ != Cut::none) signal_everything(descendants_only_, SIGKILL);
  }

  void look_at_removed() {
    const auto begun = now_ms();
    if (device_ == 0 || begun < removed_at_) return;
    const auto removed = held_removed_files(device_, descendants_only_);
    // Looking must not become the main work.
    removed_at_ = now_ms() + std::max(kRemovedPeriodMs, 10 * (now_ms() - begun));
    closed_looks_ = removed.closed ? closed_looks_ + 1 : 0;
    if (removed.blind || closed_looks_ >= kClosedLooksMax) cut_ = Cut::unwatched;
    if (removed.bytes == removed_bytes_) return;
    removed_bytes_ = removed.bytes;
    tell({.kind = TellKind::held, .id = id_, .removed_bytes = removed_bytes_});
  }

  bool take() {
    auto received = receive();
    if (received.closed) return false;
    if (received.bytes >= sizeof(Ask)) {
      Ask ask;
      std::memcpy(&ask, message, sizeof ask);
      act(ask, received);
    }
    for (int at = 0; at < received.fd_count; ++at)
      ::close(received.fds[at]);
    return true;
  }

  void act(const Ask& ask, const Received& received) {
    switch (ask.kind) {
      case AskKind::start:
        return start(ask, received);
      case AskKind::signal:
        if (running_ > 0) signal_everything(descendants_only_, ask.signal);
        return;
      case AskKind::measure: {
        const auto usage = measure(descendants_only_);
        return tell({.kind = TellKind::measured,
                     .id = ask.id,
                     .memory_bytes = usage.memory_bytes,
                     .processes = usage.processes,
                     .cpu_ms = usage.cpu_ms});
      }
    }
  }

  void start(const Ask& ask, const Received& received) {
    Command command{.only_itself = ask.only_itself != 0, .limits = ask.limits, .keeper = keeper_};
    std::copy(received.fds, received.fds + 3, command.stdio);
    pid_t pid = -EINVAL;
    if (running_ > 0)
      pid = -EBUSY;
    else if (received.fd_count == 3 && cut_texts(ask, received.bytes, command))
      pid = start_child(command);
    // Also of a program that could not be started after all.
    if (keeper_ && running_ == 0) questions_ = keeper_->take_questions();
    if (pid < 0) {
      if (running_ == 0) forget_questions();
      return tell({.kind = TellKind::refused, .id = ask.id, .error = -pid});
    }
    running_ = pid;
    id_ = ask.id;
    limits_ = ask.limits;
    cut_ = Cut::none;
    peak_ = 0;
    cpu_before_ = reaped_cpu_ms();
    watch_at_ = now_ms() + kWatchPeriodMs;
    removed_at_ = watch_at_;
    removed_bytes_ = 0;
    closed_looks_ = 0;
    struct stat folder{};
    device_ = ::stat(command.directory, &folder) == 0 ? folder.st_dev : 0;
    tell({.kind = TellKind::started, .id = ask.id});
  }

  Keeper* keeper_;
  bool descendants_only_;
  int questions_ = -1;  // of the running command, about its system calls
  pid_t running_ = 0;
  std::uint32_t id_ = 0;
  wire::Limits limits_;
  Cut cut_ = Cut::none;
  std::uint64_t peak_ = 0;
  std::uint64_t cpu_before_ = 0;
  std::uint64_t watch_at_ = 0;
  dev_t device_ = 0;  // of the workspace
  std::uint64_t removed_at_ = 0;
  std::uint64_t removed_bytes_ = 0;
  int closed_looks_ = 0;
};

}  // namespace

int serve(Keeper* keeper, bool bridged) {
  // Ending "everything" must never mean more than a sandbox.
  if (!keeper && ::getpid() != 1) return 1;
  // Whoever runs in here has our user: without this it could look into our memory.
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::fcntl(wire::kControlFd, F_SETFD, FD_CLOEXEC);
  if (bridged) ::fcntl(wire::kBridgeFd, F_SETFD, FD_CLOEXEC);
  // What a keeper has opened it still needs.
  ::syscall(SYS_close_range, wire::kBridgeFd + 1, ~0U, keeper ? CLOSE_RANGE_CLOEXEC : 0);
  sigset_t children;
  ::sigemptyset(&children);
  ::sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &children, nullptr);
  const int child_events = ::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (child_events < 0) return 1;
  Server server(keeper);
  const int code = server.run(child_events, bridged ? open_bridge(keeper ? 0 : kBridgePort) : -1);
  server.end_everything();
  return code;
}

}  // namespace botburrow::sandbox::init
