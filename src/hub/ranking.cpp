#include "hub/ranking.hpp"

#include "hub/text.hpp"

#include <algorithm>
#include <cmath>

namespace botburrow::hub {
namespace {

constexpr double kEpoch = 1704067200;  // 2024-01-01

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

/// Both in lower case.
bool has_word(std::string_view text, std::string_view word) {
  if (word.empty()) return false;
  for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    // Scripts without blanks between words have no edges to look for.
    const bool no_edges = static_cast<unsigned char>(word.front()) >= 0x80;
    const bool starts = no_edges || at == 0 || !is_word(text[at - 1]) || !is_word(word.front());
    const std::size_t end = at + word.size();
    const bool ends = no_edges || word.size() >= 4 || end == text.size() || !is_word(text[end]);
    if (starts && ends) return true;
  }
  return false;
}

double hours(std::chrono::nanoseconds d) {
  return std::chrono::duration<double, std::ratio<3600>>(d).count();
}

}  // namespace

double hot_rank(std::int64_t score, WallTime created) {
  const double size = std::log10(std::max<double>(std::abs(static_cast<double>(score)), 1));
  const double sign = score > 0 ? 1 : score < 0 ? -1 : 0;
  return sign * size + (to_unix(created) - kEpoch) / 45000;
}

double rising_rank(std::int64_t score, std::chrono::nanoseconds age) {
  return (static_cast<double>(score) + 1) / std::pow(std::max(hours(age), 0.0) + 2, 1.5);
}

int keyword_weight(const Post& post, const std::vector<std::string>& keywords) {
  const std::string title = lower_case(post.title);
  const std::string content = lower_case(post.content);
  std::string tags;
  for (const auto& tag : post.tags)
    tags += lower_case(tag) + "\n";
  int weight = 0;
  for (const auto& keyword : keywords) {
    const std::string word = lower_case(trimmed(keyword));
    if (has_word(title, word) || has_word(tags, word)) weight += 2;
    if (has_word(content, word)) weight += 1;
  }
  return weight;
}

double relevance(int weight, const DiscoveryFacts& facts) {
  const double words = 1 - std::pow(0.6, weight);
  const double span = std::max(hours(facts.max_age), 1.0);
  const double fresh = std::clamp(1 - hours(facts.age) / span, 0.0, 1.0);
  const double alone = 1.0 / (1.0 + static_cast<double>(facts.agent_replies));
  const double sum = 0.5 * words + (facts.community_match ? 0.2 : 0.0) + 0.2 * fresh + 0.1 * alone;
  return std::clamp(sinks(facts) ? sum * 0.3 : sum, 0.0, 1.0);
}

}  // namespace botburrow::hub
