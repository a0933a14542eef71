#include "runner/supervisor.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::runner {

using agent::Ending;
using namespace std::chrono_literals;

namespace {

// As long as Redis may be away before an operator must act; a draining runner does not wait for it.
constexpr auto kSettlePatience = 600s;
constexpr auto kSettlePatienceDraining = 2s;
constexpr auto kDeadlineSlack = 10s;

template <class T>
Task<T> within_patience(bool draining, Task<T> call) {
  return with_deadline("Redis",
                       draining ? Deadline::in(kSettlePatienceDraining) : Deadline::never(),
                       std::move(call));
}

Task<> run_into(agent::Activation& activation, Deadline deadline, std::optional<Ending>& ending) {
  ending = co_await activation.run(deadline);
}

std::string notes_json(const agent::Tally& tally) {
  json::array notes;
  for (const auto& note : tally.notes) {
    notes.push_back({{"notification_id", note.notification_id},
                     {"outcome", note.outcome},
                     {"reason", note.reason},
                     {"comment_id", note.comment_id}});
  }
  return to_json(notes);
}

void log_end(const Log& log, const Ending& ending, const agent::Tally& tally, double seconds) {
  const auto status = queue::status_of(ending.outcome);
  if (queue::is_failure(ending.outcome)) {
    log.error("activation_failed", {{"error", ending.reason}, {"error_type", status}});
  }
  if (ending.outcome == queue::Outcome::timeout)
    log.error("activation_timeout", {{"error", ending.reason}});
  if (ending.outcome == queue::Outcome::skipped || ending.outcome == queue::Outcome::over_budget) {
    log.info("activation_skipped", {{"reason", ending.reason}});
  }
  if (ending.outcome == queue::Outcome::cancelled)
    log.info("activation_cancelled", {{"reason", ending.reason}});
  log.info("activation_completed", {{"success", ending.outcome == queue::Outcome::success},
                                    {"status", status},
                                    {"duration_seconds", seconds},
                                    {"activation_duration", seconds},
                                    {"tokens_input", tally.usage.input},
                                    {"tokens_output", tally.usage.output},
                                    {"cost_usd", tally.cost_usd},
                                    {"posts_created", tally.posts},
                                    {"comments_created", tally.comments},
                                    {"notifications_processed", tally.processed},
                                    {"iterations", tally.iterations},
                                    {"tool_calls", tally.tool_calls},
                                    {"tool_type", tally.tool_type},
                                    LogField::raw("notifications", notes_json(tally))});
}

}  // namespace

Supervisor::Supervisor(Parts parts, Options options, Log log)
    : parts_(parts), options_(std::move(options)), log_(std::move(log)) {}

Task<RunEnd> Supervisor::run_bounded_activation(agent::Activation& activation, HeldLease& lease) {
  RunEnd end{.timeout = options_.activation_timeout};
  const auto deadline = Deadline::in(options_.activation_timeout);
  // Its own calls must not time out in the same moment: that would look like a dependency that is
  // away, and an activation that is too slow would come again for ever.
  const auto later = Deadline::at(deadline.instant() + kDeadlineSlack);
  try {
    end.bound = co_await run_bounded(run_into(activation, later, end.ending), deadline,
                                     lease.stop_source());
  } catch (...) {
    const auto failure = std::current_exception();
    if (!is_cancellation(failure)) end.failure = describe(failure);
  }
  end.stop_reason = lease.stop_reason();
  co_return end;
}

Task<Supervisor::Settled> Supervisor::run(
    queue::Claim claim, std::shared_ptr<HeldLease> lease,
    std::function<std::optional<queue::ClaimRequest>()> next_request) {
  auto log = log_.with({{"activation_id", claim.activation_id.str()},
                        {"agent_id", claim.item.agent_id.str()},
                        {"agent_name", claim.item.agent_name},
                        {"task_type", queue::name_of(claim.item.task_type)}});
  parts_.activation.hub.introduce(claim.item.agent_id, claim.item.agent_name);
  log.info("activation_starting", {{"attempt", claim.attempt}, {"fence", claim.fence.to_string()}});
  auto& clock = parts_.activation.clock;
  const auto begun = clock.now();
  agent::Activation activation(
      parts_.activation, parts_.settings, claim,
      {.may_write = [lease, &clock] { return lease->trusted(clock.now()); },
       .on_unreported = [&](const agent::UnreportedRun& run) { report_dead(run, claim, log); }},
      log);
  const auto end = co_await run_bounded_activation(activation, *lease);
  const double seconds = std::chrono::duration<double>(clock.now() - begun).count();
  co_return co_await settle(decide_ending(end), activation, lease, seconds, std::move(next_request),
                            log);
}

