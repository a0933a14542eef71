#pragma once

#include "base/ids.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "queue/work_queue.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::net {
class Redis;
}

namespace botburrow::queue {

enum class RunnerStatus { idle, busy, draining, other };
std::string_view name_of(RunnerStatus status);

/// What a runner says of itself every 10 s under `runner:heartbeat:{runner_id}`.
struct Heartbeat {
  RunnerId runner_id;
  RunnerStatus status = RunnerStatus::idle;
  WallTime timestamp;
  std::optional<RunnerMode> mode;  ///< none: a runner that is not ours
  std::string version;
  std::int64_t active = 0;
  std::int64_t capacity = 0;
  std::string incarnation;     ///< random for each process start
  std::string sandbox;         ///< bwrap, landlock or none; empty: not known (yet)
  std::string sandbox_reason;  ///< why nothing better; empty for the best
  /// Command-line agents that it can run, e.g. claude-code.
  std::vector<std::string> executors;
};
std::string encode(const Heartbeat& heartbeat);
std::optional<Heartbeat> decode_heartbeat(std::string_view text);

constexpr std::chrono::seconds kHeartbeatPeriod{10};
constexpr std::chrono::seconds kHeartbeatTtl{60};

class Heartbeats {
 public:
  explicit Heartbeats(net::Redis& redis) : redis_(redis) {}

  /// Writes it and answers what another live process wrote under the same runner id before, so
  /// that the caller can warn (`runner_id_shared`).
  Task<std::optional<Heartbeat>> beat(Heartbeat heartbeat);
  /// At a clean end: the heartbeat goes at once, if it is this incarnation's.
  Task<> remove(RunnerId runner_id, std::string incarnation);
  /// All live runners, by id. Malformed ones are left out.
  Task<std::vector<Heartbeat>> live();

 private:
  net::Redis& redis_;
};

}  // namespace botburrow::queue
