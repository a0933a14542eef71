#include "mcp/launcher.hpp"

namespace botburrow::mcp {

PlainLauncher::PlainLauncher(boost::asio::any_io_executor executor,
                             std::map<std::string, std::string> base_environment)
    : executor_(std::move(executor)), base_(std::move(base_environment)) {}

Task<std::unique_ptr<net::Process>> PlainLauncher::launch(LaunchSpec spec) {
  auto all = base_;
  for (auto& [name, value] : spec.environment)
    all[name] = value;
  net::ProcessOptions options{.argv = spec.argv,
                              .working_directory = spec.workspace,
                              .want_stdin = true,
                              .die_with_parent = true};
  for (const auto& [name, value] : all)
    options.environment.push_back(name + "=" + value);
  if (const auto path = all.find("PATH"); path != all.end()) options.path_for_lookup = path->second;
  co_return net::Process::spawn(executor_, std::move(options));
}

std::optional<std::string> PlainLauncher::find(const std::string& program) const {
  const auto path = base_.find("PATH");
  return net::find_program(program, path == base_.end() ? "" : path->second);
}

}  // namespace botburrow::mcp
