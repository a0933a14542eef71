#pragma once

#include "base/blocking_pool.hpp"
#include "base/task.hpp"
#include "sandbox/launcher.hpp"
#include "sandbox/sandbox.hpp"
#include "sandbox/workspace.hpp"

#include <memory>
#include <string>

namespace botburrow::sandbox {

/// SANDBOX_BACKEND.
enum class Backend { automatic, bwrap, landlock };

/// What this machine can keep in.
struct TierReport {
  Tier tier = Tier::none;
  std::string reason;     ///< why this one; for `none` and `landlock` why nothing better
  bool shell = false;     ///< Bash may run
  bool programs = false;  ///< command-line agents and MCP servers may run
};

struct ProbeRequest {
  std::string workspace_root;
  Owner owner;
  SandboxLimits limits;
  Backend backend = Backend::automatic;
};

struct Probed {
  TierReport report;
  std::unique_ptr<Launcher> launcher;
};

/// Launches a sandbox for real and lets a program in it try to get out: to read a neighbour's file,
/// to signal us, to connect to us, to make sockets and namespaces. A tier counts only if every
/// attempt fails and what should work does. A tier that was named and does not hold gives none,
/// never another one.
Task<Probed> probe(ProbeRequest request, BlockingPool& pool);

/// What the attempts printed, as one line; empty: all of it failed, as it should.
std::string fault_of_attempts(const CommandResult& result);

}  // namespace botburrow::sandbox
