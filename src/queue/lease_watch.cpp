#include "queue/lease_watch.hpp"

#include <algorithm>
#include <charconv>

namespace botburrow::queue {

using namespace std::chrono_literals;

std::chrono::milliseconds lease_length(std::string_view value) {
  constexpr std::chrono::milliseconds kUnreadable = 10s;
  const std::size_t colon = value.rfind(':');
  if (colon == std::string_view::npos) return kUnreadable;
  const std::string_view digits = value.substr(colon + 1);
  std::int64_t milliseconds = 0;
  const auto [end, fault] =
      std::from_chars(digits.data(), digits.data() + digits.size(), milliseconds);
  if (fault != std::errc() || end != digits.data() + digits.size()) return kUnreadable;
  return std::clamp(std::chrono::milliseconds(milliseconds), std::chrono::milliseconds(1s),
                    std::chrono::milliseconds(600s));
}

std::vector<LeaseSeen> LeaseWatch::expired(const std::vector<LeaseSeen>& seen, Instant asked) {
  std::vector<LeaseSeen> over;
  std::unordered_map<AgentId, Watched> still;
  still.reserve(seen.size());
  for (const LeaseSeen& lease : seen) {
    const auto known = watched_.find(lease.agent_id);
    const bool unchanged = known != watched_.end() && known->second.value == lease.value;
    const Instant since = unchanged ? known->second.since : asked;
    if (asked - since >= lease_length(lease.value)) over.push_back(lease);
    still.insert_or_assign(lease.agent_id, Watched{lease.value, since});
  }
  watched_ = std::move(still);
  return over;
}

}  // namespace botburrow::queue
