#include "coordinator/gauges.hpp"

#include "base/error.hpp"
#include "base/metric_table.hpp"

#include <array>

namespace botburrow::coordinator {
namespace {

using namespace std::chrono_literals;

constexpr auto kPeriod = 15s;

// An unlabelled series exists from the start; these must not before there is something to say.
Metrics::Values& leader_gauge(Metrics& metrics, std::string_view name) {
  auto& family = series_of(metrics, name);
  family.clear();
  return family;
}

}  // namespace

Gauges::Gauges(Metrics& m, queue::OperatorView& view, queue::Heartbeats& heartbeats, Clock& clock,
               LoopTicks& ticks, std::string instance_id, Log log)
    : view_(view),
      heartbeats_(heartbeats),
      clock_(clock),
      ticks_(ticks),
      instance_id_(std::move(instance_id)),
      log_(std::move(log)),
      stats_(60s),
      trouble_(30s),
      depth_(leader_gauge(m, "botburrow_queue_depth")),
      depth_alias_(leader_gauge(m, "botburrow_work_queue_depth")),
      oldest_(leader_gauge(m, "botburrow_queue_oldest_age_seconds")),
      active_(leader_gauge(m, "botburrow_queue_active_tasks")),
      active_alias_(leader_gauge(m, "botburrow_active_tasks")),
      backoff_(leader_gauge(m, "botburrow_queue_agents_in_backoff")),
      backoff_left_(leader_gauge(m, "botburrow_agent_backoff_seconds_remaining")),
      in_backoff_(leader_gauge(m, "botburrow_agent_in_backoff")),
      runners_(leader_gauge(m, "botburrow_runners_active")),
      dead_(leader_gauge(m, "botburrow_work_dead_items")),
      deferred_(leader_gauge(m, "botburrow_work_deferred_items")) {}

void Gauges::clear() {
  for (auto* family : {&depth_, &depth_alias_, &oldest_, &active_, &active_alias_, &backoff_,
                       &backoff_left_, &in_backoff_, &runners_, &dead_, &deferred_}) {
    family->clear();
  }
}

void Gauges::show(const queue::QueueSnapshot& snapshot, std::size_t runners) {
  const std::array<std::pair<const char*, const queue::QueueSnapshot::Lane*>, 3> lanes = {
      {{"high", &snapshot.high}, {"normal", &snapshot.normal}, {"low", &snapshot.low}}};
  for (const auto& [name, lane] : lanes) {
    depth_.with({name}).set(static_cast<double>(lane->length));
    depth_alias_.with({name}).set(static_cast<double>(lane->length));
    oldest_.with({name}).set(lane->oldest_age_seconds);
  }
  const auto active = static_cast<double>(snapshot.active.size());
  active_.with({}).set(active);
  active_alias_.with({}).set(active);
  backoff_.with({}).set(static_cast<double>(snapshot.backoff.size()));
  backoff_left_.clear();
  in_backoff_.clear();
  for (const auto& [agent, seconds] : snapshot.backoff) {
    backoff_left_.with({agent}).set(seconds);
    in_backoff_.with({agent}).set(1);
  }
  for (const auto& [agent, failures] : snapshot.failures) {
    if (!snapshot.backoff.contains(agent)) in_backoff_.with({agent}).set(0);
  }
  runners_.with({}).set(static_cast<double>(runners));
  dead_.with({}).set(static_cast<double>(snapshot.dead));
  deferred_.with({}).set(static_cast<double>(snapshot.deferred));
}

void Gauges::log_stats(const queue::QueueSnapshot& s, std::size_t runners) {
  log_.info("coordinator_stats", {{"is_leader", true},
                                  {"notification_queue", s.high.length},
                                  {"exploration_queue", s.normal.length},
                                  {"locked_agents", s.active.size()},
                                  {"active_runners", runners},
                                  {"work_queue_high", s.high.length},
                                  {"work_queue_normal", s.normal.length},
                                  {"work_queue_low", s.low.length},
                                  {"active_tasks", s.active.size()},
                                  {"agents_in_backoff", s.backoff.size()},
                                  {"msg", "is_leader:true"}});
}

Task<> Gauges::refresh() {
  const auto snapshot = co_await view_.snapshot();
  const auto runners = (co_await heartbeats_.live()).size();
  show(snapshot, runners);
  if (stats_.allow(clock_.now())) log_stats(snapshot, runners);
}

Task<> Gauges::loop() {
  for (;;) {
    ticks_.tick("gauges", kPeriod, clock_.now());
    try {
      co_await refresh();
    } catch (const Error& error) {
      if (trouble_.allow(clock_.now()))
        log_.warning("metrics_update_error", {{"error", error.message()}});
    }
    co_await sleep_for(kPeriod);
  }
}

}  // namespace botburrow::coordinator
