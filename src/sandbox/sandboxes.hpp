#pragma once

#include "base/blocking_pool.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/stop.hpp"
#include "base/task.hpp"
#include "sandbox/egress_proxy.hpp"
#include "sandbox/launcher.hpp"
#include "sandbox/probe.hpp"
#include "sandbox/sandbox.hpp"
#include "sandbox/workspace.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::sandbox {

/// What operators set.
struct SandboxSettings {
  std::string workspace_root;                          ///< WORKSPACE_ROOT
  std::uint64_t quota_bytes = std::uint64_t{1} << 30;  ///< WORKSPACE_QUOTA_MB
  SandboxLimits limits;                                ///< SANDBOX_MEMORY, SANDBOX_CPU
  Backend backend = Backend::automatic;                ///< SANDBOX_BACKEND
  std::vector<std::string> private_allow;              ///< EGRESS_PRIVATE_ALLOW
  std::string path = "/usr/local/bin:/usr/bin:/bin";   ///< where programs are looked for
  std::vector<std::string> read_only;                  ///< SANDBOX_READ_ONLY
};

/// What proxies of sandboxes work with. All of it outlives them.
struct EgressServices {
  net::HttpClient* http = nullptr;           ///< null: no models
  std::map<std::string, ModelRoute> models;  ///< by provider
};

/// What all activations of a runner share: the tier that a real launch and a real attempt to get
/// out have shown, and what sandboxes are started with. Outlives every Place.
class Sandboxes {
 public:
  Sandboxes(SandboxSettings settings, Log log, Metrics& metrics, EgressServices egress = {});
  Sandboxes(const Sandboxes&) = delete;

  /// Removes the workspaces that dead runners left, then finds the tier.
  Task<> start();

  /// The tier of this machine; found once, waited for by whoever asks first. Says it in
  /// `sandbox_probed` and botburrow_sandbox_tier.
  Task<TierReport> tier();
  /// The same as far as it is known now: nothing before the probe has ended.
  const std::optional<TierReport>& known_tier() const { return report_; }

  /// Starts a sandbox of the tier. Throws Error{io}, also where there is none.
  Task<std::shared_ptr<Sandbox>> start_sandbox(CellPlan plan, Deadline deadline);

  const SandboxSettings& settings() const { return settings_; }
  const EgressServices& egress() const { return egress_; }
  Metrics& metrics() { return metrics_; }
  Owner owner() const { return owner_; }
  /// For work on the files of workspaces, so that a slow tree holds up nothing else.
  BlockingPool& pool() { return pool_; }

 private:
  void announce();

  SandboxSettings settings_;
  Owner owner_ = Owner::of_this_process();
  Log log_;
  Metrics& metrics_;
  EgressServices egress_;
  Metrics::Values& tier_gauge_;
  Metrics::Values& starts_;
  BlockingPool pool_;
  std::shared_ptr<StopSource> probing_;
  std::optional<TierReport> report_;
  std::unique_ptr<Launcher> launcher_;
};

}  // namespace botburrow::sandbox
