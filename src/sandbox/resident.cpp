#include "sandbox/resident.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace botburrow::sandbox {
namespace {

namespace fs = std::filesystem;

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

bool is_of_the_system(const fs::path& path) {
  const auto& text = path.native();
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/"},
      [&](std::string_view folder) { return text.starts_with(folder); });
}

/// Packages of Node need what lies beside them.
fs::path folder_of(const fs::path& program) {
  fs::path above;
  for (const auto& part : program) {
    if (part == "node_modules") return above;
    above /= part;
  }
  return program.parent_path();
}

}  // namespace

std::unique_ptr<net::Process> make_resident(std::shared_ptr<Sandbox> sandbox,
                                            std::unique_ptr<SandboxedProcess> process) {
  return std::make_unique<Resident>(std::move(sandbox), std::move(process));
}

std::vector<std::string> folders_of_program(const std::string& absolute_path) {
  std::vector<std::string> folders;
  std::error_code error;
  const auto target = fs::canonical(absolute_path, error);
  if (error) return folders;
  for (const auto& path : {fs::path(absolute_path).lexically_normal(), target}) {
    const auto folder = folder_of(path);
    if (is_of_the_system(path) || folder == folder.root_path()) continue;
    if (std::ranges::find(folders, folder.native()) == folders.end())
      folders.push_back(folder.native());
  }
  return folders;
}

}  // namespace botburrow::sandbox
