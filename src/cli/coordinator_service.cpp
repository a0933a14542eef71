#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "cli/services.hpp"
#include "console/console.hpp"

#include <fmt/format.h>

namespace botburrow::cli {
namespace {

/// How many leases `--once` waits for leadership: that of a leader that died ends within two.
constexpr int kOncePatience = 3;

coordinator::CoordinatorOptions options_of(const Settings& settings) {
  return {.instance_id = settings.text("INSTANCE_ID"),
          .leader_lease = settings.seconds("LEADER_LEASE_SECONDS"),
          .crash_attempts_max = static_cast<int>(settings.integer("MAX_CRASH_ATTEMPTS")),
          .poll = {.poll_interval = settings.seconds("POLL_INTERVAL"),
                   .long_poll_timeout = settings.seconds("LONG_POLL_TIMEOUT"),
                   .batch = static_cast<int>(settings.integer("POLL_BATCH_SIZE")),
                   .min_staleness = settings.seconds("MIN_ACTIVATION_INTERVAL"),
                   .staleness_interval = settings.seconds("STALENESS_CHECK_INTERVAL")}};
}

console::ConsoleOptions console_options(const Settings& settings, const ServicePlace& place) {
  return {.instance_id = settings.text("INSTANCE_ID"),
          .admin_key = place.admin_key,
          .loopback_trusted = settings.boolean("CONSOLE_LOOPBACK_TRUST"),
          .min_activation_interval = settings.seconds("MIN_ACTIVATION_INTERVAL")};
}

}  // namespace

struct CoordinatorService::Impl {
  Impl(const Ground& ground, const ServicePlace& place)
      : queue(ground, place.redis_url, "botburrow-coordinator", metrics),
        hub(ground, place.hub_url, place.hub_key, metrics),
        definitions(ground, "", queue.commands, metrics),
        election(queue.commands, ground.random.uuid4(), ground.settings.text("INSTANCE_ID"),
                 ground.settings.seconds("LEADER_LEASE_SECONDS")),
        coordinator(ground.executor, options_of(ground.settings),
                    {.redis = queue.commands,
                     .election = election,
                     .queue = queue.queue,
                     .view = queue.view,
                     .heartbeats = queue.heartbeats,
                     .hub = hub.hub,
                     .clock = ground.clock,
                     .random = ground.random,
                     .catalog = &definitions.catalog,
                     .cache = &definitions.cache},
                    ground.log, metrics),
        console_redis(ground.executor, net::parse_redis_url(place.redis_url),
                      {.name = "botburrow-console"}, ground.log, ground.random),
        console(ground.executor, console_options(ground.settings, place),
                {.redis = console_redis,
                 .hub = hub.hub,
                 .catalog = definitions.catalog,
                 .clock = ground.clock,
                 .is_leader = [this] { return coordinator.is_leader(); },
                 .hub_seen = [this]() -> std::optional<console::HubSeen> {
                   const auto last = coordinator.last_poll();
                   if (!last) return std::nullopt;
                   return console::HubSeen{.at = last->at, .error = last->error};
                 },
                 .scrubber = ground.environment.scrubber.get()},
                ground.log, metrics),
        http(ground, place,
             {.name = "botburrow-coordinator",
              .unhealthy = [this] { return coordinator.unhealthy(); },
              .not_ready = [this] { return coordinator.not_ready(); },
              .page = console::Console::page},
             definitions, metrics),
        leader_lease(ground.settings.seconds("LEADER_LEASE_SECONDS")) {
    console.add_routes(http.server());
  }

  Metrics metrics;
  QueueParts queue;
  HubParts hub;
  DefinitionParts definitions;
  queue::RedisElection election;
  coordinator::Coordinator coordinator;
  net::Redis console_redis;  // its own: a page holds up no renewal
  console::Console console;
  ServiceHttp http;
  std::chrono::seconds leader_lease;
};

CoordinatorService::CoordinatorService(const Ground& ground, const ServicePlace& place)
    : impl_(std::make_unique<Impl>(ground, place)) {}
CoordinatorService::~CoordinatorService() = default;

void CoordinatorService::start() {
  impl_->http.start();
  impl_->queue.start();
  impl_->console_redis.start();
  impl_->coordinator.start();
  impl_->console.start();
}

Task<> CoordinatorService::stop() {
  co_await impl_->coordinator.stop();
  co_await impl_->console.stop();
  co_await impl_->console_redis.stop();
  co_await impl_->queue.stop();
  co_await impl_->http.stop();
}

Task<coordinator::PollCounts> CoordinatorService::look_once() {
  co_await impl_->queue.commands.ready(Deadline::in(std::chrono::seconds(5)));
  co_return co_await impl_->coordinator.once(kOncePatience * impl_->leader_lease);
}

Task<coordinator::PollCounts> CoordinatorService::once() {
  impl_->queue.start();
  co_return co_await with_cleanup(look_once(), [this] { return stop(); });
}

bool CoordinatorService::healthy() const {
  return !impl_->coordinator.unhealthy();
}
bool CoordinatorService::ready() const {
  return !impl_->coordinator.not_ready();
}
bool CoordinatorService::is_leader() const {
  return impl_->coordinator.is_leader();
}
bool CoordinatorService::stuck() const {
  return impl_->definitions.stuck();
}
std::string CoordinatorService::url() const {
  return impl_->http.url();
}

Task<bool> CoordinatorService::claims_allowed() {
  const auto seen = co_await impl_->queue.queue.generation();
  co_return seen.generation.has_value();
}

}  // namespace botburrow::cli
