#include "coordinator/coordinator.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/metric_table.hpp"
#include "coordinator/gauges.hpp"
#include "coordinator/generation_check.hpp"
#include "coordinator/hub_standing.hpp"
#include "coordinator/reaper.hpp"
#include "net/redis.hpp"

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

namespace botburrow::coordinator {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// One term: the parts that exist only while this replica leads.
struct Term {
  Term(queue::LeaderTerm trust, const CoordinatorOptions& options, const CoordinatorParts& parts,
       LoopTicks& ticks, Log log, Metrics& metrics, asio::any_io_executor executor,
       std::function<void()> deposed, TaskGroup::FailureHandler on_failure)
      : trust(trust),
        filter(parts.catalog ? std::make_unique<DiscoveryFilter>(*parts.catalog, log) : nullptr),
        poll(parts.hub, parts.queue, trust.epoch(), options.poll, parts.clock, parts.random, ticks,
             log, metrics, deposed, filter.get()),
        reaper(parts.queue, parts.redis, trust.epoch(), options.crash_attempts_max, parts.clock,
               ticks, log, deposed),
        generation(parts.queue, parts.redis, parts.hub, trust.epoch(), parts.clock, parts.random,
                   log),
        tasks(std::move(executor), std::move(on_failure)) {}

  queue::LeaderTerm trust;
  std::unique_ptr<DiscoveryFilter> filter;
  HubPoll poll;
  Reaper reaper;
  GenerationCheck generation;
  TaskGroup tasks;
};

/// What one round of the election may take: a call and its pause.
constexpr auto kElectionRound = 10s;
constexpr const char* kTermLoops[] = {"long_poll", "list_poll", "stale_poll",
                                      "reaper",    "sweep",     "gauges"};

}  // namespace

struct Coordinator::Impl {
  Impl(asio::any_io_executor executor, CoordinatorOptions options, CoordinatorParts parts, Log log,
       Metrics& metrics)
      : executor_(executor),
        options_(std::move(options)),
        parts_(parts),
        metrics_(metrics),
        log_(log.with({{"instance_id", options_.instance_id}})),
        watch_(options_.leader_lease),
        standing_(parts_.hub, parts_.clock, parts_.random, log_),
        gauges_(metrics, parts_.view, parts_.heartbeats, parts_.clock, ticks_, options_.instance_id,
                log_),
        leads_(series_of(metrics, "botburrow_coordinator_is_leader")),
        transitions_(series_of(metrics, "botburrow_leader_transitions_total")),
        epoch_(series_of(metrics, "botburrow_leader_epoch")),
        offer_(options_.leader_lease / 3),
        loop_(executor, [this](const std::string& name, std::exception_ptr failure) {
          failed(name, failure);
        }) {
    leads_.with({options_.instance_id}).set(0);
  }

  void failed(const std::string& name, std::exception_ptr failure) {
    log_.error("poll_error", {{"loop", name}, {"error", describe(failure)}});
    deposed_ = true;  // A loop of this term is gone: begin a new one.
  }

  Clock& clock() { return parts_.clock; }
  std::chrono::nanoseconds lease() const { return options_.leader_lease; }

  Task<> election_loop() {
    note_follower();
    for (;;) {
      ticks_.tick("election", kElectionRound, clock().now());
      std::exception_ptr failure;
      try {
        if (term_)
          co_await lead_on();
        else
          co_await follow();
      } catch (...) {
        failure = std::current_exception();
        if (is_cancellation(failure)) throw;
      }
      if (!failure) continue;
      watch_.reset();
      if (trouble_.allow(clock().now()))
        log_.error("leader_election_error", {{"error", describe(failure)}});
      auto pause = parts_.random.jitter(lease() / 12, 0.2);
      if (term_) pause = std::min(pause, left_of_trust());
      co_await sleep_for(pause);
      if (term_ && left_of_trust() == 0ns) co_await end_term("Redis could not be reached in time");
    }
  }

