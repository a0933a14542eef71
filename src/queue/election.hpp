#pragma once

#include "base/task.hpp"
#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace botburrow::net {
class Redis;
}

namespace botburrow::queue {

/// What stands in Redis about the leader.
struct LeaderSeen {
  std::int64_t epoch = 0;
  std::string holder;                  ///< incarnation; empty = free
  std::int64_t seq = 0;                ///< renewals in this epoch
  std::string instance_id;             ///< for people
  std::chrono::milliseconds lease{0};  ///< the holder's own; 0 = it did not say
  bool free() const { return holder.empty(); }
  friend bool operator==(const LeaderSeen&, const LeaderSeen&) = default;
};

/// How long this process may believe that it leads. Trust counts from the moment a renewal was
/// *sent*, so that a slow answer never stretches it, and ends after two thirds of the lease.
class LeaderTerm {
 public:
  LeaderTerm(std::int64_t epoch, Instant taken_sent, std::chrono::nanoseconds lease)
      : epoch_(epoch), sent_(taken_sent), lease_(lease) {}
  /// A renewal sent at `sent` was answered with OK. An earlier one than the last known is ignored.
  void renewed(Instant sent) {
    if (sent > sent_) sent_ = sent;
  }
  Instant trusted_until() const { return sent_ + lease_ * 2 / 3; }
  bool trusted_at(Instant now) const { return now < trusted_until(); }
  std::int64_t epoch() const { return epoch_; }

 private:
  std::int64_t epoch_;
  Instant sent_;
  std::chrono::nanoseconds lease_;
};

/// Decides when a follower may take the leadership: a free one at once; a held one when epoch and
/// seq stood still for the holder's lease (ours, where it named none) on this process's own clock.
class FollowerWatch {
 public:
  explicit FollowerWatch(std::chrono::nanoseconds lease) : lease_(lease) {}
  /// `asked` is when the observation was sent: what it saw is at least that new.
  bool may_take(const LeaderSeen& seen, Instant asked);
  /// After a reconnect nothing is known about the time between.
  void reset() { since_.reset(); }

 private:
  std::chrono::nanoseconds lease_;
  std::optional<Instant> since_;
  std::int64_t epoch_ = 0;
  std::int64_t seq_ = 0;
  std::string holder_;
};

/// The leader scripts. All safe to repeat.
class Election {
 public:
  virtual ~Election() = default;
  virtual Task<LeaderSeen> observe() = 0;
  /// The new epoch, or nothing when something moved since `seen`.
  virtual Task<std::optional<std::int64_t>> take(LeaderSeen seen) = 0;
  /// False: another one leads. `deadline` bounds the wait.
  virtual Task<bool> renew(std::int64_t epoch, Deadline deadline) = 0;
  /// False: it was not ours.
  virtual Task<bool> release(std::int64_t epoch) = 0;
  /// Says, for as long as `kept`, that this replica could lead as well.
  virtual Task<> offer(std::chrono::milliseconds kept) = 0;
  /// The instance that said so last, while that holds; else empty.
  virtual Task<std::string> offered(Deadline deadline) = 0;
  /// The leader says which data set its Hub has, for half a minute.
  virtual Task<> announce_hub(std::string dataset, Deadline deadline) = 0;
  /// What it said; nothing where that has ended.
  virtual Task<std::optional<std::string>> announced_hub() = 0;
};

class RedisElection final : public Election {
 public:
  /// `incarnation` is random for each process start and decides; `instance_id` is a label. `lease`
  /// is told to the others.
  RedisElection(net::Redis& redis, std::string incarnation, std::string instance_id,
                std::chrono::milliseconds lease = std::chrono::milliseconds(0));
  Task<LeaderSeen> observe() override;
  Task<std::optional<std::int64_t>> take(LeaderSeen seen) override;
  Task<bool> renew(std::int64_t epoch, Deadline deadline) override;
  Task<bool> release(std::int64_t epoch) override;
  Task<> offer(std::chrono::milliseconds kept) override;
  Task<std::string> offered(Deadline deadline) override;
  Task<> announce_hub(std::string dataset, Deadline deadline) override;
  Task<std::optional<std::string>> announced_hub() override;

 private:
  net::Redis& redis_;
  std::string incarnation_;
  std::string instance_id_;
  std::chrono::milliseconds lease_;
};

}  // namespace botburrow::queue
