#pragma once

#include "base/stop.hpp"
#include "base/task.hpp"
#include "sandbox/control.hpp"
#include "sandbox/sandbox.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <memory>
#include <string>

namespace botburrow::sandbox {

/// One command as the runner sees it. Shared by the sandbox, which hears of it, and its process.
struct RunningCommand {
  RunningCommand(boost::asio::any_io_executor executor, std::uint32_t number)
      : id(number), answered(executor), ended(executor) {}
  std::uint32_t id;
  StopSource answered;  ///< started, refused, or the sandbox is gone
  StopSource ended;
  int refused = 0;  ///< errno
  net::ExitStatus status;
  Cut cut = Cut::none;
  std::uint64_t removed_bytes = 0;  ///< of files without a name that it has open
};

/// The sandbox behind a control socket: process 1 at its other end, and the launcher that stands
/// for all of it outside.
class Cell final : public Sandbox {
 public:
  struct Parts {
    std::unique_ptr<net::Process> launcher;
    net::UniqueFd control;
    SandboxLimits limits;
    bool limits_tasks = false;  ///< the kernel can be told how many there may be
    /// Whether the workspace has become too large, with as many bytes more; looked at while a
    /// command runs. May be empty.
    std::function<Task<bool>(std::uint64_t more)> over_quota;
    std::string workspace;  ///< where programs inside see it
    std::string home;
  };
  Cell(boost::asio::any_io_executor executor, Parts parts);
  ~Cell() override;
  Cell(const Cell&) = delete;

  /// Waits for process 1 to report. Throws Error{io} with what the launcher said. Once.
  Task<> begin(Deadline deadline);

  Task<std::unique_ptr<SandboxedProcess>> spawn(Command command, Deadline deadline) override;
  Task<SandboxUsage> measure() override;
  bool usable() const override { return begun_ && !gone_; }
  const SandboxLimits& limits() const override { return limits_; }
  const std::string& workspace() const override { return workspace_; }
  const std::string& home() const override { return home_; }
  Task<> stop() override;

  /// To everything that runs, if `command` does. Does not wait.
  void signal(const RunningCommand& command, int number);
  /// Kills all of it at once, process 1 included.
  void kill();

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;
  struct Measurement;
  Task<> listen();
  void hear(const wire::Tell& tell);
  void lose();
  Task<> send(const wire::Ask& ask, std::string texts, std::vector<int> fds);
  Task<> watch_quota(std::shared_ptr<RunningCommand> command);
  wire::Limits limits_until(Deadline deadline) const;
  Task<std::string> last_words();

  boost::asio::any_io_executor executor_;
  std::unique_ptr<net::Process> launcher_;
  Descriptor control_;
  SandboxLimits limits_;
  bool limits_tasks_;
  std::function<Task<bool>(std::uint64_t more)> over_quota_;
  std::string workspace_;
  std::string home_;
  std::uint32_t last_id_ = 0;
  bool begun_ = false;
  bool gone_ = false;
  bool stopped_ = false;
  std::shared_ptr<RunningCommand> command_;
  std::shared_ptr<Measurement> measurement_;
  TaskGroup tasks_;
};

}  // namespace botburrow::sandbox