  Task<> follow() {
    const auto seen = co_await parts_.election.observe();
    seen_leader_ = seen.free() ? "" : seen.instance_id;
    // The time of the answer: what it shows is at least that old, and the taking comes later and
    // only where nothing moved.
    const bool held_too_long = watch_.may_take(seen, clock().now());
    // A term of our own that ended here: nobody else acts in it.
    const bool ours = own_epoch_ && seen.epoch == *own_epoch_;
    if (may_stand(held_too_long || ours)) {
      const auto sent = clock().now();
      taking_ = seen.epoch + 1;
      const auto epoch = co_await parts_.election.take(seen);
      taking_.reset();
      if (epoch) {
        begin_term(*epoch, sent);
        co_return;
      }
    }
    if (not_leader_.allow(clock().now()))
      log_.info("not_leader_skipping_poll", {{"leader", seen.instance_id}, {"msg", "not_leader"}});
    note_lease_of(seen);
    co_await compare_hubs(seen.instance_id);
    co_await offer_to_lead();
    co_await sleep_for(parts_.random.jitter(lease() / 12, 0.2));
  }

  // One who finds no work lets the others go first, and leads where nobody else does: somebody has
  // to take back what dead runners held.
  bool may_stand(bool vacant) {
    const auto now = clock().now();
    if (!vacant || !standing_.unfit_because()) vacant_since_.reset();
    if (!vacant || other_hub_.other(now)) return false;
    if (!standing_.unfit_because()) return true;
    if (!vacant_since_) vacant_since_ = now;
    return now - *vacant_since_ >= 2 * lease();
  }

  // Kept up by repeating: it ends by itself with the one who said so.
  Task<> offer_to_lead() {
    if (!standing_.fit() || other_hub_.other(clock().now())) co_return;
    if (!offer_.allow(clock().now())) co_return;
    co_await parts_.election.offer(options_.leader_lease);
  }

  Task<> compare_hubs(std::string leader) {
    if (!hub_look_.allow(clock().now())) co_return;
    const auto leaders = co_await parts_.election.announced_hub();
    other_hub_.saw(leaders, standing_.dataset(), clock().now());
    if (!other_hub_.other(clock().now()) || !other_hub_note_.allow(clock().now())) co_return;
    log_.error("redis_shared",
               {{"leader", leader},
                {"error", "this Redis is worked by a coordinator of another Hub"},
                {"fix",
                 "give each cluster a Redis of its own, or a database number "
                 "(redis://host:6379/1); coordinators of one cluster share HUB_URL"},
                {"msg", "this replica does not lead while the other cluster is there"}});
  }

  Task<> announce_hub() {
    if (!standing_.dataset() || !hub_look_.allow(clock().now())) co_return;
    co_await parts_.election.announce_hub(*standing_.dataset(),
                                          Deadline::at(term_->trust.trusted_until()));
  }

  void note_lease_of(const queue::LeaderSeen& seen) {
    if (seen.lease == 0ms || seen.lease == options_.leader_lease) return;
    if (!other_lease_.allow(clock().now())) return;
    log_.warning("leader_lease_differs",
                 {{"leader", seen.instance_id},
                  {"its_seconds", std::chrono::duration<double>(seen.lease).count()},
                  {"own_seconds", std::chrono::duration<double>(lease()).count()},
                  {"fix", "set LEADER_LEASE_SECONDS alike for all coordinators"},
                  {"msg", "the leader's is waited for"}});
  }

  // Ends the term for the sake of a replica that can find work; false: there is none, or no need.
  Task<bool> yielded() {
    const auto why = standing_.unfit_because();
    if (!why) co_return false;
    const auto other = co_await parts_.election.offered(Deadline::at(term_->trust.trusted_until()));
    if (other.empty() || other == options_.instance_id) co_return false;
    const auto epoch = term_->trust.epoch();
    co_await end_term(fmt::format("{}, and {} is ready to lead", *why, other));
    own_epoch_.reset();
    vacant_since_ = clock().now();
    co_await release(epoch);
    co_return true;
  }

  Task<> lead_on() {
    co_await sleep_for(std::min(parts_.random.jitter(lease() / 6, 0.2), left_of_trust()));
    if (deposed_) {
      co_await end_term("the queue refused this epoch, or a loop of the term ended");
      co_return;
    }
    if (co_await yielded()) co_return;
    const auto sent = clock().now();
    const auto until = term_->trust.trusted_until();
    if (sent >= until) {
      co_await end_term("Redis could not be reached in time");
      co_return;
    }
    if (!co_await parts_.election.renew(term_->trust.epoch(), Deadline::at(until))) {
      co_await end_term("another replica leads");
      // In an epoch of the same number even, where Redis lost what it had.
      own_epoch_.reset();
      co_return;
    }
    if (clock().now() >= until) {
      co_await end_term("the renewal came too late");
      co_return;
    }
    term_->trust.renewed(sent);
    co_await announce_hub();
  }

