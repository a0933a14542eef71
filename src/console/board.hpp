#pragma once

#include "base/bell.hpp"
#include "base/log.hpp"
#include "base/scrubber.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "console/history.hpp"
#include "console/hub_seen.hpp"
#include "console/kept_history.hpp"
#include "console/run_watch.hpp"
#include "queue/heartbeats.hpp"
#include "queue/operator_pages.hpp"
#include "queue/operator_view.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::net {
class Redis;
}

namespace botburrow::console {

/// The state of the system as one JSON document, for all who look.
///
/// One loop reads Redis: every two seconds while somebody looks, every ten for the plots otherwise.
/// Readers get what it has read, so that a thousand of them cost Redis and this process no more
/// than one. The leader's board keeps the plots in Redis, by the minute, and every board begins
/// with what is kept there: a restart or another leader leaves no hole.
class Board {
 public:
  /// Who is shown a state: those who may read transcripts see what agents are doing.
  enum class Sight { open, whole };
  struct Shot {
    std::uint64_t version = 0;  ///< grows when something but the time changed
    std::string open, whole;    ///< JSON
    Instant at;
    const std::string& seen_by(Sight sight) const { return sight == Sight::whole ? whole : open; }
  };
  using ShotPtr = std::shared_ptr<const Shot>;

  static constexpr std::size_t kRunningMax = 50;
  static constexpr std::size_t kRunnersMax = 100;

  struct Parts {
    net::Redis& redis;
    queue::OperatorView& view;
    queue::OperatorPages& pages;
    queue::Heartbeats& heartbeats;
    RunWatch& runs;
    Clock& clock;
    std::function<bool()> is_leader;
    std::function<std::optional<HubSeen>()> hub_seen = {};  ///< may be empty
    const Scrubber* scrubber = nullptr;
  };
  Board(boost::asio::any_io_executor executor, std::string instance_id, Parts parts, Log log);

  /// Runs until cancelled.
  Task<> loop();
  /// What was read in the last seconds. Throws Error{timeout} if that takes too long.
  Task<ShotPtr> fresh();
  /// The first shot after `version`; null when `deadline` passes first.
  Task<ShotPtr> after(std::uint64_t version, Deadline deadline);
  const History& history() const { return history_; }
  /// Unix seconds of the Redis server when it was read last; before that, of this machine.
  double server_time() const;

 private:
  bool watched() const;
  Task<> until_connected();
  Task<> look();
  Task<boost::json::object> read(const queue::QueueSnapshot& snapshot);
  /// A minute that has ended with it.
  std::optional<Sample> sample(const queue::QueueSnapshot* snapshot);
  Task<> keep(std::optional<Sample> minute);
  Task<> recall();
  void publish(boost::json::object state);
  void publish_away(const std::string& reason);
  void put(boost::json::object state);
  void watch();
  boost::json::object about() const;

  std::string instance_id_;
  Parts parts_;
  Log log_;
  LogThrottle trouble_{std::chrono::seconds(60)};
  History history_;
  KeptHistory kept_;
  MinuteSamples minutes_;
  bool recalled_ = false;
  Bell changed_;
  Bell wanted_;
  ShotPtr shot_;
  std::string compared_;            // the state without its times
  boost::json::object last_known_;  // what stands there while Redis is away
  std::vector<queue::Heartbeat> runners_;
  Instant runners_at_{};
  Instant sampled_at_{};
  Instant looked_at_{};
  Instant watched_until_{};
  std::string away_since_;
};

}  // namespace botburrow::console
