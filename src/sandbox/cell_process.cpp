#include "sandbox/cell_process.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace botburrow::sandbox {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// From SIGKILL to the word that all is gone; past it the whole sandbox is killed.
constexpr auto kKilledWithin = 5s;

CellProcess::Pipe make_pipe(bool we_read) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw Error(errc::io, fmt::format("sandbox: a pipe: {}", ::strerror(errno)),
                Retry::after_backoff);
  net::UniqueFd read(ends[0]), write(ends[1]);
  auto& ours = we_read ? read : write;
  auto& theirs = we_read ? write : read;
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  return {std::move(ours), std::move(theirs)};
}

}  // namespace

CellProcess::Pipes CellProcess::make_pipes(bool want_stdin) {
  Pipes pipes;
  if (want_stdin) {
    pipes.in = make_pipe(false);
  } else {
    pipes.in.theirs = net::UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (pipes.in.theirs.get() < 0)
      throw Error(errc::io, fmt::format("sandbox: /dev/null: {}", ::strerror(errno)));
  }
  pipes.out = make_pipe(true);
  pipes.err = make_pipe(true);
  return pipes;
}

void CellProcess::Pipes::close_theirs() {
  in.theirs.reset();
  out.theirs.reset();
  err.theirs.reset();
}

CellProcess::CellProcess(asio::any_io_executor executor, Cell& cell,
                         std::shared_ptr<RunningCommand> command, Pipes pipes)
    : cell_(cell),
      command_(std::move(command)),
      out_(executor, pipes.out.ours.release()),
      err_(executor, pipes.err.ours.release()) {
  if (pipes.in.ours.get() >= 0)
    in_ = std::make_shared<Descriptor>(executor, pipes.in.ours.release());
}

CellProcess::~CellProcess() {
  signal_group(SIGKILL);
}

Task<net::ExitStatus> CellProcess::wait() {
  co_await command_->ended.wait();
  co_return command_->status;
}

Task<> CellProcess::write_stdin(std::string bytes) {
  return net::write_pipe(in_, std::move(bytes), "program");
}

void CellProcess::close_stdin() {
  net::close_pipe(in_);
}

void CellProcess::signal_group(int signal) {
  cell_.signal(*command_, signal);
}

Task<net::ExitStatus> CellProcess::terminate(std::chrono::nanoseconds grace) {
  if (grace > 0ns && !command_->ended.stopped()) {
    signal_group(SIGTERM);
    signal_group(SIGCONT);
    try {
      co_await with_deadline("the program", Deadline::in(grace), command_->ended.wait());
    } catch (const Error&) {
      // Time is up; what follows asks no more.
    }
  }
  signal_group(SIGKILL);
  try {
    co_await with_deadline("the program", Deadline::in(kKilledWithin), command_->ended.wait());
  } catch (const Error&) {
    // Process 1 does not do its work any more. Without it the kernel ends the rest.
    cell_.kill();
  }
  co_await command_->ended.wait();
  co_return command_->status;
}

}  // namespace botburrow::sandbox
