#include "console/board.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/version.hpp"
#include "console/documents.hpp"
#include "net/redis.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace botburrow::console {
namespace {

using namespace std::chrono_literals;

constexpr auto kWatchedPeriod = 2s;
constexpr auto kSamplePeriod = 10s;
/// Between two looks, however many ask.
constexpr auto kLeastPeriod = 500ms;
constexpr auto kFresh = 3s;
/// After the last one looked.
constexpr auto kWatchedFor = 20s;
constexpr auto kPatience = 8s;
constexpr auto kStartTime = 3s;
/// Runners write their heartbeats every ten seconds.
constexpr auto kRunnersPeriod = 5s;
constexpr std::size_t kSamplesMax = 3 * 3600 / 10;

json::value hub_document(const std::optional<HubSeen>& seen) {
  if (!seen) return nullptr;
  return {
      {"ok", seen->error.empty()}, {"reason", seen->error}, {"polled_at", to_rfc3339(seen->at)}};
}

// Ages grow by themselves: they are no news while nothing waits.
std::string without_times(boost::json::object state) {
  for (const char* key : {"server_time", "at"})
    state.erase(key);
  if (auto* hub = state.if_contains("hub"); hub && hub->is_object())
    hub->as_object().erase("polled_at");
  if (auto* runners = state.if_contains("runners")) {
    for (auto& runner : runners->as_array())
      runner.as_object().erase("heard_seconds_ago");
  }
  return to_json(state);
}

}  // namespace

Board::Board(boost::asio::any_io_executor executor, std::string instance_id, Parts parts, Log log)
    : instance_id_(std::move(instance_id)),
      parts_(std::move(parts)),
      log_(std::move(log)),
      history_(kSamplesMax),
      kept_(parts_.redis),
      changed_(executor),
      wanted_(executor) {}

bool Board::watched() const {
  return parts_.clock.now() < watched_until_;
}

double Board::server_time() const {
  const auto* known = last_known_.if_contains("server_time");
  return known ? known->to_number<double>() : to_unix(parts_.clock.wall());
}

Task<> Board::loop() {
  co_await until_connected();
  for (;;) {
    const auto rings = wanted_.rings();
    co_await look();
    co_await sleep_for(kLeastPeriod);
    const auto period = watched() ? kWatchedPeriod : kSamplePeriod;
    const auto left = looked_at_ + period - parts_.clock.now();
    co_await wanted_.wait(rings, Deadline::in(std::max<std::chrono::nanoseconds>(left, 0ns)));
  }
}

// At the start nothing is known yet, which is no outage.
Task<> Board::until_connected() {
  try {
    co_await parts_.redis.ready(Deadline::in(kStartTime));
  } catch (const Error&) {
    // The first look says so.
  }
}

Task<> Board::look() {
  looked_at_ = parts_.clock.now();
  std::string trouble;
  try {
    if (!parts_.redis.usable()) {
      const auto reason = parts_.redis.last_error();
      throw Error(errc::redis_unavailable, reason.empty() ? "Redis does not answer" : reason);
    }
    const auto snapshot = co_await parts_.view.snapshot();
    const auto minute = sample(&snapshot);
    co_await recall();
    co_await keep(minute);
    if (watched()) publish(co_await read(snapshot));
  } catch (const Error& error) {
    trouble = error.message();
  }
  if (trouble.empty()) co_return;
  if (trouble_.allow(parts_.clock.now())) log_.debug("console_without_redis", {{"error", trouble}});
  sample(nullptr);
  publish_away(trouble);
}

// Plots that begin late, or lack a minute later, are no reason to show nothing else.
Task<> Board::recall() {
  if (recalled_) co_return;
  recalled_ = true;
  std::vector<Sample> older;
  try {
    older = co_await kept_.load();
  } catch (const Error& error) {
    log_.debug("console_history_unread", {{"error", error.message()}});
  }
  history_.put_before(older);
}

Task<> Board::keep(std::optional<Sample> minute) {
  if (!minute || !parts_.is_leader()) co_return;
  try {
    co_await kept_.add(*minute);
  } catch (const Error& error) {
    log_.debug("console_history_unkept", {{"error", error.message()}});
  }
}

