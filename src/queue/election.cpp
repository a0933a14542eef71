#include "queue/election.hpp"

namespace botburrow::queue {

bool FollowerWatch::may_take(const LeaderSeen& seen, Instant asked) {
  const bool unchanged =
      since_ && seen.epoch == epoch_ && seen.seq == seq_ && seen.holder == holder_;
  if (!unchanged) {
    since_ = asked;
    epoch_ = seen.epoch;
    seq_ = seen.seq;
    holder_ = seen.holder;
  }
  const std::chrono::nanoseconds lease = seen.lease.count() > 0 ? seen.lease : lease_;
  return seen.free() || asked - *since_ >= lease;
}

}  // namespace botburrow::queue
