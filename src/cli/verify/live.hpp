#pragma once

#include "cli/locate.hpp"
#include "cli/parts.hpp"
#include "cli/verify/local.hpp"

#include <string>
#include <vector>

namespace botburrow::cli::verify {

/// A system that runs already.
struct LiveSystem {
  std::string redis_url, hub_url;
  Secret hub_key;
  std::vector<std::string> coordinators, runners;
};

/// What a live system shows without being disturbed: A6 A9 A10 A14 A16 A25 A26 A43 A59. For A14 and
/// A16 an agent of its own is put into the queue, paused so that nobody claims it, and taken out
/// again; the Hub never hears of it.
Task<> run_live(const Ground& ground, LiveSystem system, Outcomes& outcomes, Progress progress);

}  // namespace botburrow::cli::verify
