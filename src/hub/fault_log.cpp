#include "hub/fault_log.hpp"

#include <utility>

namespace botburrow::hub {

std::optional<std::int64_t> FaultLog::admit(const std::string& cause, Instant now) {
  const auto [entry, first] = said_.try_emplace(cause, Said{.at = now});
  Said& said = entry->second;
  if (first) return 0;
  if (now - said.at < period_) {
    ++said.since;
    return std::nullopt;
  }
  said.at = now;
  return std::exchange(said.since, 0);
}

}  // namespace botburrow::hub
