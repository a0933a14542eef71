#pragma once

#include "base/task.hpp"
#include "console/history.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::net {
class Redis;
}

namespace botburrow::console {

/// Rules: samples of one minute made one, the highest of each. By the samples' own clock, so that
/// coordinators cut their minutes at the same places.
class MinuteSamples {
 public:
  /// The minute before, once `sample` begins another; nothing where Redis was away all through it.
  std::optional<Sample> add(const Sample& sample);

 private:
  std::optional<Sample> minute_;
};

/// An element of `console:history`: a JSON array of Unix second, depths and oldest ages (seconds)
/// of high, normal and low, running, held off, dead.
std::string encode(const Sample& sample);
std::optional<Sample> decode_sample(std::string_view text);

/// The plots' past, for coordinators that come later: the last three hours by the minute in the
/// Redis list `console:history`, newest first; at most 180 elements of some 60 bytes, gone three
/// hours after the last. Nothing else rests on it: it may be deleted, and is in no backup.
class KeptHistory {
 public:
  static constexpr std::size_t kMinutes = 180;

  explicit KeptHistory(net::Redis& redis) : redis_(redis) {}
  /// Oldest first; what cannot be read is left out. Throws Error{redis_unavailable, redis_error}.
  Task<std::vector<Sample>> load();
  /// Throws like load().
  Task<> add(Sample minute);

 private:
  net::Redis& redis_;
};

}  // namespace botburrow::console
