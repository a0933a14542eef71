#include "base/loop_ticks.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow {

std::optional<std::string> LoopTicks::stuck(Instant now) const {
  constexpr std::chrono::nanoseconds kAtLeast = std::chrono::seconds(30);
  for (const auto& [name, loop] : loops_) {
    const auto silent = now - loop.last;
    if (silent <= std::max(loop.period * 3, kAtLeast)) continue;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(silent).count();
    return fmt::format("the {} loop has not come round for {} s", name, seconds);
  }
  return std::nullopt;
}

}  // namespace botburrow
