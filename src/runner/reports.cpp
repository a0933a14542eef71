#include "runner/reports.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/stop.hpp"

namespace botburrow::runner {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kOutboxBatch = 100;
constexpr auto kSendTime = 30s;
constexpr auto kPutTime = 2s;

}  // namespace

Reports::Reports(boost::asio::any_io_executor executor, queue::WorkQueue& queue,
                 hubapi::HubClient& hub, Log log, std::chrono::milliseconds period)
    : queue_(queue),
      hub_(hub),
      log_(std::move(log)),
      period_(period),
      tasks_(std::move(executor), [this](const std::string&, std::exception_ptr failure) {
        // Not an error of the activation: the outbox sends it again.
        log_.warning("metrics_report_delayed", {{"error", describe(failure)}});
      }) {}

void Reports::after_activation(AgentId agent, std::optional<queue::OutboxEntry> entry,
                               bool activated) {
  if (!entry && !activated) return;
  tasks_.spawn("report",
               [this, agent, entry, activated] { return report(agent, entry, activated); });
}

void Reports::rescue(queue::OutboxEntry entry) {
  tasks_.spawn("rescue", [this, entry] { return put_and_send(entry); });
}

Task<> Reports::report(AgentId agent, std::optional<queue::OutboxEntry> entry, bool activated) {
  std::exception_ptr failure;
  try {
    if (entry) co_await send(*entry);
  } catch (...) {
    failure = std::current_exception();
  }
  if (activated && !is_cancellation(failure)) co_await stamp(agent);
  if (failure) std::rethrow_exception(failure);
}

Task<> Reports::stamp(AgentId agent) {
  co_await hub_.activated(agent, Deadline::in(kSendTime));
  log_.debug("updated_agent_activation", {{"agent_id", agent.str()}});
}

Task<> Reports::put_and_send(queue::OutboxEntry entry) {
  try {
    // A Redis that is away leaves time for the other way before a drain is over.
    co_await with_deadline("Redis", Deadline::in(kPutTime), queue_.put_outbox(entry));
  } catch (const Error& error) {
    log_.warning("metrics_report_delayed",
                 {{"error", error.message()}, {"msg", "not in the outbox; this is its only try"}});
  }
  co_await send(entry);
}

Task<> Reports::send(queue::OutboxEntry entry) {
  if (!sending_.insert(entry.key).second) co_return;
  std::exception_ptr failure;
  bool settled = false;
  try {
    settled = co_await hub_.report(entry.agent_id.str(), entry.path, entry.body, entry.key,
                                   Deadline::in(kSendTime));
    if (settled) co_await queue_.remove_outbox(entry.key);
  } catch (...) {
    failure = std::current_exception();
  }
  sending_.erase(entry.key);
  if (failure) std::rethrow_exception(failure);
  if (settled)
    log_.debug("reported_consumption", {{"key", entry.key}, {"agent_id", entry.agent_id.str()}});
}

// A round may take the time of several slow reports.
void Reports::tick(LoopTicks& ticks, Clock& clock) const {
  ticks.tick("outbox", period_ + kSendTime * 4, clock.now());
}

// What another runner is sending just now is not sent beside it: only what was left for a period.
Task<> Reports::outbox_round(LoopTicks& ticks, Clock& clock) {
  std::set<std::string> seen;
  std::vector<queue::OutboxEntry> due;
  for (auto& entry : co_await queue_.outbox(kOutboxBatch)) {
    seen.insert(entry.key);
    if (left_.contains(entry.key)) due.push_back(std::move(entry));
  }
  left_ = std::move(seen);
  // One entry that fails in a way of its own must not hold up the others.
  std::exception_ptr failure;
  for (const auto& entry : due) {
    tick(ticks, clock);
    try {
      co_await send(entry);
    } catch (const Error& error) {
      if (error.code() == errc::http_unavailable || error.code() == errc::timeout) throw;
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

Task<> Reports::outbox_loop(LoopTicks& ticks, Clock& clock) {
  LogThrottle trouble(60s);
  for (;;) {
    tick(ticks, clock);
    co_await sleep_for(period_);
    try {
      co_await outbox_round(ticks, clock);
    } catch (...) {
      const auto failure = std::current_exception();
      if (is_cancellation(failure)) throw;
      if (trouble.allow(clock.now()))
        log_.warning("metrics_report_delayed", {{"error", describe(failure)}});
    }
  }
}

Task<> Reports::until_idle() {
  while (tasks_.size() > 0)
    co_await sleep_for(10ms);
}

Task<> Reports::flush(std::chrono::nanoseconds grace) {
  StopSource never(tasks_.executor());
  co_await run_bounded(until_idle(), Deadline::in(grace), never);
  co_await tasks_.stop();
}

}  // namespace botburrow::runner
