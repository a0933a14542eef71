#include "cli/system.hpp"

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/metric_table.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <filesystem>
#include <set>

namespace botburrow::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kReadyTime = 60s;
constexpr auto kRegisterPeriod = 3s;
constexpr const char* kOwner = "owner";
constexpr const char* kService = "botburrow";

std::string new_key(const char* kind) {
  return fmt::format("botburrow_{}_{}", kind, random_hex(32));
}

// Keys stay the same over restarts: links and scripts go on working.
RunningSystem keys_of(const std::string& folder) {
  RunningSystem keys;
  if (auto kept = find_keys(folder)) keys = std::move(*kept);
  if (keys.owner_key.empty()) keys.owner_key = Secret(new_key("human"));
  if (keys.service_key.empty()) keys.service_key = Secret(new_key("service"));
  if (keys.admin_key.empty()) keys.admin_key = Secret(new_key("admin"));
  return keys;
}

}  // namespace

struct System::Impl {
  Impl(const Ground& g, SystemOptions o)
      : ground(g),
        log(g.log.with({{"service", "up"}})),
        options(std::move(o)),
        lock(options.data_folder),
        running(keys_of(options.data_folder)),
        redis(g.executor, options.data_folder, g.random, g.log.with({{"service", "redis"}}),
              {.path = g.environment.variable("PATH").value_or(""),
               .folder_stays = options.data_stays}),
        tasks(g.executor, [this](const std::string& name, std::exception_ptr failure) {
          log.error("task_failed", {{"task", name}, {"error", describe(failure)}});
        }) {
    ground.environment.scrubber->add(
        std::vector{running.owner_key, running.service_key, running.admin_key});
  }

  Ground with_service(const char* name) const {
    auto own = ground;
    own.log = ground.log.with({{"service", name}});
    return own;
  }

  ServicePlace place(int port) const {
    return {.hub_url = running.hub_url,
            .hub_key = running.service_key,
            .redis_url = running.redis_url,
            .host = ground.settings.text("METRICS_HOST"),
            .port = port,
            .data_folder = options.data_folder,
            .admin_key = admin_key()};
  }

  // The one that is set, else the one that was made.
  Secret admin_key() const {
    auto set = ground.settings.secret("ADMIN_KEY");
    return set.empty() ? running.admin_key : set;
  }

  void start_hub() {
    auto hub_settings = hub_options(ground.settings, options.data_folder);
    hub_settings.port = options.hub_port;
    if (hub_settings.admin_key.empty() && hub_settings.admin_key_hash.empty()) {
      hub_settings.admin_key_hash = sha256_hex(running.admin_key.reveal());
    }
    const auto own = with_service("hub");
    add_process_metrics(hub_metrics);
    declare_metrics(hub_metrics, "hub");
    hub = std::make_unique<hub::HubServer>(ground.executor, std::move(hub_settings), ground.clock,
                                           ground.random, own.log, hub_metrics);
    starting("--hub-port", [this] { hub->start(); });
    running.hub_url = hub->url();
  }

  template <class Start>
  void starting(const char* flag, Start start) {
    try {
      start();
    } catch (const Error& error) {
      if (error.code() != errc::port_in_use) throw;
      throw Error(errc::port_in_use,
                  fmt::format("{} ({} 0 takes any free one)", error.message(), flag));
    }
  }

  // A folder that is not there is the commonest slip: said before anything is started.
  void check_definitions() const {
    const auto path = ground.settings.text("AGENT_DEFINITIONS_PATH");
    if (definitions::FolderSource(path).usable()) return;
    throw Error(errc::bad_input,
                fmt::format("{}: no agents/ folder there; name your agents with --definitions DIR, "
                            "e.g. --definitions examples",
                            path));
  }

  Task<> start() {
    check_definitions();
    start_hub();
    co_await redis.start();
    running.redis_url = redis.url();
    co_await hub->until_ready();
    co_await hub->ensure_key(kOwner, "human", running.owner_key.reveal());
    co_await hub->ensure_key(kService, "service", running.service_key.reveal());
    coordinator = std::make_unique<CoordinatorService>(with_service("coordinator"),
                                                       place(options.coordinator_port));
    starting("--coordinator-port", [this] { coordinator->start(); });
    coordinator_started = true;
    running.coordinator_url = coordinator->url();
    runner = std::make_unique<RunnerService>(with_service("runner"), place(options.runner_port));
    co_await register_agents();
    starting("--runner-port", [this] { runner->start(); });
    runner_started = true;
    running.runner_url = runner->url();
    client_metrics = std::make_unique<Metrics>();
    service_client = client_with(running.service_key);
    owner_client = client_with(running.owner_key);
    admin_client = client_with(running.admin_key);
    operator_redis = std::make_unique<net::Redis>(
        ground.executor, net::parse_redis_url(running.redis_url),
        net::Redis::Options{.name = "botburrow-up"}, log, ground.random);
    operator_redis->start();
    view = std::make_unique<queue::OperatorView>(*operator_redis, ground.log);
    co_await until_all_ready();
    running.pid = ::getpid();
    running.definitions = std::filesystem::absolute(ground.settings.text("AGENT_DEFINITIONS_PATH"));
    running.min_activation_interval = ground.settings.seconds("MIN_ACTIVATION_INTERVAL");
    tasks.spawn("register", [this] { return register_loop(); });
    write_running(options.data_folder, running);
  }

