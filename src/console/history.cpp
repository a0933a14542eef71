// Rules only.
#include "console/history.hpp"

#include <algorithm>

namespace botburrow::console {

void raise(Sample& highest, const Sample& sample) {
  highest.at = sample.at;
  if (!sample.known) return;
  const bool first = !highest.known;
  highest.known = true;
  const auto higher = [first](double& mine, double theirs) {
    mine = first ? theirs : std::max(mine, theirs);
  };
  for (std::size_t i = 0; i < 3; ++i) {
    higher(highest.depth[i], sample.depth[i]);
    higher(highest.oldest[i], sample.oldest[i]);
  }
  higher(highest.running, sample.running);
  higher(highest.held_off, sample.held_off);
  higher(highest.dead, sample.dead);
}

void History::add(Sample sample) {
  kept_.push_back(sample);
  if (kept_.size() <= kept_max_) return;
  kept_.pop_front();
  ++first_;
}

void History::put_before(const std::vector<Sample>& older) {
  auto end = older.end();
  while (end != older.begin() && !kept_.empty() && (end - 1)->at >= kept_.front().at)
    --end;
  const auto room = static_cast<std::ptrdiff_t>(kept_max_ - std::min(kept_max_, kept_.size()));
  const auto begin = end - std::min(room, end - older.begin());
  kept_.insert(kept_.begin(), begin, end);
}

std::vector<Sample> History::plot(double since, std::size_t points_max) const {
  std::vector<Sample> points;
  if (points_max == 0) return points;
  const auto begin = std::find_if(kept_.begin(), kept_.end(),
                                  [since](const Sample& sample) { return sample.at >= since; });
  const auto count = static_cast<std::size_t>(kept_.end() - begin);
  // One point may be cut at either end: it is a stretch of its own.
  const auto stretch = std::max<std::size_t>(
      1, points_max > 2 ? (count + points_max - 3) / (points_max - 2) : count);
  std::uint64_t number = first_ + static_cast<std::uint64_t>(begin - kept_.begin());
  std::uint64_t last_stretch = 0;
  for (auto sample = begin; sample != kept_.end(); ++sample, ++number) {
    const auto its_stretch = number / stretch;
    if (points.empty() || its_stretch != last_stretch) points.push_back({.known = false});
    last_stretch = its_stretch;
    raise(points.back(), *sample);
  }
  return points;
}

}  // namespace botburrow::console
