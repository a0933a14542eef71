#include "agent/repeat_guard.hpp"

#include <algorithm>
#include <functional>

namespace botburrow::agent {
namespace {

constexpr std::size_t kWarnRounds = 3;
constexpr std::size_t kStopRounds = 5;
constexpr std::size_t kCycleMax = 3;
constexpr std::size_t kKept = kCycleMax * kStopRounds;

}  // namespace

RepeatGuard::Verdict RepeatGuard::saw(std::string_view tool, std::string_view arguments,
                                      std::string_view result) {
  std::string triple;
  for (const auto part : {tool, arguments, result}) {
    triple += part;
    triple.push_back('\0');
  }
  triples_.push_back(std::hash<std::string>{}(triple));
  if (triples_.size() > kKept) triples_.pop_front();

  std::size_t rounds = 0;
  for (std::size_t length = 1; length <= kCycleMax; ++length)
    rounds = std::max(rounds, rounds_of_cycle(length));
  if (rounds >= kStopRounds) return Verdict::stop;
  return rounds >= kWarnRounds ? Verdict::warn : Verdict::fine;
}

// How many whole rounds of a cycle of `length` triples end here. A longer cycle of one repeated
// triple is the shorter cycle's business: its rounds would be counted too low, never too high.
std::size_t RepeatGuard::rounds_of_cycle(std::size_t length) const {
  const auto n = triples_.size();
  std::size_t same = length;
  if (n < length) return 0;
  while (same < n && triples_[n - 1 - same] == triples_[n - 1 - same + length])
    ++same;
  return same / length;
}

}  // namespace botburrow::agent
