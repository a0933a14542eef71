// Rules only.
#include "net/connection_places.hpp"

#include <algorithm>
#include <map>

namespace botburrow::net {
namespace {

using std::chrono::steady_clock;
using Doing = Occupant::Doing;

/// A reader may pause for so long before its place goes to somebody else.
constexpr auto kStuck = std::chrono::seconds(2);

/// Since when it could be closed; nothing if it may not be.
std::optional<steady_clock::time_point> idle_since(const Occupant& one,
                                                   steady_clock::time_point now) {
  if (one.doing == Doing::leaves) return std::nullopt;
  if (one.stuck_since && now - *one.stuck_since >= kStuck) return one.stuck_since;
  if (one.doing == Doing::waits) return one.since;
  return std::nullopt;
}

using Counts = std::map<std::string_view, std::size_t>;

Counts streams_by_peer(const std::vector<Occupant>& occupants) {
  Counts counts;
  for (const auto& one : occupants)
    counts[one.peer] += one.doing == Doing::streams ? 1 : 0;
  return counts;
}

}  // namespace

std::optional<std::size_t> find_idle_to_close(const std::vector<Occupant>& occupants,
                                              steady_clock::time_point now) {
  Counts places;
  for (const auto& one : occupants)
    ++places[one.peer];
  std::optional<std::size_t> best;
  std::size_t best_places = 0;
  steady_clock::time_point best_since;
  for (std::size_t i = 0; i < occupants.size(); ++i) {
    const auto since = idle_since(occupants[i], now);
    if (!since) continue;
    const auto held = places[occupants[i].peer];
    if (best && (held < best_places || (held == best_places && *since >= best_since))) continue;
    best = i;
    best_places = held;
    best_since = *since;
  }
  return best;
}

std::optional<std::size_t> find_stream_to_close(const std::vector<Occupant>& occupants,
                                                std::string_view peer) {
  auto counts = streams_by_peer(occupants);
  const auto most = std::ranges::max_element(counts, {}, &Counts::value_type::second);
  if (most == counts.end() || most->second < counts[peer] + 2) return std::nullopt;
  std::optional<std::size_t> oldest;
  for (std::size_t i = 0; i < occupants.size(); ++i) {
    const auto& one = occupants[i];
    if (one.doing != Doing::streams || one.peer != most->first) continue;
    if (!oldest || one.since < occupants[*oldest].since) oldest = i;
  }
  return oldest;
}

std::size_t count_streams(const std::vector<Occupant>& occupants) {
  return static_cast<std::size_t>(std::ranges::count(occupants, Doing::streams, &Occupant::doing));
}

}  // namespace botburrow::net
