#include "tools/sandbox_launcher.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <map>
#include <vector>

namespace botburrow::tools {
namespace {

std::vector<std::string> environment_of(const mcp::LaunchSpec& spec, const std::string& home) {
  std::map<std::string, std::string> all{{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                         {"HOME", home},
                                         {"TERM", "xterm-256color"},
                                         {"LANG", "C.UTF-8"}};
  for (const auto& word : sandbox::Place::proxy_environment()) {
    const auto at = word.find('=');
    all[word.substr(0, at)] = word.substr(at + 1);
  }
  for (const auto& [name, value] : spec.environment)
    all[name] = value;
  std::vector<std::string> words;
  for (const auto& [name, value] : all)
    words.push_back(name + "=" + value);
  return words;
}

}  // namespace

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
    return sandbox::Command{.argv = spec.argv, .environment = environment_of(spec, where.home())};
  };
  co_return co_await place_.start_program(std::move(extra), std::move(command), deadline_);
}

}  // namespace botburrow::tools
