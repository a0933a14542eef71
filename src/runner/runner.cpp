#include "runner/runner.hpp"

#include "agent/metrics.hpp"
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/stop.hpp"
#include "base/version.hpp"
#include "net/redis.hpp"
#include "runner/agent_series.hpp"
#include "runner/definition_look.hpp"
#include "runner/fence_watch.hpp"
#include "runner/hub_gate.hpp"
#include "runner/reports.hpp"
#include "runner/supervisor.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <map>

namespace botburrow::runner {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto kClaimWait = 1000ms;
constexpr auto kHubWait = 3s;
constexpr auto kClaimRound = 10s;  // a call that Redis keeps waiting, a wait, a pause
constexpr auto kNoExecutorPause = 60s;
constexpr auto kIdleNotePeriod = 60s;
constexpr auto kFaultPauseMin = 100ms;
constexpr auto kFaultPauseMax = 2s;
/// How long a drain waits for a Redis that is away before it gives up a claim under way.
constexpr auto kDrainWithoutRedis = 1s;

}  // namespace

struct Runner::Impl {
  Impl(asio::any_io_executor executor, RunnerOptions options, RunnerParts parts, Log log,
       Metrics& metrics)
      : options_(std::move(options)),
        parts_(parts),
        log_(log.with({{"runner_id", options_.runner_id.str()}})),
        metrics_(metrics),
        agents_(metrics),
        keeper_(executor, options_.lease, parts_.queue, parts_.activation.clock, ticks_, log_),
        definition_look_(parts_.activation.catalog, parts_.cache, parts_.activation.clock,
                         parts_.activation.outside, options_.definition_time, log_),
        gate_(parts_.activation.hub, options_.hub_patience, parts_.activation.clock, parts_.random,
              log_),
        reports_(executor, parts_.queue, parts_.activation.hub, log_, options_.outbox_period),
        supervisor_({.queue = parts_.queue,
                     .activation = parts_.activation,
                     .settings = parts_.settings,
                     .keeper = keeper_,
                     .reports = reports_,
                     .metrics = metrics_,
                     .random = parts_.random},
                    {.runner_id = options_.runner_id,
                     .activation_timeout = options_.activation_timeout,
                     .metrics_per_agent = options_.metrics_per_agent},
                    log_),
        changed_(executor, asio::steady_timer::time_point::max()),
        drain_(executor),
        hurry_(executor),
        claims_(executor, [this](const std::string& name,
                                 std::exception_ptr failure) { loop_failed(name, failure); }),
        loops_(executor, [this](const std::string& name,
                                std::exception_ptr failure) { loop_failed(name, failure); }),
        slots_(executor, [this](const std::string& name, std::exception_ptr failure) {
          loop_failed(name, failure);
        }) {
    // The names of what activations count, with zero before the first one.
    agent::AgentMetrics{metrics};
  }

  void loop_failed(const std::string& name, std::exception_ptr failure) {
    log_.error("work_loop_error", {{"loop", name}, {"error", describe(failure)}});
    if (name == "claim") claiming_ = false;  // A drain must not wait for it; /health tells of it.
    changed_.cancel();
  }

  Clock& clock() { return parts_.activation.clock; }

  queue::ClaimRequest claim_request() {
    queue::ClaimRequest request{.runner_id = options_.runner_id,
                                .mode = options_.mode,
                                .lease = options_.lease,
                                .activation_id = ActivationId(parts_.random.uuid4()),
                                .activation_timeout = options_.activation_timeout};
    const auto now = clock().now();
    std::erase_if(excluded_, [&](const auto& entry) { return entry.second <= now; });
    for (const auto& [agent, until] : excluded_)
      request.exclude.push_back(agent);
    return request;
  }

  Task<> claim_loop() {
    auto pause = std::chrono::nanoseconds(kFaultPauseMin);
    LogThrottle idle_note(kIdleNotePeriod);
    idle_note.allow(clock().now());
    while (!draining_) {
      ticks_.tick("claim", kClaimRound, clock().now());
      if (slots_.size() >= static_cast<std::size_t>(options_.slots)) {
        co_await wait_for_change(1s);
        continue;
      }
      std::exception_ptr failure;
      try {
        if (!gate_.open())
          co_await ask_hub();
        else if (rolled_back_since_)
          co_await wait_for_generation();
        else
          co_await claim_once(idle_note);
        pause = kFaultPauseMin;
      } catch (...) {
        failure = std::current_exception();
        if (is_cancellation(failure)) throw;
        if (trouble_.allow(clock().now()))
          log_.error("work_loop_error", {{"loop", "claim"}, {"error", describe(failure)}});
      }
      if (failure && !draining_) {
        co_await wait_for_change(parts_.random.jitter(pause, 0.2));
        pause = std::min<std::chrono::nanoseconds>(pause * 2, kFaultPauseMax);
      }
    }
    co_await ask_for_unanswered();
    ticks_.ended("claim");
    claiming_ = false;
    changed_.cancel();
  }

