// Rules only: what an answer of the Hub to a write means.
#include "tools/hub_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace botburrow::tools {
namespace {

using Kind = WriteRefusal::Kind;

constexpr double kRateWaitUnknown = 60;
constexpr double kRateWaitMax = 86'400;

std::string wait_text(double seconds) {
  if (seconds >= 120) return fmt::format("{} minutes", static_cast<int>(std::ceil(seconds / 60)));
  return fmt::format("{} seconds", static_cast<int>(std::ceil(seconds)));
}

// Without the request line that the client puts in front: a model has no use for it.
std::string words_of(const Error& error) {
  const auto& message = error.message();
  const bool has_line = message.starts_with("POST /") || message.starts_with("GET /");
  const auto end = has_line ? message.find(": ") : std::string::npos;
  return end == std::string::npos ? message : message.substr(end + 2);
}

WriteRefusal rate_limited(const Error& error) {
  const double wait = std::clamp(error.retry_after().value_or(kRateWaitUnknown), 0.0, kRateWaitMax);
  return {.kind = Kind::rate_limit,
          .text = fmt::format("the Hub's rate limit is reached; try again in {}", wait_text(wait)),
          .wait = std::chrono::seconds(static_cast<std::int64_t>(std::ceil(wait)))};
}

}  // namespace

std::optional<WriteRefusal> refusal_of(const Error& error) {
  if (error.code() != errc::http_status && error.code() != errc::hub_auth) return std::nullopt;
  switch (error.status()) {
    case 401:
    case 408:
    case 412:
    case 425:
      return std::nullopt;
    case 404:
      return WriteRefusal{.kind = Kind::gone, .text = words_of(error)};
    case 409:
      // Not refused but under way: the same write of a run before this one.
      if (error.detail() == "idempotency_in_progress") return std::nullopt;
      return WriteRefusal{.kind = Kind::locked, .text = words_of(error)};
    case 429:
      return rate_limited(error);
    default:
      break;
  }
  if (error.status() < 400 || error.status() > 499) return std::nullopt;
  return WriteRefusal{.kind = Kind::rejected, .text = words_of(error)};
}

bool surely_not_written(const Error& error) {
  if (error.code() == errc::http_unavailable || error.code() == errc::timeout) {
    return error.detail() == "not_sent";
  }
  if (error.code() == errc::stale_fence) return true;
  return error.status() == 401 || error.status() == 503;
}

}  // namespace botburrow::tools
