#include "sandbox/sandboxes.hpp"

namespace botburrow::sandbox {
namespace {

constexpr std::size_t kPoolThreads = 4;

}  // namespace

Sandboxes::Sandboxes(SandboxSettings settings, Log log, Metrics&)
    : settings_(std::move(settings)), log_(std::move(log)), pool_(kPoolThreads) {}

Task<> Sandboxes::start() {
  const auto swept = co_await pool_.run(
      [root = settings_.workspace_root, owner = owner_] { return sweep_workspaces(root, owner); });
  if (swept.removed > 0) {
    log_.info("workspaces_swept",
              {{"removed", swept.removed}, {"msg", "an earlier runner left them behind"}});
  }
  if (swept.left > 0) {
    log_.warning("workspace_cleanup_error",
                 {{"left", swept.left},
                  {"root", settings_.workspace_root},
                  {"msg", "left-over workspaces could not be removed; remove them by hand"}});
  }
}

}  // namespace botburrow::sandbox
