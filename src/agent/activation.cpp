#include "agent/activation.hpp"

#include "agent/metrics.hpp"
#include "agent/run_context.hpp"
#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "sandbox/place.hpp"
#include "tools/hub_tools.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace botburrow::agent {
namespace {

using namespace std::chrono_literals;
using queue::HandBackReason;

constexpr std::chrono::seconds kHubAway{5};
constexpr std::chrono::seconds kHubAwayMax{600};
constexpr std::chrono::seconds kHubRefusesKey{30};
constexpr std::chrono::seconds kPausedHoldOff{60};
constexpr std::chrono::seconds kMcpAway{60};
constexpr std::size_t kReasonBytes = 500;

Ending hub_away(const Error& error) {
  const auto asked = std::chrono::seconds(
      static_cast<std::int64_t>(std::ceil(std::clamp(error.retry_after().value_or(0), 0.0, 1e6))));
  return Ending::handed_back(HandBackReason::hub_away, error.message(),
                             std::clamp(asked, kHubAway, kHubAwayMax));
}

bool may_heal(int status) {
  return status >= 500 || status == 408 || status == 409 || status == 425 || status == 429;
}

// Turns what an activation threw into how its claim ends. The one door of this room.
Ending ending_of(const Error& error, const Log& log) {
  switch (error.code()) {
    case errc::stale_fence:
      return Ending::abandoned(error.message());
    case errc::mcp_unavailable:
      // A server that the agent requires is away: not the agent's fault, and waiting may help.
      return Ending::skipped(error.message(), kMcpAway);
    case errc::budget_exceeded:
      return Ending::over_budget(error.message());
    case errc::journal_full:
      log.error("journal_full", {{"error", error.message()}});
      return Ending::failed(error.message());
    case errc::redis_unavailable:
      return Ending::handed_back(HandBackReason::fenced, error.message());
    case errc::http_unavailable:
    case errc::timeout:
      return hub_away(error);
    case errc::hub_auth:
      // A wrong key of ours says nothing about the agent; a 403 is about this very agent.
      if (error.status() == 403) return Ending::failed(error.message());
      return Ending::handed_back(HandBackReason::hub_away, error.message(), kHubRefusesKey);
    case errc::http_status:
      return may_heal(error.status()) ? hub_away(error) : Ending::failed(error.message());
    default:
      return Ending::failed(error.message());
  }
}

// What fails because time is over is a time-out, and not the fault it looks like.
bool looks_like_timeout(const Ending& ending) {
  if (ending.way == Ending::Way::hand_back) return ending.hand_back == HandBackReason::hub_away;
  return ending.way == Ending::Way::complete && ending.outcome == queue::Outcome::failure;
}

/// What was written counts however the activation ends, a cancellation included.
class CountWrites {
 public:
  CountWrites(const tools::HubWriter& writer, Tally& tally) : writer_(writer), tally_(tally) {}
  ~CountWrites() {
    tally_.posts = writer_.posts_created();
    tally_.comments = writer_.comments_created();
  }
  CountWrites(const CountWrites&) = delete;

 private:
  const tools::HubWriter& writer_;
  Tally& tally_;
};

Task<> put_away(tools::McpSession* servers, sandbox::Place* place) {
  const auto close = [place]() -> Task<> {
    if (place) co_await place->close();
  };
  if (!servers) co_return co_await close();
  co_await with_cleanup<void>(servers->stop(), close);
}

}  // namespace

Activation::Activation(ActivationServices services, const ActivationSettings& settings,
                       queue::Claim claim, Hooks hooks, Log log)
    : services_(services),
      settings_(settings),
      claim_(std::move(claim)),
      hooks_(std::move(hooks)),
      log_(std::move(log)),
      journal_(services_.journal, claim_, services_.prices, services_.clock, services_.metrics,
               services_.scrubber) {}

Activation::~Activation() = default;

Task<Ending> Activation::run(Deadline deadline) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(deadline.left());
  Ending ending;
  try {
    ending = co_await work(deadline);
  } catch (const Error& error) {
    ending = ending_of(error, log_);
  }
  if (deadline.passed() && looks_like_timeout(ending)) {
    ending = Ending::failed(fmt::format("Execution timed out after {} seconds", seconds.count()));
    ending.outcome = queue::Outcome::timeout;
  }
  if (services_.scrubber) ending.reason = services_.scrubber->scrub(std::move(ending.reason));
  co_return ending;
}

