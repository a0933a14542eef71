#pragma once

#include "base/blocking_pool.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/task.hpp"
#include "sandbox/workspace.hpp"

#include <cstdint>
#include <string>

namespace botburrow::sandbox {

/// What operators set.
struct SandboxSettings {
  std::string workspace_root;                          ///< WORKSPACE_ROOT
  std::uint64_t quota_bytes = std::uint64_t{1} << 30;  ///< WORKSPACE_QUOTA_MB
};

/// What all activations of a runner share. Outlives every Place.
class Sandboxes {
 public:
  Sandboxes(SandboxSettings settings, Log log, Metrics& metrics);
  Sandboxes(const Sandboxes&) = delete;

  /// Removes the workspaces that dead runners left.
  Task<> start();

  const SandboxSettings& settings() const { return settings_; }
  Owner owner() const { return owner_; }
  /// For work on the files of workspaces, so that a slow tree holds up nothing else.
  BlockingPool& pool() { return pool_; }

 private:
  SandboxSettings settings_;
  Owner owner_ = Owner::of_this_process();
  Log log_;
  BlockingPool pool_;
};

}  // namespace botburrow::sandbox
