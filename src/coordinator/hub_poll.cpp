#include "coordinator/hub_poll.hpp"

#include "base/error.hpp"
#include "base/metric_table.hpp"

#include <algorithm>

namespace botburrow::coordinator {
namespace {

using namespace std::chrono_literals;

constexpr auto kLongPollAgain = 10min;
constexpr auto kEarlyAnswer = 1s;
constexpr auto kEarlyPauseMax = 5s;
constexpr int kEarlyAnswersMax = 3;
constexpr auto kFaultPauseMin = 1s;
constexpr auto kFaultPauseMax = 30s;
constexpr auto kListTime = 60s;

queue::WorkItem item_for(const hubapi::WaitingAgent& agent, queue::TaskType type) {
  const bool inbox = type == queue::TaskType::inbox;
  return {.agent_id = agent.id,
          .agent_name = agent.name,
          .task_type = type,
          .priority = inbox ? queue::Priority::high : queue::Priority::normal,
          .inbox_count = inbox ? agent.notification_count : 0};
}

}  // namespace

HubPoll::HubPoll(hubapi::HubClient& hub, queue::WorkQueue& queue, std::int64_t epoch,
                 HubPollOptions options, Clock& clock, Random& random, LoopTicks& ticks, Log log,
                 Metrics& metrics, std::function<void()> deposed, DiscoveryFilter* filter)
    : hub_(hub),
      queue_(queue),
      epoch_(epoch),
      options_(options),
      clock_(clock),
      random_(random),
      ticks_(ticks),
      log_(std::move(log)),
      durations_(histogram_of(metrics, "botburrow_poll_duration_seconds")),
      deposed_(std::move(deposed)),
      filter_(filter),
      quiet_(30s),
      trouble_(30s) {}

Task<PollCounts> HubPoll::enqueue(std::vector<hubapi::WaitingAgent> agents, queue::TaskType type,
                                  bool mark) {
  PollCounts counts{.agents = agents.size()};
  constexpr std::size_t kBatch = 500;
  for (std::size_t at = 0; at < agents.size(); at += kBatch) {
    std::vector<queue::WorkItem> items;
    for (std::size_t i = at; i < std::min(agents.size(), at + kBatch); ++i) {
      if (!queue::valid_agent_id(agents[i].name)) agents[i].name = agents[i].id.str();
      if (queue::valid_agent_id(agents[i].id.str()))
        items.push_back(item_for(agents[i], type));
      else
        log_.warning("work_item_invalid",
                     {{"agent_id", agents[i].id.str()}, {"msg", "not usable as an agent id"}});
    }
    if (items.empty()) continue;
    for (const auto result :
         co_await queue_.enqueue(std::move(items), {.epoch = epoch_, .mark = mark})) {
      const bool entered =
          result == queue::EnqueueResult::enqueued || result == queue::EnqueueResult::upgraded;
      ++(entered ? counts.enqueued : counts.skipped);
      counts.deposed = counts.deposed || result == queue::EnqueueResult::stale_leader;
    }
  }
  if (counts.deposed) deposed_();
  co_return counts;
}

void HubPoll::note(const char* event, const PollCounts& counts, Instant begun) {
  const double seconds = std::chrono::duration<double>(clock_.now() - begun).count();
  durations_.with({}).observe(seconds);
  log_.debug(event, {{"count", counts.agents}});
  if (counts.enqueued > 0 || quiet_.allow(clock_.now())) {
    log_.info("poll_completed", {{"agents", counts.agents},
                                 {"enqueued", counts.enqueued},
                                 {"skipped", counts.skipped},
                                 {"duration_seconds", seconds}});
  }
}

// Says once in a while what is wrong, and how long to wait before the next try: never less than
// the Hub asks for (up to a minute).
std::chrono::nanoseconds HubPoll::trouble(const Error& error, std::chrono::nanoseconds pause) {
  if (error.code() != errc::redis_unavailable)
    last_ = PollOutcome{.at = clock_.wall(), .error = error.message()};
  // The client itself says `hub_auth_error`.
  if (error.code() != errc::hub_auth && trouble_.allow(clock_.now()))
    log_.error("poll_error",
               {{"error", error.message()},
                {"fix", "look whether the Hub runs, is ready and reached from here (HUB_URL)"}});
  const double asked = std::min(error.retry_after().value_or(0), 60.0);
  if (asked > 0) log_.info("hub_backoff", {{"seconds", asked}});
  return std::max(random_.jitter(pause, 0.2),
                  std::chrono::nanoseconds(static_cast<std::int64_t>(asked * 1e9)));
}

Task<> HubPoll::long_poll_loop() {
  std::chrono::nanoseconds fault_pause = kFaultPauseMin, early_pause = 0s;
  bool said_unsupported = false;
  int early_answers = 0;
  for (;;) {
    const auto begun = clock_.now();
    ticks_.tick("long_poll", options_.long_poll_timeout + 30s, begun);
    std::chrono::nanoseconds pause{0};
    try {
      const auto answer = co_await hub_.poll(options_.long_poll_timeout, options_.batch,
                                             Deadline::in(options_.long_poll_timeout + 10s));
      fault_pause = kFaultPauseMin;
      answered();
      if (!answer.supported) {
        log_.debug("long_poll_not_available");
        if (!said_unsupported)
          log_.info("long_poll_not_available_falling_back",
                    {{"poll_interval", options_.poll_interval.count()}});
        said_unsupported = true;
        pause = kLongPollAgain;
      } else if (answer.agents.empty()) {
        log_.debug("poll_timeout", {{"timeout", options_.long_poll_timeout.count()}});
        durations_.with({}).observe(std::chrono::duration<double>(clock_.now() - begun).count());
        // A Hub that does not wait must not be hammered.
        if (clock_.now() - begun < kEarlyAnswer)
          pause = early_pause =
              std::clamp<std::chrono::nanoseconds>(early_pause * 2, 1s, kEarlyPauseMax);
        else
          early_pause = 0s;
      } else {
        const auto counts = co_await enqueue(answer.agents, queue::TaskType::inbox, true);
        note("long_poll_notifications", counts, begun);
        // An agent that is at work already is news the first time: only a Hub that goes on saying
        // the same at once does not know how to wait.
        const bool only_known = counts.enqueued == 0 && clock_.now() - begun < kEarlyAnswer;
        early_answers = only_known ? early_answers + 1 : 0;
        early_pause = early_answers >= kEarlyAnswersMax ? std::clamp<std::chrono::nanoseconds>(
                                                              early_pause * 2, 1s, kEarlyPauseMax)
                                                        : 0s;
        pause = early_pause;
      }
    } catch (const Error& error) {
      pause = trouble(error, fault_pause);
      fault_pause = std::min<std::chrono::nanoseconds>(fault_pause * 2, kFaultPauseMax);
    }
    ticks_.tick("long_poll", options_.long_poll_timeout + 30s + pause, clock_.now());
    if (pause.count() > 0) co_await sleep_for(pause);
  }
}

Task<PollCounts> HubPoll::list_once() {
  const auto begun = clock_.now();
  auto agents = co_await hub_.with_notifications(Deadline::in(kListTime));
  answered();
  const auto counts = co_await enqueue(std::move(agents), queue::TaskType::inbox, false);
  note("poll_notifications", counts, begun);
  co_return counts;
}

Task<PollCounts> HubPoll::stale_once() {
  const auto begun = clock_.now();
  auto agents = co_await hub_.stale(options_.min_staleness, Deadline::in(kListTime));
  answered();
  const auto all = agents.size();
  if (filter_) agents = co_await filter_->explorers(std::move(agents));
  const auto left_out = all - agents.size();
  auto counts = co_await enqueue(std::move(agents), queue::TaskType::discovery, false);
  counts.agents += left_out;
  counts.skipped += left_out;
  note("poll_stale", counts, begun);
  co_return counts;
}

Task<> HubPoll::list_loop() {
  for (;;) {
    ticks_.tick("list_poll", options_.poll_interval + kListTime, clock_.now());
    std::chrono::nanoseconds pause = random_.jitter(options_.poll_interval, 0.1);
    try {
      co_await list_once();
    } catch (const Error& error) {
      pause = trouble(error, std::min<std::chrono::nanoseconds>(pause, 5s));
    }
    const auto next = clock_.now() + pause;
    while (clock_.now() < next && !list_soon_)
      co_await sleep_for(std::min<std::chrono::nanoseconds>(next - clock_.now(), 500ms));
    list_soon_ = false;
  }
}

Task<> HubPoll::stale_loop() {
  for (;;) {
    ticks_.tick("stale_poll", options_.staleness_interval + kListTime, clock_.now());
    std::chrono::nanoseconds pause = random_.jitter(options_.staleness_interval, 0.1);
    try {
      co_await stale_once();
    } catch (const Error& error) {
      pause = trouble(error, std::min<std::chrono::nanoseconds>(pause, 5s));
    }
    co_await sleep_for(pause);
  }
}

Task<PollCounts> HubPoll::once() {
  auto counts = co_await list_once();
  const auto stale = co_await stale_once();
  counts.agents += stale.agents;
  counts.enqueued += stale.enqueued;
  counts.skipped += stale.skipped;
  counts.deposed = counts.deposed || stale.deposed;
  co_return counts;
}

}  // namespace botburrow::coordinator
