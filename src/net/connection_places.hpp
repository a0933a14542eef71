#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace botburrow::net {

/// What one connection of a server does with its place.
struct Occupant {
  enum class Doing {
    waits,    ///< for a request, or for the rest of one
    answers,  ///< somebody waits for it
    streams,  ///< a subscription that has no end of its own
    leaves,   ///< told to go
  };
  std::string_view peer;  ///< the address, without a port
  Doing doing = Doing::waits;
  std::chrono::steady_clock::time_point since;  ///< of `doing`
  /// Since when its peer has taken none of the bytes written to it; nothing while it does.
  std::optional<std::chrono::steady_clock::time_point> stuck_since;
};

/// Which connection gives its place to a newcomer when all are taken, by its index; nothing when
/// each of them is being answered or streams.
///
/// One of the address that holds the most places, and of those the one that has waited longest: so
/// that whoever opens connections and says nothing, or half a request, or reads no answer, pays for
/// the next one himself. Time counts from the end of the last answer, not from the last byte.
std::optional<std::size_t> find_idle_to_close(const std::vector<Occupant>& occupants,
                                              std::chrono::steady_clock::time_point now);

/// Which stream ends for one more of `peer` when all streams' places are taken: the oldest of the
/// address that has the most, if that has at least two more than `peer`; otherwise nothing.
std::optional<std::size_t> find_stream_to_close(const std::vector<Occupant>& occupants,
                                                std::string_view peer);

std::size_t count_streams(const std::vector<Occupant>& occupants);

}  // namespace botburrow::net
