#pragma once

#include "net/pipe_write.hpp"
#include "net/unique_fd.hpp"
#include "sandbox/cell.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <memory>
#include <string>

namespace botburrow::sandbox {

/// A command of a cell, with its pipes. Destroying it kills it, without waiting for its end.
class CellProcess final : public SandboxedProcess {
 public:
  struct Pipe {
    net::UniqueFd ours;
    net::UniqueFd theirs;
  };
  struct Pipes {
    Pipe in, out, err;
    void close_theirs();
  };
  /// Throws Error{io}.
  static Pipes make_pipes(bool want_stdin);

  /// `cell` outlives it.
  CellProcess(boost::asio::any_io_executor executor, Cell& cell,
              std::shared_ptr<RunningCommand> command, Pipes pipes);
  ~CellProcess() override;
  CellProcess(const CellProcess&) = delete;

  int pid() const override { return 0; }
  Task<net::ExitStatus> wait() override;
  Task<> write_stdin(std::string bytes) override;
  void close_stdin() override;
  Task<std::string> read_stdout(std::size_t max) override { return net::read_pipe(out_, max); }
  Task<std::string> read_stderr(std::size_t max) override { return net::read_pipe(err_, max); }
  void signal_group(int signal) override;
  Task<net::ExitStatus> terminate(std::chrono::nanoseconds grace) override;
  Cut cut() const override { return command_->cut; }

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;

  Cell& cell_;
  std::shared_ptr<RunningCommand> command_;
  net::PipeEnd in_;
  Descriptor out_;
  Descriptor err_;
};

}  // namespace botburrow::sandbox