  // Whether it takes our key; see HubGate.
  Task<> ask_hub() {
    co_await run_bounded(gate_.ask(), Deadline::in(kClaimRound), drain_);
    if (!draining_ && !gate_.open()) co_await wait_for_change(gate_.next_pause());
  }

  // The last claim before a drain may have been granted although no answer came.
  Task<> ask_for_unanswered() {
    if (!unanswered_) co_return;
    const auto [request, sent] = *unanswered_;
    unanswered_.reset();
    try {
      if (auto claim = co_await parts_.queue.claim(request)) start_slot(std::move(*claim), sent);
    } catch (const Error&) {
      // Its lease gives it back.
    }
  }

  // A claim is never raced against anything: a drain that begins meanwhile lets it come and gives
  // it back through the ordinary path. One that was not answered is asked for again under its own
  // id, however late: it may have been granted. Trust counts from the first asking, so a grant that
  // is too old is fenced at once and given back uncounted.
  Task<> claim_once(LogThrottle& idle_note) {
    if (!unanswered_) unanswered_ = {claim_request(), clock().now()};
    const auto [request, sent] = *unanswered_;
    unanswered_->request.retry = true;
    auto claim = co_await parts_.queue.claim(request);
    unanswered_.reset();
    if (claim) {
      start_slot(std::move(*claim), sent);
      idle_note.allow(clock().now());
      co_return;
    }
    log_.debug("claim_wait", {{"msg", "brpop"}, {"mode", name_of(options_.mode)}});
    if (slots_.size() == 0 && idle_note.allow(clock().now())) {
      log_.info("runner_idle",
                {{"mode", name_of(options_.mode)}, {"msg", "waiting to claim work (brpop)"}});
    }
    if (!draining_) co_await run_bounded(wait_for_work(), Deadline::in(kClaimWait * 3), drain_);
  }

  // Redis gives out fences a second time. The leader begins a new generation. Only a Hub that keeps
  // none, and so compares no fences, lets us go on without one after a while.
  Task<> wait_for_generation() {
    co_await wait_for_change(kClaimWait);
    if (fences_.proven_by(co_await parts_.queue.generation())) {
      const bool patient = clock().now() - *rolled_back_since_ <
                           std::chrono::nanoseconds(options_.rollback_patience);
      if (patient || co_await hub_keeps_generations()) co_return;
    }
    fences_.forget();
    rolled_back_since_.reset();
  }

  Task<bool> hub_keeps_generations() {
    try {
      co_return (co_await parts_.activation.hub.generation(Deadline::in(kHubWait))).has_value();
    } catch (const Error& error) {
      // Away, or it does not tell us: that says nothing.
      co_return error.status() != 405 && error.status() != 501;
    }
  }

  Task<bool> rolled_back(queue::Fence fence) {
    if (fences_.grows(fence)) co_return false;
    bool proven = true;
    try {
      proven = fences_.proven_by(co_await parts_.queue.generation());
    } catch (const Error&) {
      // Not to be had now: take the sign for it. The item goes back uncounted.
    }
    if (!proven) co_return false;
    if (!rolled_back_since_) {
      rolled_back_since_ = clock().now();
      log_.error("redis_rolled_back",
                 {{"fence", fence.to_string()},
                  {"msg", "a fence was given out twice; waiting for a new generation"}});
    }
    co_return true;
  }

  Task<> wait_for_work() { co_await parts_.queue.wait_for_work(options_.mode, kClaimWait); }

  void start_slot(queue::Claim claim, Instant sent) {
    // Held before the first wait, so that the keeper never misses a renewal.
    auto lease = keeper_.hold(claim, sent);
    slots_.spawn("slot", [this, claim, lease] { return slot(claim, lease); });
    count_slots();
  }

  Task<> slot(queue::Claim claim, std::shared_ptr<HeldLease> lease) {
    std::exception_ptr failure;
    try {
      co_await work_through(claim, lease);
    } catch (...) {
      failure = std::current_exception();
      // Not renewed any more: the reaper gives it to somebody.
      keeper_.release(claim.activation_id);
    }
    // The slot is free once this task has ended, which is after these lines.
    asio::post(loops_.executor(), [this] { slot_freed(); });
    if (failure) std::rethrow_exception(failure);
  }

