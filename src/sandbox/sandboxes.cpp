#include "sandbox/sandboxes.hpp"

#include "base/error.hpp"
#include "base/metric_table.hpp"

#include <boost/asio/this_coro.hpp>

namespace botburrow::sandbox {
namespace {

constexpr std::size_t kPoolThreads = 4;

}  // namespace

Sandboxes::Sandboxes(SandboxSettings settings, Log log, Metrics& metrics, EgressServices egress)
    : settings_(std::move(settings)),
      log_(std::move(log)),
      metrics_(metrics),
      egress_(std::move(egress)),
      tier_gauge_(series_of(metrics, "botburrow_sandbox_tier")),
      starts_(series_of(metrics, "botburrow_sandbox_starts_total")),
      pool_(kPoolThreads) {}

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
  co_await tier();
}

Task<TierReport> Sandboxes::tier() {
  while (!report_) {
    if (const auto other = probing_) {
      co_await other->wait();
      continue;
    }
    const auto mine = std::make_shared<StopSource>(co_await boost::asio::this_coro::executor);
    probing_ = mine;
    std::exception_ptr failure;
    try {
      auto found = co_await probe({.workspace_root = settings_.workspace_root,
                                   .owner = owner_,
                                   .limits = settings_.limits,
                                   .backend = settings_.backend},
                                  pool_);
      launcher_ = std::move(found.launcher);
      report_ = std::move(found.report);
      announce();
    } catch (...) {
      failure = std::current_exception();
    }
    // Whoever waits looks again: after a cancellation of this one it is their turn.
    probing_.reset();
    mine->stop();
    if (failure) std::rethrow_exception(failure);
  }
  co_return *report_;
}

void Sandboxes::announce() {
  for (const auto tier : {Tier::none, Tier::landlock, Tier::bwrap})
    tier_gauge_.with({std::string(name_of(tier))}).set(tier == report_->tier ? 1 : 0);
  const bool best = report_->tier == Tier::bwrap;
  const auto say = [&](auto level) {
    (log_.*level)("sandbox_probed",
                  {{"tier", name_of(report_->tier)}, {"reason", report_->reason}});
  };
  if (best)
    say(&Log::info);
  else
    say(&Log::warning);
}

Task<std::shared_ptr<Sandbox>> Sandboxes::start_sandbox(CellPlan plan, Deadline deadline) {
  const auto report = co_await tier();
  if (!launcher_) throw Error(errc::io, "no sandbox on this runner: " + report.reason);
  std::shared_ptr<Sandbox> started;
  std::exception_ptr failure;
  try {
    started = co_await launcher_->start(std::move(plan), deadline);
  } catch (const Error&) {
    failure = std::current_exception();
  }
  starts_.with({failure ? "failed" : "started"}).add();
  if (failure) std::rethrow_exception(failure);
  co_return started;
}

}  // namespace botburrow::sandbox
