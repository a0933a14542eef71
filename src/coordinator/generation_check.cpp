#include "coordinator/generation_check.hpp"

#include "base/error.hpp"
#include "net/redis.hpp"

#include <fmt/format.h>

namespace botburrow::coordinator {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookPeriod = 500ms;
constexpr auto kLookAgain = 15s;
constexpr auto kFaultPauseMin = 200ms;
constexpr auto kFaultPauseMax = 5s;
constexpr auto kCallTime = 30s;
/// A Hub that keeps none leaves numbers that are times: nobody counts up to those.
constexpr std::int64_t kStepsMax = 1000;

}  // namespace

std::optional<std::string> generation_fault(const queue::GenerationSeen& redis,
                                            const hubapi::Generation& hub) {
  if (!redis.generation) return "Redis holds no generation";
  if (hub.dataset.empty()) return "the Hub knows no data set yet";
  if (redis.generation->dataset != hub.dataset)
    return "Redis holds another data set than the Hub knows";
  if (redis.generation->number != hub.generation)
    return "Redis holds another generation than the Hub knows";
  const auto seen = queue::parse_fence(hub.fence);
  if (seen && seen->generation == hub.generation && redis.fence < seen->counter) {
    return fmt::format("Redis was rolled back: its fence is {}, the Hub has seen {}", redis.fence,
                       seen->counter);
  }
  return std::nullopt;
}

GenerationCheck::GenerationCheck(queue::WorkQueue& queue, net::Redis& redis, hubapi::HubClient& hub,
                                 std::int64_t epoch, Clock& clock, Random& random, Log log)
    : queue_(queue),
      redis_(redis),
      hub_(hub),
      epoch_(epoch),
      clock_(clock),
      random_(random),
      log_(std::move(log)),
      trouble_(30s) {}

Task<> GenerationCheck::check() {
  // The Hub first: whatever fence it was shown by then, Redis had given out before. The other way
  // round, claims made between the two answers look like a Redis that was rolled back.
  const auto known = co_await hub_.generation(Deadline::in(kCallTime));
  const auto seen = co_await queue_.generation();
  if (!known) {
    if (seen.generation) co_return;
    const queue::Generation fresh{.dataset = random_.uuid4(),
                                  .number = to_unix_ms(clock_.wall()) / 1000};
    if (co_await queue_.set_generation(epoch_, seen.raw, fresh))
      log_.info("generation_begun", {{"generation", fresh.to_string()}});
    co_return;
  }
  const auto fault = generation_fault(seen, *known);
  if (!fault) co_return;
  const auto next = co_await begin_at_hub(*known, seen);
  const queue::Generation fresh{.dataset = next.dataset, .number = next.generation};
  if (!co_await queue_.set_generation(epoch_, seen.raw, fresh)) {
    throw Error(errc::io, "the generation changed in Redis meanwhile; comparing again",
                Retry::after_backoff);
  }
  // A first start has nothing to lose; anything else means that Redis lost its memory.
  if (seen.raw.empty() && known->dataset.empty())
    log_.info("generation_begun", {{"generation", fresh.to_string()}});
  else
    log_.warning("generation_begun", {{"generation", fresh.to_string()}, {"reason", *fault}});
}

// A Hub that was set back itself must not give out a generation that Redis has had already: fences
// of then, still shown by those who run, would stand above the new ones for good.
Task<hubapi::Generation> GenerationCheck::begin_at_hub(hubapi::Generation known,
                                                       queue::GenerationSeen seen) {
  const auto above = seen.generation ? seen.generation->number : 0;
  const bool within_reach = above - known.generation < kStepsMax;
  do {
    const auto next =
        co_await hub_.change_generation(random_.uuid4(), known, Deadline::in(kCallTime));
    if (!next)
      throw Error(errc::io, "the generation changed at the Hub meanwhile; comparing again",
                  Retry::after_backoff);
    known = *next;
  } while (within_reach && known.generation <= above);
  co_return known;
}

// One try; false: again soon.
Task<bool> GenerationCheck::checked(bool only_if_missing) {
  try {
    if (only_if_missing && (co_await queue_.generation()).generation) co_return true;
    co_await check();
    co_return true;
  } catch (const Error& error) {
    if (trouble_.allow(clock_.now())) {
      log_.warning(
          "generation_check_failed",
          {{"error", error.message()}, {"msg", "no work is claimed until Redis and Hub agree"}});
    }
  }
  co_return false;
}

Task<> GenerationCheck::loop(std::function<void()> reconnected) {
  std::uint64_t good_for = 0;
  Instant looked_at = clock_.now();
  std::chrono::nanoseconds pause = kFaultPauseMin;
  for (;;) {
    const auto connection = redis_.connections();
    const bool is_new = connection != good_for;
    if (!is_new && clock_.now() - looked_at < kLookAgain) {
      co_await sleep_for(kLookPeriod);
      continue;
    }
    if (!co_await checked(!is_new)) {
      co_await sleep_for(random_.jitter(pause, 0.2));
      pause = std::min<std::chrono::nanoseconds>(pause * 2, kFaultPauseMax);
      continue;
    }
    const bool was_reconnect = is_new && good_for != 0;
    good_for = connection;
    looked_at = clock_.now();
    pause = kFaultPauseMin;
    if (was_reconnect) reconnected();
  }
}

}  // namespace botburrow::coordinator
