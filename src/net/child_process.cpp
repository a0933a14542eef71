#include "net/child_process.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace botburrow::net {

namespace asio = boost::asio;

namespace {

/// A killed child ends within this, unless the kernel itself is stuck in it.
constexpr int kKilledWithinMs = 100;
/// More than a pipe can hold: a writer that goes on has not ended.
constexpr std::size_t kPipeBytesMax = 1u << 20;

ExitStatus status_of(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {.code = info.si_status};
  return {.code = -1, .signal = info.si_status};
}

bool ended_within(int pidfd, int milliseconds) {
  pollfd ready{.fd = pidfd, .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, milliseconds) == 1;
}

}  // namespace

ChildProcess::ChildProcess(asio::any_io_executor executor, SpawnedChild child)
    : executor_(executor),
      pid_(child.pid),
      pidfd_(executor, child.pidfd.release()),
      out_(executor, child.out.release()),
      err_(executor, child.err.release()) {
  if (child.in.get() >= 0) {
    in_ = std::make_shared<Descriptor>(executor, child.in.release());
    in_->native_non_blocking(true);
  }
  out_.native_non_blocking(true);
  err_.native_non_blocking(true);
}

ChildProcess::~ChildProcess() {
  if (reaped_) return;
  signal_group(SIGKILL);
  if (ended_within(pidfd_.native_handle(), kKilledWithinMs)) {
    reap();
    return;
  }
  auto late = std::make_shared<Descriptor>(std::move(pidfd_));
  late->async_wait(Descriptor::wait_read, [late](const boost::system::error_code&) {
    siginfo_t ignored{};
    ::waitid(P_PIDFD, static_cast<id_t>(late->native_handle()), &ignored, WEXITED | WNOHANG);
  });
}

bool ChildProcess::look() {
  if (status_) return true;
  siginfo_t info{};
  const auto fd = static_cast<id_t>(pidfd_.native_handle());
  if (::waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
    // ECHILD: somebody let the kernel reap our children; how it ended is lost.
    if (errno != EINTR) status_ = ExitStatus{};
  } else if (info.si_pid != 0) {
    status_ = status_of(info);
  }
  return status_.has_value();
}

void ChildProcess::reap() {
  siginfo_t ignored{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.native_handle()), &ignored, WEXITED) != 0 &&
         errno == EINTR) {
  }
  reaped_ = true;
}

Task<ExitStatus> ChildProcess::wait() {
  while (!look())
    co_await pidfd_.async_wait(Descriptor::wait_read, asio::use_awaitable);
  co_return *status_;
}

Task<> ChildProcess::write_stdin(std::string bytes) {
  return write_pipe(in_, std::move(bytes), "child");
}

void ChildProcess::close_stdin() {
  close_pipe(in_);
}

void ChildProcess::drain(Descriptor& from, OutputCapture& into) {
  std::array<char, 16 * 1024> buffer;
  for (std::size_t total = 0; total < kPipeBytesMax;) {
    const auto got = ::read(from.native_handle(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    into.append({buffer.data(), static_cast<std::size_t>(got)});
    total += static_cast<std::size_t>(got);
  }
}

void ChildProcess::signal_group(int signal) {
  if (!reaped_) ::kill(-pid_, signal);
}

Task<ExitStatus> ChildProcess::terminate(std::chrono::nanoseconds grace) {
  if (!look()) {
    signal_group(SIGTERM);
    // A stopped child could not hear it.
    signal_group(SIGCONT);
    try {
      co_await with_deadline("the child", Deadline::in(grace), wait());
    } catch (const Error&) {
      // Time is up; what follows asks no more.
    }
  }
  if (!reaped_) {
    signal_group(SIGKILL);
    co_await wait();
    reap();
  }
  co_return *status_;
}

std::unique_ptr<Process> Process::spawn(asio::any_io_executor executor, ProcessOptions options) {
  return std::make_unique<ChildProcess>(std::move(executor), spawn_child(options));
}

}  // namespace botburrow::net