Task<std::optional<Ending>> Activation::refuse_by_status(Deadline deadline) {
  std::optional<hubapi::AgentInfo> info;
  try {
    info = co_await services_.hub.agent(claim_.item.agent_id.str(), deadline);
  } catch (const Error& error) {
    // A Hub that does not tell (a plain 4xx) does not pause anybody.
    if (error.status() < 400 || error.status() > 499 || error.status() == 401) throw;
    log_.debug("agent_status_unknown", {{"error", error.message()}});
  }
  if (!info) co_return std::nullopt;
  for (const std::string_view resting : {"paused", "retired", "banned"}) {
    if (info->status != resting) continue;
    co_return Ending::skipped(fmt::format("the Hub says that this agent is {}", resting),
                              kPausedHoldOff);
  }
  co_return std::nullopt;
}

void Activation::note_budget(const hubapi::Budget& budget) {
  const auto& id = claim_.item.agent_id.str();
  const AgentMetrics metrics(services_.metrics);
  const auto show = [&](Metrics::Values& family, double daily, double monthly) {
    family.with({id, "daily"}).set(daily);
    family.with({id, "monthly"}).set(monthly);
  };
  const auto ratio = [](double used, double limit) { return limit > 0 ? used / limit : 0; };
  show(metrics.budget_used, budget.daily_used, budget.monthly_used);
  show(metrics.budget_limit, budget.daily_limit, budget.monthly_limit);
  show(metrics.budget_health, ratio(budget.daily_used, budget.daily_limit),
       ratio(budget.monthly_used, budget.monthly_limit));
  log_.debug("budget_checked", {{"daily_remaining", budget.daily_limit - budget.daily_used},
                                {"monthly_remaining", budget.monthly_limit - budget.monthly_used}});
}

Task<std::optional<Ending>> Activation::refuse_by_budget(Deadline deadline) {
  std::optional<hubapi::Budget> budget;
  try {
    budget = co_await services_.hub.budget(claim_.item.agent_id, deadline);
  } catch (const Error& error) {
    log_.warning("budget_check_failed", {{"error", error.message()}});
    if (!settings_.budget_fails_closed) co_return std::nullopt;
    if (claim_.item.task_type == queue::TaskType::discovery) {
      co_return Ending::skipped("the budget cannot be read (BUDGET_FAIL_MODE=closed)", 60s);
    }
    co_return Ending::handed_back(HandBackReason::hub_away,
                                  "the budget cannot be read (BUDGET_FAIL_MODE=closed)", 30s);
  }
  if (!budget) co_return std::nullopt;
  note_budget(*budget);
  if (const auto refusal = budget_refusal(*budget, claim_.item.task_type)) {
    log_.info("budget_refused", {{"reason", refusal->reason}});
    // Held off as a whole, an agent could not answer either.
    if (!refusal->all_work) co_return Ending::skipped(refusal->reason);
    log_.warning("agent_budget_exceeded", {{"reason", refusal->reason}});
    co_return Ending::over_budget(refusal->reason);
  }
  if (budget->status == hubapi::BudgetStatus::warning) {
    log_.warning("budget_warning", {{"reason", budget_line(*budget)}});
  }
  budget_line_ = budget_line(*budget);
  budget_left_usd_ = budget_left_usd(*budget);
  co_return std::nullopt;
}

definitions::GrantSet Activation::grants_of(const definitions::AgentDefinition& definition) {
  auto effective = definitions::effective_grants(settings_.policy, definition.name,
                                                 definition.capabilities.grants);
  auto& denied = AgentMetrics(services_.metrics).grant_denied;
  for (const auto& refused : effective.refused) {
    log_.warning("grant_denied", {{"grant", refused.grant}, {"rule", refused.rule}});
    denied.with({refused.grant}).add();
  }
  return std::move(effective.granted);
}

std::string Activation::closing_lines(const Ending& ending) {
  const bool handed_back = ending.way == Ending::Way::hand_back;
  return journal_.closing_lines(
      {{"outcome", handed_back ? "handed_back" : queue::name_of(ending.outcome)},
       {"reason", utf8_prefix(ending.reason, kReasonBytes)},
       {"tokens_input", tally_.usage.input},
       {"tokens_output", tally_.usage.output},
       {"cost_usd", tally_.cost_usd},
       {"posts_created", tally_.posts},
       {"comments_created", tally_.comments}});
}

Task<> Activation::open_journal() {
  co_await journal_.open();
  if (!hooks_.on_unreported) co_return;
  for (const auto& run : journal_.unreported())
    hooks_.on_unreported(run);
}