// Its runner died before it could say what it spent. Under its own key, so that however often this
// is said it counts once.
void Supervisor::report_dead(const agent::UnreportedRun& run, const queue::Claim& claim,
                             const Log& log) {
  queue::Claim dead = claim;
  dead.activation_id = run.activation_id;
  const agent::Tally tally{
      .usage = run.usage, .cost_usd = run.cost_usd, .provider = run.provider, .model = run.model};
  log.info("activation_resumed", {{"after", run.activation_id.str()},
                                  {"tokens_input", run.usage.input},
                                  {"tokens_output", run.usage.output}});
  count_spending(tally, dead);
  if (auto consumption = consumption_of(tally, dead, 0)) parts_.reports.rescue(*consumption);
}

Task<Supervisor::Settled> Supervisor::settle(
    Ending ending, agent::Activation& activation, std::shared_ptr<HeldLease> lease, double seconds,
    std::function<std::optional<queue::ClaimRequest>()> next_request, Log log) {
  const auto& claim = activation.claim();
  const auto& tally = activation.tally();
  auto& clock = parts_.activation.clock;
  Next next;
  auto consumption = consumption_of(tally, claim, seconds);
  count_spending(tally, claim);
  bool ours = false;
  if (ending.way == Ending::Way::complete) {
    log_end(log, ending, tally, seconds);
    queue::Completion completion{.lease = lease->ref(),
                                 .outcome = ending.outcome,
                                 .hold_off = ending.hold_off,
                                 .reason = ending.reason,
                                 .result = result_of(ending, tally, claim, seconds, clock.wall()),
                                 .consumption = consumption,
                                 .journal_end = activation.closing_lines(ending)};
    completion.next = next_request();
    const bool cancelled = ending.outcome == queue::Outcome::cancelled;
    auto completed =
        co_await complete(std::move(completion), cancelled ? tally.notification_begun : "", log);
    ours = completed.ours;
    next = std::move(completed.next);
    count(ending, tally, claim, seconds);
  } else if (ending.way == Ending::Way::hand_back) {
    log.info("activation_handed_back",
             {{"handed_back", queue::name_of(ending.hand_back)}, {"reason", ending.reason}});
    parts_.metrics.hand_backs.with({std::string(queue::name_of(ending.hand_back))}).add();
    ours = co_await hand_back({.lease = lease->ref(),
                               .reason = ending.hand_back,
                               .defer = ending.defer,
                               .consumption = consumption,
                               .journal_end = activation.closing_lines(ending)},
                              tally.notification_begun, log);
  } else {
    log.warning("activation_abandoned", {{"reason", ending.reason}});
    parts_.metrics.hand_backs.with({"lost"}).add();
  }
  parts_.keeper.release(claim.activation_id);
  const bool finished = ending.way == Ending::Way::complete;
  // Tokens of a claim that was lost were spent all the same.
  if (consumption && !ours) parts_.reports.rescue(*consumption);
  parts_.reports.after_activation(claim.item.agent_id, ours ? std::move(consumption) : std::nullopt,
                                  finished);
  co_return Settled{.ending = ending,
                    .tally = tally,
                    .next = std::move(next.claim),
                    .lease = std::move(next.lease)};
}

bool Supervisor::give_up(Instant begun) const {
  const auto waited = parts_.activation.clock.now() - begun;
  return waited > (draining_ ? std::chrono::nanoseconds(kSettlePatienceDraining)
                             : std::chrono::nanoseconds(kSettlePatience));
}

Task<> Supervisor::pause_before_retry(int tried) {
  const std::chrono::nanoseconds pause =
      std::min<std::chrono::nanoseconds>(100ms * (1 << std::min(tried, 5)), 2s);
  co_await sleep_for(parts_.random.jitter(pause, 0.2));
}

// A run that was told to end did not fail: its notification keeps all its tries. Before the lease
// ends, or a successor's own try would be forgotten.
Task<> Supervisor::forget_try(const AgentId& agent, std::string& begun) {
  if (begun.empty()) co_return;
  co_await parts_.activation.state.forget_tries(agent, begun);
  begun.clear();
}