  std::unique_ptr<HubParts> client_with(const Secret& key) {
    return std::make_unique<HubParts>(with_service("up"), running.hub_url, key, *client_metrics);
  }

  Task<> until_all_ready() {
    const auto patience = Deadline::in(kReadyTime);
    for (;;) {
      bool claims = false;
      try {
        claims = coordinator->is_leader() && co_await coordinator->claims_allowed();
      } catch (const Error&) {
      }
      if (claims && coordinator->ready() && runner->ready() && operator_redis->connected())
        co_return;
      if (patience.passed())
        throw Error(
            errc::timeout,
            "not all services were ready within a minute; the log above says which and why");
      co_await sleep_for(5ms);
    }
  }

  // Agents are told to the Hub as they appear; one that cannot be registered does not hide the
  // rest.
  Task<> register_agents() {
    auto& catalog = runner->definitions().catalog;
    const auto names = co_await catalog.list();
    listed.clear();
    ignored = catalog.ignored();
    for (const auto& name : names) {
      ListedAgent agent{.name = name};
      try {
        const auto entry = co_await catalog.get(name);
        const auto& definition = *entry.definition;
        agent.type = definition.type_name;
        agent.may_write =
            definitions::effective_grants(runner->policy(), name, definition.capabilities.grants)
                .granted.holds("hub:write");
        if (!definition.runs_in_loop()) {
          if (const auto refusal = co_await runner->outside().refusal(entry.definition))
            agent.problem = fmt::format("waiting for an executor: {}", *refusal);
        }
        if (entry.last_good)
          agent.problem =
              "its files are broken: the last good version is in use (botburrow validate)";
        if (registered.insert(name).second) {
          co_await hub->register_agent({.name = name,
                                        .display_name = definition.display_name.value_or(""),
                                        .description = definition.description.value_or(""),
                                        .type = definition.type_name});
        }
      } catch (const Error& error) {
        agent.problem = error.message();
        registered.erase(name);
      }
      listed.push_back(std::move(agent));
    }
  }

  Task<> register_loop() {
    for (;;) {
      co_await sleep_for(kRegisterPeriod);
      try {
        co_await register_agents();
      } catch (const Error& error) {
        if (trouble.allow(ground.clock.now()))
          log.warning("agents_not_listed", {{"error", error.message()}});
      }
    }
  }

  Task<> stop(std::chrono::nanoseconds grace) {
    remove_running(options.data_folder);
    co_await tasks.stop();
    if (runner_started) co_await runner->drain(grace);
    if (coordinator_started) co_await coordinator->stop();
    if (operator_redis) co_await operator_redis->stop();
    if (hub) co_await hub->stop(5s);
    co_await redis.stop();
  }

  Ground ground;
  Log log;  ///< of what belongs to none of the services
  SystemOptions options;
  DataFolderLock lock;
  RunningSystem running;
  RedisProcess redis;
  Metrics hub_metrics;
  std::unique_ptr<hub::HubServer> hub;
  std::unique_ptr<CoordinatorService> coordinator;
  std::unique_ptr<RunnerService> runner;
  bool coordinator_started = false;
  bool runner_started = false;
  std::unique_ptr<Metrics> client_metrics;
  std::unique_ptr<HubParts> service_client, owner_client, admin_client;
  std::unique_ptr<net::Redis> operator_redis;
  std::unique_ptr<queue::OperatorView> view;
  std::vector<ListedAgent> listed;
  std::vector<definitions::Problem> ignored;
  std::set<std::string> registered;
  LogThrottle trouble{60s};
  TaskGroup tasks;
};

System::System(const Ground& ground, SystemOptions options)
    : impl_(std::make_unique<Impl>(ground, std::move(options))) {}
System::~System() = default;

Task<> System::start() {
  std::exception_ptr failure;
  try {
    co_await impl_->start();
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  // What was started is stopped also when it is a cancellation that ends the start.
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  co_await shielded(impl_->stop(0s));
  co_await boost::asio::this_coro::throw_if_cancelled(true);
  std::rethrow_exception(failure);
}

Task<> System::stop(std::chrono::nanoseconds grace) {
  co_await shielded(impl_->stop(grace));
}
void System::hurry() {
  if (impl_->runner) impl_->runner->hurry();
}
const RunningSystem& System::running() const {
  return impl_->running;
}
bool System::healthy() const {
  return impl_->runner->healthy() && impl_->coordinator->healthy();
}
bool System::stuck() const {
  return (impl_->runner && impl_->runner->definitions().stuck()) ||
         (impl_->coordinator && impl_->coordinator->stuck());
}
const std::vector<ListedAgent>& System::agents() const {
  return impl_->listed;
}
const std::vector<definitions::Problem>& System::ignored() const {
  return impl_->ignored;
}
const sandbox::TierReport* System::sandbox() const {
  return impl_->runner ? impl_->runner->sandbox() : nullptr;
}
hubapi::HubClient& System::hub() {
  return impl_->service_client->hub;
}
hubapi::HubClient& System::owner() {
  return impl_->owner_client->hub;
}
hubapi::HubClient& System::admin() {
  return impl_->admin_client->hub;
}
queue::OperatorView& System::view() {
  return *impl_->view;
}

}  // namespace botburrow::cli