  std::chrono::nanoseconds left_of_trust() const {
    return std::max<std::chrono::nanoseconds>(0ns,
                                              term_->trust.trusted_until() - parts_.clock.now());
  }

  void begin_term(std::int64_t epoch, Instant sent) {
    deposed_ = false;
    log_.info("became_leader", {{"epoch", epoch}, {"is_leader", true}, {"msg", "is_leader:true"}});
    leads_.with({options_.instance_id}).set(1);
    transitions_.with({options_.instance_id, "leader"}).add();
    epoch_.with({}).set(static_cast<double>(epoch));
    term_ = std::make_shared<Term>(
        queue::LeaderTerm(epoch, sent, lease()), options_, parts_, ticks_, log_, metrics_,
        executor_, [this] { deposed_ = true; },
        [this](const std::string& name, std::exception_ptr failure) { failed(name, failure); });
    if (once_) return;
    auto* term = term_.get();
    term->tasks.spawn("generation",
                      [term] { return term->generation.loop([term] { term->poll.list_soon(); }); });
    term->tasks.spawn("reaper", [term] { return term->reaper.reap_loop(); });
    term->tasks.spawn("sweep", [term] { return term->reaper.sweep_loop(); });
    term->tasks.spawn("list_poll", [term] { return term->poll.list_loop(); });
    term->tasks.spawn("long_poll", [term] { return term->poll.long_poll_loop(); });
    term->tasks.spawn("stale_poll", [term] { return term->poll.stale_loop(); });
    term->tasks.spawn("gauges", [this] { return gauges_.loop(); });
    if (parts_.catalog && parts_.cache) term->tasks.spawn("prewarm", [this] { return prewarm(); });
  }

  // Every loop of the term is cancelled and gone before anything else happens. The epoch has
  // refused their writes since somebody else took it.
  Task<> end_term(std::string why) {
    auto term = std::move(term_);
    // What was ended by mere silence is taken again at once; what failed waits like everybody.
    own_epoch_.reset();
    if (!deposed_) own_epoch_ = term->trust.epoch();
    leads_.with({options_.instance_id}).set(0);
    transitions_.with({options_.instance_id, "follower"}).add();
    co_await term->tasks.stop();
    for (const auto* loop : kTermLoops)
      ticks_.ended(loop);
    gauges_.clear();
    watch_.reset();
    log_.info("lost_leadership",
              {{"epoch", term->trust.epoch()}, {"reason", why}, {"msg", "is_leader:false"}});
    note_follower();
  }

  void note_follower() {
    log_.info("not_leader_skipping_poll", {{"msg", "not_leader"}});
    not_leader_.allow(clock().now());
  }

  Task<> prewarm() {
    std::size_t cached = 0;
    try {
      const auto entries = co_await parts_.catalog->load_all();
      for (const auto& entry : entries) {
        co_await parts_.cache->store(entry.definition, clock().now());
        ++cached;
      }
      if (entries.empty()) log_.debug("no_agents_to_prewarm");
      log_.info("config_cache_prewarmed", {{"total_agents", entries.size()}, {"cached", cached}});
    } catch (const Error& error) {
      // A coordinator may run without the definitions: only runners must have them.
      if (error.code() == errc::io)
        log_.info("no_agents_to_prewarm", {{"msg", error.message()}});
      else
        log_.warning("prewarm_error", {{"error", error.message()}});
    }
  }

  Task<> stop() {
    log_.info("coordinator_shutdown_requested");
    stopping_ = true;
    co_await loop_.stop();
    ticks_.ended("election");
    auto epoch = taking_;
    if (term_) {
      epoch = term_->trust.epoch();
      co_await end_term("shutting down");
    }
    if (epoch) co_await release(*epoch);
    taking_.reset();
    log_.info("coordinator_stopped");
  }

  Task<> release(std::int64_t epoch) {
    bool released = false;
    try {
      co_await with_deadline("release of leadership", Deadline::in(1s),
                             release_into(epoch, released));
    } catch (const Error& error) {
      log_.warning("leader_election_error",
                   {{"error", error.message()}, {"msg", "not released; it ends by itself"}});
    }
    if (released) log_.info("released_leadership", {{"epoch", epoch}});
  }