Task<boost::json::object> Board::read(const queue::QueueSnapshot& snapshot) {
  if (parts_.clock.now() - runners_at_ >= kRunnersPeriod) {
    runners_ = co_await parts_.heartbeats.live();
    runners_at_ = parts_.clock.now();
  }
  std::vector<std::pair<std::string, std::string>> shown;
  for (const auto& [agent, runner] : snapshot.active) {
    if (shown.size() == kRunningMax) break;
    shown.emplace_back(agent, runner);
  }
  const auto activations = co_await parts_.pages.activations(std::move(shown));
  co_await parts_.runs.follow(activations);

  auto state = counts_document(snapshot);
  json::array running, runners;
  for (const auto& one : activations)
    running.push_back(to_document(one, parts_.runs.find(one.activation_id.str())));
  std::int64_t capacity = 0;
  for (const auto& beat : runners_) {
    capacity += beat.capacity;
    if (runners.size() < kRunnersMax) runners.push_back(to_document(beat, snapshot.server_time));
  }
  state["running"] = std::move(running);
  state["runners"] = std::move(runners);
  state["runners_total"] = runners_.size();
  state["capacity"] = capacity;
  co_return state;
}

std::optional<Sample> Board::sample(const queue::QueueSnapshot* s) {
  const auto now = parts_.clock.now();
  if (sampled_at_ != Instant{} && now - sampled_at_ < kSamplePeriod - 1s) return std::nullopt;
  sampled_at_ = now;
  Sample sample{.at = to_unix(parts_.clock.wall()), .known = s != nullptr};
  if (s) {
    const auto number = [](auto n) { return static_cast<double>(n); };
    sample.depth = {number(s->high.length), number(s->normal.length), number(s->low.length)};
    sample.oldest = {s->high.oldest_age_seconds, s->normal.oldest_age_seconds,
                     s->low.oldest_age_seconds};
    sample.running = number(s->active.size());
    sample.held_off = number(s->backoff.size());
    sample.dead = number(s->dead);
  }
  history_.add(sample);
  return minutes_.add(sample);
}

boost::json::object Board::about() const {
  return {{"service", "botburrow-coordinator"},
          {"version", version()},
          {"commit", commit()},
          {"instance_id", instance_id_},
          {"leads", parts_.is_leader()},
          {"hub", hub_document(parts_.hub_seen ? parts_.hub_seen() : std::nullopt)}};
}

void Board::publish(boost::json::object state) {
  away_since_.clear();
  last_known_ = state;
  state["redis"] = json::object{{"ok", true}};
  put(std::move(state));
}

void Board::publish_away(const std::string& reason) {
  if (away_since_.empty()) away_since_ = to_rfc3339(parts_.clock.wall());
  auto state = last_known_;
  state["redis"] = json::object{{"ok", false}, {"reason", reason}, {"since", away_since_}};
  put(std::move(state));
}

void Board::put(boost::json::object state) {
  for (auto& [key, value] : about())
    state[key] = value;
  state["at"] = to_rfc3339(parts_.clock.wall());
  auto compared = without_times(state);
  const bool news = !shot_ || compared != compared_;
  compared_ = std::move(compared);
  const auto text_of = [this](const json::object& document) {
    auto text = to_json(document);
    return parts_.scrubber ? parts_.scrubber->scrub(std::move(text)) : text;
  };
  auto whole = text_of(state);
  if (auto* running = state.if_contains("running")) hide_doings(running->as_array());
  shot_ =
      std::make_shared<const Shot>(Shot{.version = (shot_ ? shot_->version : 0) + (news ? 1 : 0),
                                        .open = text_of(state),
                                        .whole = std::move(whole),
                                        .at = parts_.clock.now()});
  changed_.ring();
}

void Board::watch() {
  const bool slept = !watched();
  watched_until_ = parts_.clock.now() + kWatchedFor;
  if (slept) wanted_.ring();
}

Task<Board::ShotPtr> Board::fresh() {
  const auto patience = Deadline::in(kPatience);
  for (;;) {
    watch();
    if (shot_ && parts_.clock.now() - shot_->at < kFresh) co_return shot_;
    if (patience.passed()) {
      throw Error(errc::timeout, "the state could not be read in time; try again",
                  Retry::after_backoff);
    }
    co_await changed_.wait(changed_.rings(), patience);
  }
}

Task<Board::ShotPtr> Board::after(std::uint64_t version, Deadline deadline) {
  while (!deadline.passed()) {
    watch();
    if (shot_ && shot_->version > version) co_return shot_;
    co_await changed_.wait(changed_.rings(), deadline);
  }
  co_return nullptr;
}

}  // namespace botburrow::console