  // One claim after another, for as long as completing one brings the next. `claim` and `lease` are
  // those under way.
  Task<> work_through(queue::Claim& claim, std::shared_ptr<HeldLease>& lease) {
    const auto next_request = [this] {
      const bool claims = !draining_ && !rolled_back_since_ && gate_.open();
      return claims ? std::optional(claim_request()) : std::nullopt;
    };
    for (;;) {
      if (const auto reason = co_await refusal(claim)) {
        co_await supervisor_.give_back(claim, lease, *reason);
        co_return;
      }
      const auto agent = claim.item.agent_id.str();
      agents_.saw(agent, clock().now());
      auto settled = co_await supervisor_.run(claim, lease, next_request);
      agents_.saw(agent, clock().now());
      if (!settled.next) co_return;
      claim = std::move(*settled.next);
      lease = std::move(settled.lease);
    }
  }

  // Why a claim is not begun here, or nothing.
  Task<std::optional<queue::HandBackReason>> refusal(const queue::Claim& claim) {
    if (draining_) co_return queue::HandBackReason::drain;
    if (co_await rolled_back(claim.fence)) co_return queue::HandBackReason::fenced;
    const auto found = co_await definition_look_.look(claim.item, drain_);
    if (found == DefinitionFound::stopped) co_return queue::HandBackReason::drain;
    if (found == DefinitionFound::runs_here) co_return std::nullopt;
    excluded_[claim.item.agent_id] = clock().now() + std::chrono::nanoseconds(kNoExecutorPause);
    co_return queue::HandBackReason::no_executor;
  }

  void slot_freed() {
    count_slots();
    changed_.cancel();
  }

  Task<> wait_for_change(std::chrono::nanoseconds up_to) {
    boost::system::error_code error;
    changed_.expires_after(up_to);
    co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }

  Task<> heartbeat_loop() {
    LogThrottle shared_note(kIdleNotePeriod);
    bool has_beaten = false;
    for (;;) {
      ticks_.tick("heartbeat", queue::kHeartbeatPeriod, clock().now());
      agents_.forget_unseen(clock().now());
      try {
        const auto other = co_await parts_.heartbeats.beat(heartbeat());
        const auto now = to_unix(clock().wall());
        metrics_.heartbeat.with({options_.runner_id.str()}).set(now);
        metrics_.heartbeat_alias.with({options_.runner_id.str()}).set(now);
        // The first finds what one that was killed under this name has left; who lives, beats
        // again.
        const bool lives = other && has_beaten;
        has_beaten = true;
        if (lives && shared_note.allow(clock().now())) {
          log_.warning("runner_id_shared", {{"other_incarnation", other->incarnation},
                                            {"msg",
                                             "another live process uses this RUNNER_ID; set a "
                                             "different one to tell them apart"}});
        }
      } catch (...) {
        const auto failure = std::current_exception();
        if (is_cancellation(failure)) throw;
        log_.warning("heartbeat_error", {{"error", describe(failure)}});
      }
      auto* const sandboxes = parts_.activation.sandboxes;
      if (sandboxes && !sandboxes->known_tier()) {
        // The next one says it at once.
        co_await sandboxes->tier();
        continue;
      }
      co_await next_beat();
    }
  }

  // Early where Redis came back meanwhile: an emptied one knows of no runner.
  Task<> next_beat() {
    const auto at = clock().now() + queue::kHeartbeatPeriod;
    const auto connection = parts_.redis.connections();
    while (clock().now() < at && parts_.redis.connections() == connection)
      co_await sleep_for(std::min<std::chrono::nanoseconds>(at - clock().now(), 500ms));
  }

  queue::Heartbeat heartbeat() {
    const auto busy = static_cast<std::int64_t>(slots_.size());
    const auto status = draining_  ? queue::RunnerStatus::draining
                        : busy > 0 ? queue::RunnerStatus::busy
                                   : queue::RunnerStatus::idle;
    queue::Heartbeat beat{.runner_id = options_.runner_id,
                          .status = status,
                          .timestamp = clock().wall(),
                          .mode = options_.mode,
                          .version = std::string(version()),
                          .active = busy,
                          .capacity = options_.slots,
                          .incarnation = options_.incarnation};
    const auto* const sandboxes = parts_.activation.sandboxes;
    if (sandboxes && sandboxes->known_tier()) {
      const auto& report = *sandboxes->known_tier();
      beat.sandbox = sandbox::name_of(report.tier);
      if (report.tier != sandbox::Tier::bwrap) beat.sandbox_reason = report.reason;
    }
    if (const auto* const outside = parts_.activation.outside) beat.executors = outside->kinds();
    return beat;
  }

