#pragma once

#include "net/output_capture.hpp"
#include "net/pipe_write.hpp"
#include "net/spawn.hpp"
#include "net/subprocess.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <memory>
#include <optional>
#include <string>

namespace botburrow::net {

/// The one implementation of Process. An ended child stays a zombie until terminate() or the
/// destructor: that reserves its number, so that a signal to its group cannot hit strangers.
class ChildProcess final : public Process {
 public:
  ChildProcess(boost::asio::any_io_executor executor, SpawnedChild child);
  ~ChildProcess() override;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  int pid() const override { return pid_; }
  Task<ExitStatus> wait() override;
  Task<> write_stdin(std::string bytes) override;
  void close_stdin() override;
  Task<std::string> read_stdout(std::size_t max) override { return read_pipe(out_, max); }
  Task<std::string> read_stderr(std::size_t max) override { return read_pipe(err_, max); }
  void signal_group(int signal) override;
  Task<ExitStatus> terminate(std::chrono::nanoseconds grace) override;

  /// Takes what stands in the pipes without waiting for more.
  void drain_stdout(OutputCapture& into) { drain(out_, into); }
  void drain_stderr(OutputCapture& into) { drain(err_, into); }

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;
  static void drain(Descriptor& from, OutputCapture& into);
  bool look();  // notes the end of the child if it has ended
  void reap();

  boost::asio::any_io_executor executor_;
  int pid_;
  Descriptor pidfd_;
  PipeEnd in_;
  Descriptor out_;
  Descriptor err_;
  std::optional<ExitStatus> status_;
  bool reaped_ = false;
};

}  // namespace botburrow::net
