#pragma once

#include <cstdint>

namespace botburrow::queue {

/// enqueued = waiting (queued + deferred) + leased + dead + done.
struct Census {
  std::int64_t enqueued = 0, waiting = 0, leased = 0, dead = 0, done = 0;
  bool closes() const { return enqueued == waiting + leased + dead + done; }
  friend bool operator==(const Census&, const Census&) = default;
};

}  // namespace botburrow::queue