  void count_slots() {
    const auto busy = static_cast<double>(slots_.size());
    const auto& id = options_.runner_id.str();
    metrics_.in_progress.with({id}).set(busy);
    metrics_.slots.with({id, "busy"}).set(busy);
    metrics_.slots.with({id, "free"}).set(std::max(0.0, options_.slots - busy));
  }

  void start() {
    log_.info("runner_starting", {{"mode", name_of(options_.mode)}, {"slots", options_.slots}});
    metrics_.info
        .with(
            {options_.runner_id.str(), std::string(name_of(options_.mode)), std::string(version())})
        .set(1);
    count_slots();
    claiming_ = true;
    claims_.spawn("claim", [this] { return claim_loop(); });
    loops_.spawn("renew", [this] { return keeper_.renew_loop(); });
    loops_.spawn("fence", [this] { return keeper_.fence_loop(); });
    loops_.spawn("heartbeat", [this] { return heartbeat_loop(); });
    loops_.spawn("outbox", [this] { return reports_.outbox_loop(ticks_, clock()); });
    log_.info("runner_started");
  }

  Task<> drain(std::chrono::nanoseconds grace) {
    log_.info("runner_shutdown_requested");
    log_.info("runner_draining", {{"active", slots_.size()},
                                  {"grace_seconds", std::chrono::duration<double>(grace).count()}});
    draining_ = true;
    supervisor_.drain();
    drain_.stop();
    changed_.cancel();
    if (co_await run_bounded(until_settled(), Deadline::in(grace), hurry_) != BoundedEnd::done) {
      keeper_.stop_all(StopReason::drain);
      co_await until_settled();
    }
    co_await claims_.stop();
    co_await slots_.stop();
    co_await loops_.stop();
    co_await reports_.flush(5s);
    if (parts_.redis.connected()) co_await remove_heartbeat();
    log_.info("runner_stopped");
  }

  Task<> remove_heartbeat() {
    try {
      co_await with_deadline("removal of the heartbeat", Deadline::in(1s),
                             parts_.heartbeats.remove(options_.runner_id, options_.incarnation));
    } catch (const Error&) {
      // It expires by itself.
    }
  }

  // A claim under way may still bring an item, so the claim loop comes first. A Redis that is away
  // brings none: what it granted before it went is given back by its lease.
  Task<> until_settled() {
    const auto begun = clock().now();
    while (claiming_ || slots_.size() > 0) {
      const bool patient = parts_.redis.connected() ||
                           clock().now() - begun < std::chrono::nanoseconds(kDrainWithoutRedis);
      if (claiming_ && !patient) {
        co_await claims_.stop();
        ticks_.ended("claim");
        claiming_ = false;
        continue;
      }
      co_await wait_for_change(claiming_ ? std::chrono::nanoseconds(100ms) : 1s);
    }
  }

  RunnerOptions options_;
  RunnerParts parts_;
  Log log_;
  RunnerMetrics metrics_;
  AgentSeries agents_;
  LoopTicks ticks_;
  LeaseKeeper keeper_;
  DefinitionLook definition_look_;
  HubGate gate_;
  Reports reports_;
  Supervisor supervisor_;
  std::map<AgentId, Instant> excluded_;
  FenceWatch fences_;
  std::optional<Instant> rolled_back_since_;
  struct Asked {
    queue::ClaimRequest request;
    Instant sent;
  };
  std::optional<Asked> unanswered_;
  LogThrottle trouble_{10s};
  bool draining_ = false;
  bool claiming_ = false;
  asio::steady_timer changed_;
  StopSource drain_;
  StopSource hurry_;
  TaskGroup claims_;
  TaskGroup loops_;
  TaskGroup slots_;
};

Runner::Runner(asio::any_io_executor executor, RunnerOptions options, RunnerParts parts, Log log,
               Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(options), parts, std::move(log),
                                   metrics)) {}
Runner::~Runner() = default;

void Runner::start() {
  impl_->start();
}
Task<> Runner::drain(std::chrono::nanoseconds grace) {
  co_await shielded(impl_->drain(grace));
}
void Runner::hurry() {
  impl_->hurry_.stop();
}
std::optional<std::string> Runner::unhealthy() const {
  return impl_->ticks_.stuck(impl_->parts_.activation.clock.now());
}
std::optional<std::string> Runner::not_ready() const {
  if (impl_->draining_) return "draining";
  if (!impl_->parts_.redis.usable()) return "redis";
  if (impl_->rolled_back_since_) return "generation";
  return impl_->gate_.closed_because();
}
int Runner::active() const {
  return static_cast<int>(impl_->slots_.size());
}

}  // namespace botburrow::runner