// Everything a model may call. Another kind of tool joins here, its grants in the grant table.
void Activation::fill_toolbox(tools::Toolbox& toolbox, tools::HubWriter& writer,
                              sandbox::Place* place,
                              const definitions::AgentDefinition& definition) {
  toolbox.offer(tools::make_hub_tools(services_.hub, writer, claim_.item.agent_id));
  // A program beside us brings hands of its own.
  if (place && definition.runs_in_loop()) {
    toolbox.offer(tools::make_core_tools(*place, definition.capabilities.shell, settings_.tools));
  }
}

Task<Ending> Activation::work(Deadline deadline) {
  co_await open_journal();
  const auto entry = co_await services_.catalog.get(claim_.item.agent_name);
  const auto definition = entry.definition;
  tally_.model = definition->brain.model;
  tally_.provider = definition->brain.provider;
  if (!definition->runs_in_loop()) tally_.tool_type = definition->type_name;
  if (auto refused = co_await refuse_by_status(deadline)) co_return *refused;
  if (auto refused = co_await refuse_by_budget(deadline)) co_return *refused;

  const auto grants = grants_of(*definition);
  tools::HubWriter writer(
      services_.hub, services_.state, services_.clock,
      {.id = claim_.item.agent_id, .name = definition->name, .fence = claim_.fence.to_string()},
      {.limits = definition->behavior.limits,
       .can_create_posts = definition->behavior.can_create_posts,
       .grants = grants,
       .scrubber = services_.scrubber},
      hooks_.may_write, journal_, log_, services_.metrics);
  const CountWrites count(writer, tally_);
  std::optional<sandbox::Place> place;
  if (services_.sandboxes) {
    place.emplace(*services_.sandboxes, claim_.activation_id.str(), log_,
                  sandbox::NetworkPolicy{.enabled = definition->network.enabled,
                                         .allowed_hosts = definition->network.allowed_hosts,
                                         .blocked_hosts = definition->network.blocked_hosts});
  }
  tools::Toolbox toolbox(log_, services_.metrics,
                         tools::GrantTable(grants, definition->capabilities.shell.enabled),
                         settings_.tools.output_bytes_max);
  toolbox.scrub_with(services_.scrubber);
  fill_toolbox(toolbox, writer, place ? &*place : nullptr, *definition);
  std::unique_ptr<tools::SandboxLauncher> launcher;
  if (place) launcher = std::make_unique<tools::SandboxLauncher>(*place, deadline);
  const auto mcp =
      mcp_session(*definition, grants, writer, launcher.get(), place ? &*place : nullptr);
  RunContext context{.services = services_,
                     .settings = settings_,
                     .claim = claim_,
                     .definition = definition,
                     .grants = grants,
                     .budget_line = budget_line_,
                     .budget_left_usd = budget_left_usd_,
                     .writer = writer,
                     .toolbox = toolbox,
                     .journal = journal_,
                     .tally = tally_,
                     .deadline = deadline,
                     .log = log_,
                     .mcp = mcp.get(),
                     .place = place ? &*place : nullptr};
  auto run = claim_.item.task_type == queue::TaskType::discovery ? run_discovery(context)
                                                                 : run_inbox(context);
  co_return co_await with_cleanup(std::move(run),
                                  [servers = mcp.get(), place = place ? &*place : nullptr] {
                                    return put_away(servers, place);
                                  });
}

std::unique_ptr<tools::McpSession> Activation::mcp_session(
    const definitions::AgentDefinition& definition, const definitions::GrantSet& grants,
    const tools::HubWriter& writer, tools::SandboxLauncher* launcher, sandbox::Place* place) {
  const auto& servers = definition.capabilities.mcp_servers;
  if (!services_.mcp || servers.empty()) return nullptr;
  tools::McpGround ground{.launcher = services_.mcp_launcher};
  if (launcher && !ground.launcher) {
    ground.launcher = launcher;
    ground.workspace = [place] { return place->workspace_inside(); };
  }
  return std::make_unique<tools::McpSession>(
      *services_.mcp, std::move(ground),
      tools::McpSession::Agent{.id = claim_.item.agent_id,
                               .name = definition.name,
                               .grants = grants,
                               .servers = servers},
      tools::McpCalls{.journal = journal_,
                      .may_write = hooks_.may_write,
                      .scope = [&writer] { return writer.scope(); },
                      .agent_id = claim_.item.agent_id.str(),
                      .metrics = services_.metrics},
      log_);
}

}  // namespace botburrow::agent
