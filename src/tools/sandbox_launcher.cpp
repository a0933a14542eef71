#include "tools/sandbox_launcher.hpp"

#include "base/error.hpp"
#include "sandbox/program.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <system_error>
#include <vector>

namespace botburrow::tools {

std::optional<std::string> SandboxLauncher::find(const std::string& program) const {
  const auto located = place_.locate(program);
  return located ? std::optional(located->path) : std::nullopt;
}

Task<std::unique_ptr<net::Process>> SandboxLauncher::launch(mcp::LaunchSpec spec) {
  auto program = place_.locate(spec.argv.front());
  if (!program) {
    throw Error(errc::not_found,
                fmt::format("there is no program {} here; install it, or name its path",
                            spec.argv.front()));
  }
  sandbox::Place::Extra extra{
      .read_only = std::move(program->read_only),
      .network = {.enabled = !spec.hosts.empty(), .allowed_hosts = spec.hosts}};
  spec.argv.front() = program->path;
  auto command = [spec = std::move(spec)](const sandbox::Sandbox& where) {
    return sandbox::Command{
        .argv = spec.argv,
        .environment = sandbox::program_environment(where.home(), spec.environment)};
  };
  co_return co_await place_.start_program(std::move(extra), std::move(command), deadline_);
}

std::string SandboxLauncher::suspicion(const mcp::LaunchSpec& spec) const {
  const auto program = place_.locate(spec.argv.front());
  if (!program) return "";
  for (std::size_t i = 1; i < spec.argv.size(); ++i) {
    const auto& word = spec.argv[i];
    const auto path = word.starts_with('/') ? word : word.substr(word.find('=') + 1);
    std::error_code ignored;
    const bool is_file = path.starts_with('/') && std::filesystem::is_regular_file(path, ignored);
    const bool own = !spec.workspace.empty() && path.starts_with(spec.workspace);
    if (!is_file || own || sandbox::shows(*program, path)) continue;
    return fmt::format(
        "its sandbox does not show {}: make that file executable and name it as the command, or "
        "add "
        "its folder to SANDBOX_READ_ONLY",
        path);
  }
  return "";
}

}  // namespace botburrow::tools