Task<Supervisor::Completed> Supervisor::complete(queue::Completion completion,
                                                 std::string begun_notification, Log log) {
  const auto begun = parts_.activation.clock.now();
  for (int tried = 0;; ++tried) {
    std::string trouble;
    try {
      co_await within_patience(draining_,
                               forget_try(completion.lease.agent_id, begun_notification));
      const auto answer = co_await within_patience(draining_, parts_.queue.complete(completion));
      if (!answer.ok && tried == 0)
        log.warning("lock_not_owned", {{"msg", "the lease had ended; nothing was recorded"}});
      Completed completed{.ours = answer.ok, .next = {.claim = answer.next}};
      // Its lease may have begun with the first try.
      if (answer.next) completed.next.lease = parts_.keeper.hold(*answer.next, begun);
      co_return completed;
    } catch (const Error& error) {
      trouble = error.message();
    }
    if (give_up(begun)) {
      log.error("failed_to_update_activation",
                {{"error", trouble}, {"msg", "the item is offered again when its lease ends"}});
      co_return Completed{};
    }
    // An earlier try may have claimed: go on asking for that. Trust counts from the first try, so a
    // grant that is too old is fenced at once and given back uncounted.
    if (completion.next) completion.next->retry = true;
    co_await pause_before_retry(tried);
  }
}

Task<bool> Supervisor::hand_back(queue::HandBack hand_back, std::string begun_notification,
                                 Log log) {
  const auto begun = parts_.activation.clock.now();
  for (int tried = 0;; ++tried) {
    std::string trouble;
    try {
      co_await within_patience(draining_, forget_try(hand_back.lease.agent_id, begun_notification));
      co_return co_await within_patience(draining_, parts_.queue.hand_back(hand_back));
    } catch (const Error& error) {
      trouble = error.message();
    }
    if (give_up(begun)) {
      log.warning("hand_back_failed",
                  {{"error", trouble}, {"msg", "the item is offered again when its lease ends"}});
      co_return false;
    }
    co_await pause_before_retry(tried);
  }
}

Task<> Supervisor::give_back(queue::Claim claim, std::shared_ptr<HeldLease> lease,
                             queue::HandBackReason reason) {
  parts_.metrics.hand_backs.with({std::string(queue::name_of(reason))}).add();
  co_await hand_back({.lease = lease->ref(), .reason = reason}, "", log_);
  parts_.keeper.release(claim.activation_id);
}

std::optional<queue::OutboxEntry> Supervisor::consumption_of(const agent::Tally& tally,
                                                             const queue::Claim& claim,
                                                             double seconds) const {
  if (tally.usage.input + tally.usage.output == 0) return std::nullopt;
  const hubapi::Consumption consumption{
      .agent_id = claim.item.agent_id.str(),
      .activation_id = claim.activation_id.str(),
      .model = tally.model,
      .tool_type = tally.tool_type,
      .task_type = std::string(queue::name_of(claim.item.task_type)),
      .tokens_input = tally.usage.input,
      .tokens_output = tally.usage.output,
      .cost_usd = tally.cost_usd,
      .duration_seconds = seconds};
  return queue::OutboxEntry{.key = "c:" + claim.activation_id.str(),
                            .agent_id = claim.item.agent_id,
                            .path = "/system/consumption",
                            .body = to_json(hubapi::HubClient::consumption_body(consumption))};
}

void Supervisor::count(const Ending& ending, const agent::Tally& tally, const queue::Claim& claim,
                       double seconds) {
  auto& m = parts_.metrics;
  const std::string agent = options_.metrics_per_agent ? claim.item.agent_id.str() : "_other";
  const std::string task(queue::name_of(claim.item.task_type));
  const std::string status(queue::status_of(ending.outcome));
  m.activations.with({agent, task, status}).add();
  m.activations_alias.with({agent, tally.tool_type, status}).add();
  m.duration.with({agent, task}).observe(seconds);
  if (queue::is_failure(ending.outcome)) m.failures.with({agent, task, status}).add();
}

void Supervisor::count_spending(const agent::Tally& tally, const queue::Claim& claim) {
  if (tally.usage.input + tally.usage.output == 0) return;
  auto& m = parts_.metrics;
  const std::string agent = options_.metrics_per_agent ? claim.item.agent_id.str() : "_other";
  const auto in = static_cast<double>(tally.usage.input);
  const auto out = static_cast<double>(tally.usage.output);
  m.tokens.with({agent, tally.model, "input"}).add(in);
  m.tokens.with({agent, tally.model, "output"}).add(out);
  m.tokens_used.with({agent, tally.model}).add(in + out);
  m.tokens_by_tool.with({agent, tally.tool_type, "input"}).add(in);
  m.tokens_by_tool.with({agent, tally.tool_type, "output"}).add(out);
  m.cost.with({agent, tally.model}).add(tally.cost_usd);
}

}  // namespace botburrow::runner
