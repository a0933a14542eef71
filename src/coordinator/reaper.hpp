#pragma once

#include "base/log.hpp"
#include "base/loop_ticks.hpp"
#include "base/task.hpp"
#include "queue/lease_watch.hpp"
#include "queue/work_queue.hpp"

#include <functional>

namespace botburrow::net {
class Redis;
}

namespace botburrow::coordinator {

/// Gives back what dead runners held, and what waited for its time. One term of leadership.
class Reaper {
 public:
  Reaper(queue::WorkQueue& queue, net::Redis& redis, std::int64_t epoch, int crash_attempts_max,
         Clock& clock, LoopTicks& ticks, Log log, std::function<void()> deposed);

  /// Looks at the leases each second, on this process's clock; anew after each reconnect.
  Task<> reap_loop();
  /// Each second what is due; every 15 s the rest of the sweep.
  Task<> sweep_loop();

 private:
  Task<> reap_once();
  queue::WorkQueue& queue_;
  net::Redis& redis_;
  std::int64_t epoch_;
  int crash_attempts_max_;
  Clock& clock_;
  LoopTicks& ticks_;
  Log log_;
  std::function<void()> deposed_;
  queue::LeaseWatch watch_;
  std::uint64_t connection_ = 0;
  LogThrottle trouble_;
};

}  // namespace botburrow::coordinator
