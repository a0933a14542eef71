#include "llm/retry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>

namespace botburrow::llm {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kLongestWait = 8s;
constexpr double kRetryAfterMax = 24 * 3600;

// What is left to say where the vendor said nothing.
std::string words(const VendorError& vendor) {
  return vendor.message.empty() ? "" : ": " + vendor.message;
}

bool no_credit(int status, const VendorError& vendor) {
  return status == 402 || vendor.type == "insufficient_quota" || vendor.type == "billing_error" ||
         vendor.type == "billing_hard_limit_reached";
}

std::string hint(const ProviderConfig& config, int status) {
  if (status != 404) return {};
  if (config.api == Api::ollama) return fmt::format("; run: ollama pull {}", config.model);
  return fmt::format("; check brain.model {} and the base URL {}", config.model, config.api_base);
}

bool key_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '*';
}

}  // namespace

std::string without_keys(std::string text, const Secret& key) {
  if (key.reveal().size() >= 4) {
    for (auto at = text.find(key.reveal()); at != std::string::npos; at = text.find(key.reveal())) {
      text.replace(at, key.reveal().size(), "(key)");
    }
  }
  // Vendors quote keys in part: "Incorrect API key provided: sk-ab***yz".
  for (auto at = text.find("sk-"); at != std::string::npos; at = text.find("sk-", at + 1)) {
    if (at > 0 && key_char(text[at - 1])) continue;
    auto end = at;
    while (end < text.size() && key_char(text[end]))
      ++end;
    if (end - at >= 8) text.replace(at, end - at, "(key)");
  }
  return text;
}

Error error_of_status(const ProviderConfig& config, int status, const VendorError& vendor) {
  const auto said = without_keys(words(vendor), config.key);
  const auto& provider = config.provider;
  const auto error = [&]() -> Error {
    if (no_credit(status, vendor)) {
      return Error(errc::model_unavailable,
                   fmt::format("{}: {} no credit left for the key from {}{}", provider, status,
                               config.key_name, said))
          .with_detail("insufficient_quota");
    }
    if (status == 401 || status == 403) {
      const auto from =
          config.key.empty()
              ? fmt::format("no key was sent; set {}", config.key_name)
              : fmt::format("the key from {} is not accepted; set a valid key", config.key_name);
      return Error(errc::model_auth,
                   fmt::format("Invalid API key ({}): {}, {}{}", provider, status, from, said))
          .with_detail(vendor.type);
    }
    if (status == 429) {
      return Error(errc::model_rate_limited, fmt::format("{}: 429 rate limit{}", provider, said),
                   Retry::after_backoff)
          .with_detail(vendor.type);
    }
    if (status == 408 || status == 409 || status >= 500) {
      return Error(errc::model_unavailable,
                   fmt::format("{}: {} from the server{}", provider, status, said),
                   Retry::after_backoff)
          .with_detail(vendor.type);
    }
    return Error(errc::model_refused_request,
                 fmt::format("{}: {} refused{}{}", provider, status, said, hint(config, status)))
        .with_detail(vendor.type);
  }();
  return Error(error).with_status(status);
}

std::optional<double> parse_retry_after(std::string_view value, WallTime now) {
  double seconds = 0;
  const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (problem == std::errc() && end == value.data() + value.size()) {
    if (!std::isfinite(seconds) || seconds < 0) return {};
    return std::min(seconds, kRetryAfterMax);
  }
  std::tm parts{};
  const std::string text(value);
  const char* rest = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (rest == nullptr || *rest != '\0') return {};
  const auto at = static_cast<double>(::timegm(&parts));
  return std::clamp(at - to_unix(now), 0.0, kRetryAfterMax);
}

std::optional<std::chrono::nanoseconds> wait_before_retry(const Error& error,
                                                          const RetryFacts& facts) {
  if (error.retry() == Retry::never || facts.attempt > facts.max_retries) return {};
  const auto doubled = facts.first_wait * (1L << std::clamp(facts.attempt - 1, 0, 10));
  auto wait = std::min<std::chrono::nanoseconds>(doubled, kLongestWait);
  if (error.retry_after()) {
    wait = std::chrono::nanoseconds(static_cast<std::int64_t>(*error.retry_after() * 1e9));
  }
  // Upwards only: a vendor's own time is never undercut.
  wait += std::chrono::nanoseconds(
      static_cast<std::int64_t>(static_cast<double>(wait.count()) * 0.25 * facts.share));
  if (wait >= facts.left) return {};
  return wait;
}

std::string_view outcome_of(const Error& error) {
  switch (error.code()) {
    case errc::model_rate_limited:
      return "rate_limited";
    case errc::model_auth:
      return "auth";
    case errc::model_refused_request:
      return "refused";
    case errc::timeout:
      return "timeout";
    case errc::model_unavailable:
      return "unavailable";
    default:
      return "error";
  }
}

}  // namespace botburrow::llm
