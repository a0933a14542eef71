#pragma once

#include "base/error.hpp"
#include "llm/providers.hpp"
#include "llm/wire.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow::llm {

/// The error that a refused request (any status outside 2xx) is, with the vendor's words. Never
/// holds the key.
Error error_of_status(const ProviderConfig& config, int status, const VendorError& vendor);

/// The value of `retry-after`: seconds, fractions allowed, or an HTTP date seen from `now`.
std::optional<double> parse_retry_after(std::string_view value, WallTime now);

/// How long to wait before attempt number `attempt` (1 = the first repetition), or nothing where
/// repeating cannot help, was tried `max_retries` times, or could not begin before `left` is
/// over. Doubles from `first_wait`; a vendor's own `retry_after` wins. `share` in [0,1) spreads the
/// wait upwards by up to a quarter.
struct RetryFacts {
  int attempt = 1;
  int max_retries = 2;
  std::chrono::nanoseconds first_wait{};
  std::chrono::nanoseconds left{};
  double share = 0;
};
std::optional<std::chrono::nanoseconds> wait_before_retry(const Error& error,
                                                          const RetryFacts& facts);

/// The outcome label of a request that failed so.
std::string_view outcome_of(const Error& error);

/// `text` without the key and without what looks like one.
std::string without_keys(std::string text, const Secret& key);

}  // namespace botburrow::llm
