#include "base/cleanup.hpp"
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "cli/exit_code.hpp"
#include "cli/program_agents.hpp"
#include "cli/services.hpp"
#include "coordinator/generation_check.hpp"
#include "runner/reports.hpp"
#include "runner/supervisor.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::cli {
namespace {

using namespace std::chrono_literals;

runner::RunnerOptions options_of(const Ground& ground) {
  const auto& settings = ground.settings;
  return {.runner_id = RunnerId(settings.text("RUNNER_ID")),
          .incarnation = ground.random.uuid4(),
          .mode = queue::parse_runner_mode(settings.text("RUNNER_MODE"))
                      .value_or(queue::RunnerMode::hybrid),
          .slots = static_cast<int>(settings.integer("MAX_CONCURRENT_ACTIVATIONS")),
          .lease = settings.seconds("LEASE_SECONDS"),
          .activation_timeout = settings.seconds("ACTIVATION_TIMEOUT"),
          .metrics_per_agent = settings.boolean("METRICS_PER_AGENT")};
}

std::string path_of(const Ground& ground) {
  return ground.environment.variable("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
}

/// What a runner needs to run activations, with or without the service around it.
struct ActivationParts {
  ActivationParts(const Ground& ground, const ServicePlace& place, const std::string& name,
                  Metrics& metrics)
      : queue(ground, place.redis_url, name, metrics),
        hub(ground, place.hub_url, place.hub_key, metrics),
        definitions(ground, place.data_folder.empty() ? "" : place.data_folder + "/definitions",
                    queue.commands, metrics),
        models(ground, metrics),
        mcp(ground, queue.commands, definitions.pool, metrics),
        sandboxes(sandbox_settings(ground.settings, path_of(ground)), ground.log, metrics,
                  {.http = &models.http, .models = model_routes(ground.settings)}),
        outside(ground, sandboxes, path_of(ground)),
        skills(definitions.catalog),
        settings(activation_settings(ground.settings, path_of(ground), ground.log)),
        services{.hub = hub.hub,
                 .state = queue.state,
                 .journal = queue.journal,
                 .catalog = definitions.catalog,
                 .skills = skills,
                 .models = models.models,
                 .prices = models.prices,
                 .clock = ground.clock,
                 .metrics = metrics,
                 .scrubber = ground.environment.scrubber.get(),
                 .mcp = &mcp.services,
                 .sandboxes = &sandboxes,
                 .outside = &outside} {}

  QueueParts queue;
  HubParts hub;
  DefinitionParts definitions;
  ModelParts models;
  McpParts mcp;
  sandbox::Sandboxes sandboxes;
  ProgramAgents outside;
  agent::SkillShelf skills;
  agent::ActivationSettings settings;
  agent::ActivationServices services;
};

}  // namespace

struct RunnerService::Impl {
  Impl(const Ground& ground, const ServicePlace& place)
      : parts(ground, place, "botburrow-runner", metrics),
        runner(ground.executor, options_of(ground),
               {.queue = parts.queue.queue,
                .heartbeats = parts.queue.heartbeats,
                .redis = parts.queue.commands,
                .activation = parts.services,
                .settings = parts.settings,
                .cache = parts.definitions.cache,
                .random = ground.random},
               ground.log, metrics),
        http(ground, place,
             {.name = "botburrow-runner",
              .unhealthy = [this] { return runner.unhealthy(); },
              .not_ready = [this] { return not_ready(); },
              .also_forget = [this] { parts.skills.invalidate(); }},
             parts.definitions, metrics),
        tasks(ground.executor) {}

  std::optional<std::string> not_ready() const {
    if (auto reason = runner.not_ready()) return reason;
    if (!parts.definitions.usable()) return "definitions";
    return std::nullopt;
  }

