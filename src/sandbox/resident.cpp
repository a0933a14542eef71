#include "sandbox/resident.hpp"

#include <utility>

namespace botburrow::sandbox {
namespace {

class Resident final : public net::Process {
 public:
  Resident(std::shared_ptr<Sandbox> sandbox, std::unique_ptr<SandboxedProcess> process)
      : sandbox_(std::move(sandbox)), process_(std::move(process)) {}

  int pid() const override { return process_->pid(); }
  Task<net::ExitStatus> wait() override { return process_->wait(); }
  Task<> write_stdin(std::string bytes) override { return process_->write_stdin(std::move(bytes)); }
  void close_stdin() override { process_->close_stdin(); }
  Task<std::string> read_stdout(std::size_t max) override { return process_->read_stdout(max); }
  Task<std::string> read_stderr(std::size_t max) override { return process_->read_stderr(max); }
  void signal_group(int signal) override { process_->signal_group(signal); }
  Task<net::ExitStatus> terminate(std::chrono::nanoseconds grace) override {
    return process_->terminate(grace);
  }

 private:
  std::shared_ptr<Sandbox> sandbox_;
  std::unique_ptr<SandboxedProcess> process_;  // last: it speaks to its sandbox in the end
};

}  // namespace

std::unique_ptr<net::Process> make_resident(std::shared_ptr<Sandbox> sandbox,
                                            std::unique_ptr<SandboxedProcess> process) {
  return std::make_unique<Resident>(std::move(sandbox), std::move(process));
}

}  // namespace botburrow::sandbox
