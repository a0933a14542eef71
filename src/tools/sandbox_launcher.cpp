#include "tools/sandbox_launcher.hpp"

#include "base/error.hpp"
#include "sandbox/program.hpp"

#include <fmt/format.h>

#include <map>
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

}  // namespace botburrow::tools