  Task<> release_into(std::int64_t epoch, bool& released) {
    released = co_await parts_.election.release(epoch);
  }

  Error still_led(std::chrono::nanoseconds waited) const {
    const auto who = seen_leader_.empty() ? "no leadership was to be had"
                                          : fmt::format("\"{}\" leads and goes on", seen_leader_);
    return Error(errc::timeout,
                 fmt::format("coordinator --once: {} ({:.0f} s were waited); a leader looks at the "
                             "Hub by itself each POLL_INTERVAL: stop it first, or leave the look "
                             "to it",
                             who, std::chrono::duration<double>(waited).count()));
  }

  Task<PollCounts> once() {
    const auto term = term_;
    if (!term)
      throw Error(errc::cancelled_by_owner, "leadership ended before the first look; try again",
                  Retry::after_backoff);
    co_await term->generation.check();
    co_return co_await term->poll.once();
  }

  asio::any_io_executor executor_;
  CoordinatorOptions options_;
  CoordinatorParts parts_;
  Metrics& metrics_;
  Log log_;
  LoopTicks ticks_;
  queue::FollowerWatch watch_;
  HubStanding standing_;
  Gauges gauges_;
  Metrics::Values& leads_;
  Metrics::Values& transitions_;
  Metrics::Values& epoch_;
  LogThrottle trouble_{10s};
  LogThrottle not_leader_{30s};
  bool deposed_ = false;
  bool stopping_ = false;
  bool once_ = false;
  LogThrottle offer_;  // not a log's: how often to say that this replica could lead
  LogThrottle other_lease_{60s};
  LogThrottle hub_look_{5s};
  LogThrottle other_hub_note_{60s};
  OtherHubRule other_hub_;
  std::optional<Instant> vacant_since_;    // since when an unfit replica could have taken it
  std::optional<std::int64_t> own_epoch_;  // of our last term, while nobody took it over
  std::optional<std::int64_t> taking_;     // the epoch a take that was not answered may have begun
  std::string seen_leader_;                // who held the term when we looked last; empty: nobody
  std::shared_ptr<Term> term_;
  TaskGroup loop_;
};

Coordinator::Coordinator(asio::any_io_executor executor, CoordinatorOptions options,
                         CoordinatorParts parts, Log log, Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(options), parts, std::move(log),
                                   metrics)) {}
Coordinator::~Coordinator() = default;

void Coordinator::start() {
  impl_->log_.info("coordinator_starting",
                   {{"poll_interval", impl_->options_.poll.poll_interval.count()}});
  impl_->loop_.spawn("election", [impl = impl_.get()] { return impl->election_loop(); });
  if (!impl_->once_)
    impl_->loop_.spawn("hub_standing", [impl = impl_.get()] { return impl->standing_.loop(); });
  impl_->log_.info("coordinator_started");
}

Task<> Coordinator::stop() {
  co_await shielded(impl_->stop());
}

Task<> Coordinator::until_leader() {
  while (!is_leader())
    co_await sleep_for(20ms);
}

Task<PollCounts> Coordinator::once(std::chrono::nanoseconds patience) {
  impl_->once_ = true;
  start();
  bool late = false;
  try {
    co_await with_deadline("leadership", Deadline::in(patience), until_leader());
  } catch (const Error&) {
    late = true;
  }
  if (late) throw impl_->still_led(patience);
  co_return co_await impl_->once();
}

bool Coordinator::is_leader() const {
  return impl_->term_ != nullptr;
}
std::optional<PollOutcome> Coordinator::last_poll() const {
  return impl_->term_ ? impl_->term_->poll.last() : std::nullopt;
}
std::optional<std::string> Coordinator::unhealthy() const {
  return impl_->ticks_.stuck(impl_->parts_.clock.now());
}
std::optional<std::string> Coordinator::not_ready() const {
  if (impl_->stopping_) return "draining";
  if (!impl_->parts_.redis.usable()) return "redis";
  if (impl_->standing_.refused()) return "hub_key";
  if (!impl_->term_ && impl_->other_hub_.other(impl_->parts_.clock.now())) return "redis_shared";
  return std::nullopt;
}

}  // namespace botburrow::coordinator
