#pragma once

#include <chrono>
#include <cstdint>

namespace botburrow::queue {

/// Consecutive failures that trip an agent's circuit breaker.
constexpr std::int64_t kFailuresMax = 5;
/// The longest back-off and hold-off.
constexpr std::chrono::seconds kBackoffMax{3600};

/// min(60 × 2^(failures−5), 3600) s from the 5th failure on, none before. The scripts compute the
/// same; a test compares them.
std::chrono::seconds backoff_after(std::int64_t failures);

}  // namespace botburrow::queue
