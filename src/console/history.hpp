#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

namespace botburrow::console {

/// The system at one moment, for plots.
struct Sample {
  double at = 0;                   ///< Unix seconds
  bool known = true;               ///< false: Redis was away
  std::array<double, 3> depth{};   ///< of the queues high, normal, low
  std::array<double, 3> oldest{};  ///< seconds
  double running = 0;
  double held_off = 0;
  double dead = 0;
};

/// Makes each value of `highest` at least that of `sample`, and its time that of `sample`.
void raise(Sample& highest, const Sample& sample);

/// The last hours as this process saw them, and before that as others kept them. Rules: a bounded
/// ring, thinned out for a plot.
class History {
 public:
  explicit History(std::size_t kept_max) : kept_max_(kept_max) {}

  void add(Sample sample);
  /// What was before the first sample kept, oldest first; what is not older than that is left out.
  void put_before(const std::vector<Sample>& older);
  /// From `since` on, at most `points_max`: each the highest values of its stretch of time, so that
  /// no peak is lost. A stretch keeps its samples from call to call, and the curve stands still.
  std::vector<Sample> plot(double since, std::size_t points_max) const;
  std::size_t size() const { return kept_.size(); }

 private:
  std::size_t kept_max_;
  std::uint64_t first_ = 0;  // number of the oldest sample kept
  std::deque<Sample> kept_;
};

}  // namespace botburrow::console
