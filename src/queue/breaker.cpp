#include "queue/breaker.hpp"

#include <algorithm>

namespace botburrow::queue {

std::chrono::seconds backoff_after(std::int64_t failures) {
  using std::chrono::seconds;
  if (failures < kFailuresMax) return seconds(0);
  // 60 × 2^6 is past the maximum already; a larger exponent would overflow in the end.
  const auto doublings = std::min<std::int64_t>(failures - kFailuresMax, 6);
  return std::min(seconds(60) * (1 << doublings), kBackoffMax);
}

}  // namespace botburrow::queue
