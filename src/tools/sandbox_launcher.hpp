#pragma once

#include "base/time.hpp"
#include "mcp/launcher.hpp"
#include "sandbox/place.hpp"

#include <memory>

namespace botburrow::tools {

/// Starts the MCP servers of one activation, each in a sandbox of its own: on the activation's
/// workspace, with a private home, its own credential in its environment, and no network but the
/// hosts of its entry.
class SandboxLauncher final : public mcp::Launcher {
 public:
  /// `place` outlives it. `deadline` is the activation's: it bounds their processor time.
  SandboxLauncher(sandbox::Place& place, Deadline deadline) : place_(place), deadline_(deadline) {}

  /// Throws Error{io} too, where this runner has no sandbox for programs.
  Task<std::unique_ptr<net::Process>> launch(mcp::LaunchSpec spec) override;
  /// The first file its arguments name that is here and not in the sandbox: a script that an
  /// interpreter is to run, as most instructions of servers have it.
  std::string suspicion(const mcp::LaunchSpec& spec) const override;
  std::optional<std::string> find(const std::string& program) const override;

 private:
  sandbox::Place& place_;
  Deadline deadline_;
};

}  // namespace botburrow::tools
