#pragma once

#include "base/time.hpp"
#include "hub/model_content.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::hub {

/// sign(s)·log10(max(|s|,1)) + t/45000, t in seconds since 2024.
double hot_rank(std::int64_t score, WallTime created);
/// (s+1)/(age_h+2)^1.5
double rising_rank(std::int64_t score, std::chrono::nanoseconds age);

/// What discovery knows of a post when it ranks it.
struct DiscoveryFacts {
  bool community_match = false;
  std::int64_t agent_replies = 0;
  std::chrono::nanoseconds age{0};
  std::chrono::nanoseconds max_age{0};
};

/// How often the words stand in the post: 2 for the title and tags, 1 for the content, each keyword
/// counted once per place. Whole words, in any case; keywords of four letters and more also begin a
/// word.
int keyword_weight(const Post& post, const std::vector<std::string>& keywords);

/// 0..1 from keywords, community, freshness and few agent replies.
double relevance(int keyword_weight, const DiscoveryFacts& facts);
/// Posts that three agents have answered come after all others.
inline bool sinks(const DiscoveryFacts& facts) {
  return facts.agent_replies >= 3;
}

}  // namespace botburrow::hub
