#include "hubapi/retry_rule.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <string>

namespace botburrow::hubapi {
namespace {

bool status_may_heal(const TryResult& result, CallKind call) {
  switch (result.status) {
    case 408:
    case 425:
    case 500:
    case 502:
    case 503:
    case 504:
      return true;
    case 409:
      return result.code == "idempotency_in_progress";
    case 429:
      return call.wait_on_429;
    default:
      return false;
  }
}

// A write that was answered 500 or 504 may have been done: only a repeatable one goes again.
bool may_have_happened(const TryResult& result) {
  if (result.kind == TryResult::Kind::maybe_sent) return true;
  return result.kind == TryResult::Kind::answered &&
         (result.status == 408 || result.status == 500 || result.status == 502 ||
          result.status == 504);
}

}  // namespace

std::optional<std::chrono::milliseconds> wait_before_retry(const TryResult& result, CallKind call,
                                                           int tried) {
  using namespace std::chrono_literals;
  if (tried >= kTriesMax) return std::nullopt;
  if (result.kind == TryResult::Kind::answered && !status_may_heal(result, call))
    return std::nullopt;
  if (may_have_happened(result) && !call.safe_to_repeat) return std::nullopt;
  const auto doubled = std::chrono::milliseconds(1000 << (tried - 1));
  if (result.retry_after && result.kind == TryResult::Kind::answered) {
    if (*result.retry_after > 60) return std::nullopt;
    return std::chrono::milliseconds(static_cast<int>(std::max(0.0, *result.retry_after) * 1000));
  }
  return std::min<std::chrono::milliseconds>(doubled, 10s);
}

std::optional<double> read_retry_after(std::string_view header, WallTime now) {
  constexpr double kMax = 86'400;
  double seconds = 0;
  const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), seconds);
  if (error == std::errc() && end == header.data() + header.size()) {
    return std::isfinite(seconds) && seconds >= 0 ? std::optional(std::min(seconds, kMax))
                                                  : std::nullopt;
  }
  std::tm date{};
  const std::string text(header);
  const char* rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (!rest || *rest != '\0') return std::nullopt;
  const auto at = std::chrono::system_clock::from_time_t(timegm(&date));
  return std::clamp(to_unix(at) - to_unix(now), 0.0, kMax);
}

}  // namespace botburrow::hubapi
