#include "hub/rate_limit.hpp"

#include <algorithm>
#include <charconv>

namespace botburrow::hub {
namespace {

constexpr std::int64_t kCountMax = 1'000'000;
constexpr std::int64_t kPeriodMax = 31 * 86'400;

std::optional<std::int64_t> unit_seconds(std::string_view unit) {
  if (unit.empty() || unit == "s" || unit == "sec" || unit == "second") return 1;
  if (unit == "m" || unit == "min" || unit == "minute") return 60;
  if (unit == "h" || unit == "hour") return 3600;
  if (unit == "d" || unit == "day") return 86'400;
  return std::nullopt;
}

/// Digits at the front; takes them off `text`.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

}  // namespace

std::optional<RateRule> parse_rate(std::string_view text) {
  if (text.empty() || text.front() == '-') return std::nullopt;
  const auto count = take_number(text);
  if (!count || *count > kCountMax) return std::nullopt;
  if (text.empty()) return *count == 0 ? std::optional(RateRule{}) : std::nullopt;
  if (text.front() != '/') return std::nullopt;
  text.remove_prefix(1);
  if (text.empty() || text.front() == '-') return std::nullopt;
  const bool numbered = text.front() >= '0' && text.front() <= '9';
  const auto amount = numbered ? take_number(text) : std::optional<std::int64_t>(1);
  const auto unit = unit_seconds(text);
  if (!amount || !unit || *amount <= 0 || *amount > kPeriodMax / *unit) return std::nullopt;
  return RateRule{*count, std::chrono::seconds(*amount * *unit)};
}

bool RateBucket::take(const std::string& key, Instant now) {
  if (!rule_.limits()) return true;
  drop_old(now);
  Window& window = windows_[key];
  if (window.used == 0 || now >= window.ends) window = Window{now + rule_.period, 0};
  if (window.used >= rule_.count) return false;
  ++window.used;
  return true;
}

void RateBucket::give_back(const std::string& key, Instant now) {
  const auto found = windows_.find(key);
  if (found == windows_.end() || now >= found->second.ends) return;
  if (--found->second.used <= 0) windows_.erase(found);
}

std::optional<RateState> RateBucket::state(const std::string& key, Instant now,
                                           WallTime wall) const {
  if (!rule_.limits()) return std::nullopt;
  const auto found = windows_.find(key);
  const bool open = found != windows_.end() && now < found->second.ends;
  const auto left = open ? found->second.ends - now : std::chrono::nanoseconds(rule_.period);
  const auto used = open ? found->second.used : 0;
  RateState state;
  state.limit = rule_.count;
  state.remaining = std::max<std::int64_t>(0, rule_.count - used);
  state.reset = wall + std::chrono::duration_cast<WallTime::duration>(left);
  state.retry_after = std::chrono::ceil<std::chrono::seconds>(left);
  return state;
}

void RateBucket::drop_old(Instant now) {
  if (windows_.size() < drop_at_) return;
  std::erase_if(windows_, [now](const auto& entry) { return now >= entry.second.ends; });
  drop_at_ = std::max<std::size_t>(1024, windows_.size() * 2);
}

}  // namespace botburrow::hub
