#pragma once

#include "base/bell.hpp"
#include "hub/model_writes.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace botburrow::hub {

/// The last changes, for those who watch a page. Watchers keep a place of their own in it; one that
/// falls too far behind is told so and reads anew.
class EventFeed {
 public:
  static constexpr std::size_t kKeptMax = 1000;

  explicit EventFeed(boost::asio::any_io_executor executor) : bell_(std::move(executor)) {}

  void publish(Change change);
  /// The place after the newest event.
  std::uint64_t end() const { return first_ + kept_.size(); }

  struct News {
    std::vector<Change> changes;
    bool lost = false;  // some were dropped before they were read
  };
  /// What came since `place`, which moves to the end.
  News since(std::uint64_t& place) const;
  /// Wakes every watcher, e.g. to end its stream.
  Bell& bell() { return bell_; }

 private:
  Bell bell_;
  std::deque<Change> kept_;
  std::uint64_t first_ = 0;
};

}  // namespace botburrow::hub