  Metrics metrics;
  ActivationParts parts;
  runner::Runner runner;
  ServiceHttp http;
  TaskGroup tasks;  // last: its tasks use all of the above
};

RunnerService::RunnerService(const Ground& ground, const ServicePlace& place)
    : impl_(std::make_unique<Impl>(ground, place)) {}
RunnerService::~RunnerService() = default;

void RunnerService::start() {
  impl_->http.start();
  impl_->parts.queue.start();
  impl_->tasks.spawn("sandboxes", [this] { return impl_->parts.sandboxes.start(); });
  impl_->runner.start();
  impl_->tasks.spawn("definitions",
                     [impl = impl_.get()] { return impl->parts.definitions.watch_loop(); });
}

Task<> RunnerService::drain(std::chrono::nanoseconds grace) {
  co_await impl_->runner.drain(grace);
  co_await impl_->tasks.stop();
  co_await impl_->parts.queue.stop();
  co_await impl_->http.stop();
}

void RunnerService::hurry() {
  impl_->runner.hurry();
}
bool RunnerService::healthy() const {
  return !impl_->runner.unhealthy();
}
bool RunnerService::ready() const {
  return !impl_->not_ready();
}
std::string RunnerService::url() const {
  return impl_->http.url();
}
DefinitionParts& RunnerService::definitions() {
  return impl_->parts.definitions;
}
agent::OutsideAgents& RunnerService::outside() {
  return impl_->parts.outside;
}
const sandbox::TierReport* RunnerService::sandbox() const {
  const auto& known = impl_->parts.sandboxes.known_tier();
  return known ? &*known : nullptr;
}
const definitions::GrantPolicy& RunnerService::policy() const {
  return impl_->parts.settings.policy;
}

namespace {

// A generation must stand in Redis before anything is claimed. Where no coordinator has ever run,
// lead for the moment it takes to begin one.
Task<> ensure_generation(const Ground& ground, ActivationParts& parts) {
  if ((co_await parts.queue.queue.generation()).generation) co_return;
  queue::RedisElection election(parts.queue.commands, ground.random.uuid4(),
                                ground.settings.text("RUNNER_ID"));
  const auto seen = co_await election.observe();
  if (!seen.free()) co_return;  // Whoever leads is about to do it.
  const auto epoch = co_await election.take(seen);
  if (!epoch) co_return;
  coordinator::GenerationCheck check(parts.queue.queue, parts.queue.commands, parts.hub.hub, *epoch,
                                     ground.clock, ground.random, ground.log);
  std::exception_ptr failure;
  try {
    co_await check.check();
  } catch (...) {
    failure = std::current_exception();
  }
  co_await election.release(*epoch);
  if (failure) std::rethrow_exception(failure);
}

// Takes the one agent's item out of the queues the way every runner does: other items that come up
// are given back at once, uncounted, and passed over from then on.
struct Granted {
  queue::Claim claim;
  Instant sent;  // when it was asked for: trust counts from there
};

Task<Granted> claim_agent(const Ground& ground, ActivationParts& parts, std::string agent,
                          const runner::RunnerOptions& options, StopRequest& stop) {
  const auto deadline = Deadline::in(30s);
  std::vector<AgentId> exclude;
  while (!deadline.passed()) {
    if (stop.requested())
      throw Error(errc::cancelled_by_owner, "interrupted before the work was claimed");
    queue::WorkItem item{
        .agent_id = AgentId(agent), .agent_name = agent, .priority = queue::Priority::high};
    std::vector<queue::WorkItem> items{item};
    const auto results = co_await parts.queue.queue.enqueue(std::move(items), {.force = true});
    if (results.front() == queue::EnqueueResult::dup_active) {
      throw Error(
          errc::already_exists,
          fmt::format("{} is being worked on by another runner now; try again when it is done",
                      agent));
    }
    const auto sent = ground.clock.now();
    auto claim =
        co_await parts.queue.queue.claim({.runner_id = options.runner_id,
                                          .mode = queue::RunnerMode::hybrid,
                                          .lease = options.lease,
                                          .activation_id = ActivationId(ground.random.uuid4()),
                                          .exclude = exclude,
                                          .activation_timeout = options.activation_timeout});
    if (!claim) {
      co_await sleep_for(100ms);
      continue;
    }
    if (claim->item.agent_id.str() == agent) co_return Granted{std::move(*claim), sent};
    exclude.push_back(claim->item.agent_id);
    co_await parts.queue.queue.hand_back(
        {.lease = queue::ref_of(*claim), .reason = queue::HandBackReason::drain});
  }
  throw Error(errc::timeout,
              fmt::format("the work of {} could not be claimed within 30 s; see `botburrow status`",
                          agent));
}

Task<> stop_when_asked(StopRequest& stop, std::shared_ptr<runner::HeldLease> lease) {
  co_await stop.until_requested();
  lease->stop(runner::StopReason::drain);
}

Task<OneActivation> supervise(const Ground& ground, ActivationParts& parts, queue::Claim claim,
                              Instant sent, Metrics& metrics, StopRequest& stop) {
  const auto options = options_of(ground);
  LoopTicks ticks;
  runner::RunnerMetrics runner_metrics(metrics);
  runner::LeaseKeeper keeper(ground.executor, options.lease, parts.queue.queue, ground.clock, ticks,
                             ground.log);
  runner::Reports reports(ground.executor, parts.queue.queue, parts.hub.hub, ground.log);
  runner::Supervisor supervisor(
      {.queue = parts.queue.queue,
       .activation = parts.services,
       .settings = parts.settings,
       .keeper = keeper,
       .reports = reports,
       .metrics = runner_metrics,
       .random = ground.random},
      {.runner_id = options.runner_id, .activation_timeout = options.activation_timeout},
      ground.log);
  TaskGroup loops(ground.executor);
  auto lease = keeper.hold(claim, sent);
  loops.spawn("renew", [&keeper] { return keeper.renew_loop(); });
  loops.spawn("fence", [&keeper] { return keeper.fence_loop(); });
  loops.spawn("stop", [&stop, lease] { return stop_when_asked(stop, lease); });
  const auto end_loops = [&loops, &reports]() -> Task<> {
    co_await loops.stop();
    co_await reports.flush(10s);
  };
  auto run =
      supervisor.run(std::move(claim), lease, [] { return std::optional<queue::ClaimRequest>(); });
  auto settled = co_await with_cleanup(std::move(run), end_loops);
  co_return OneActivation{.ending = std::move(settled.ending), .tally = std::move(settled.tally)};
}

Task<OneActivation> claim_and_run(const Ground& ground, ActivationParts& parts, std::string agent,
                                  Metrics& metrics, StopRequest& stop) {
  co_await parts.queue.commands.ready(Deadline::in(5s));
  const auto entry =
      co_await with_deadline(fmt::format("reading the definition of {}", agent), Deadline::in(30s),
                             parts.definitions.catalog.get(agent));
  if (!entry.definition->runs_in_loop()) {
    if (const auto refusal = co_await parts.outside.refusal(entry.definition))
      throw Error(errc::not_found, *refusal);
  }
  co_await ensure_generation(ground, parts);
  // The Hub's id may be another than the name.
  const auto known = co_await parts.hub.hub.agent(agent, Deadline::in(30s));
  auto granted = co_await claim_agent(ground, parts, known ? known->id.str() : agent,
                                      options_of(ground), stop);
  granted.claim.item.agent_name = agent;
  co_return co_await supervise(ground, parts, std::move(granted.claim), granted.sent, metrics,
                               stop);
}

}  // namespace

Task<OneActivation> run_one_activation(Ground ground, ServicePlace place, std::string agent,
                                       StopRequest& stop) {
  Metrics metrics;
  ActivationParts parts(ground, place, "botburrow-once", metrics);
  co_await parts.sandboxes.start();
  parts.queue.start();
  std::optional<OneActivation> one;
  std::exception_ptr failure;
  try {
    one = co_await with_cleanup(claim_and_run(ground, parts, std::move(agent), metrics, stop),
                                [&parts] { return parts.queue.stop(); });
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure && parts.definitions.stuck()) leave_process(report_failure(failure));
  if (failure) std::rethrow_exception(failure);
  co_return std::move(*one);
}

}  // namespace botburrow::cli
