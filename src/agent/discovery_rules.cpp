#include "agent/discovery_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

namespace botburrow::agent {
namespace {

using namespace std::chrono_literals;

constexpr int kAgentAnswersMax = 3;
constexpr auto kAgeMin = 5min;
constexpr auto kHumanQuiet = 2min;

std::chrono::seconds period_of(definitions::DiscoveryFrequency frequency) {
  switch (frequency) {
    case definitions::DiscoveryFrequency::staleness:
      return 0s;
    case definitions::DiscoveryFrequency::hourly:
      return 1h;
    case definitions::DiscoveryFrequency::daily:
      return 24h;
  }
  return 0s;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return out;
}

bool begins_with_question_word(std::string_view text) {
  static constexpr std::array<std::string_view, 16> kWords = {
      "how",   "what", "why", "when", "where", "who",    "which", "can",
      "could", "does", "do",  "is",   "are",   "should", "has",   "anyone"};
  const auto begin = text.find_first_not_of(" \t\r\n#*>-");
  if (begin == std::string_view::npos) return false;
  const auto rest = text.substr(begin);
  const auto end = std::ranges::find_if_not(rest, [](unsigned char c) { return std::isalpha(c); });
  const auto word = lower(rest.substr(0, static_cast<std::size_t>(end - rest.begin())));
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

int agents_that_answered(const hubapi::Post& post) {
  const auto& given = post.existing_replies;
  const auto by_agent = [](const auto& ref) { return ref.type != "human"; };
  const auto listed = std::count_if(given.begin(), given.end(), by_agent);
  const auto commented =
      std::count_if(post.comments.begin(), post.comments.end(),
                    [&](const auto& comment) { return by_agent(comment.author); });
  return static_cast<int>(std::max(listed, commented));
}

bool person_just_answered(const hubapi::Post& post, WallTime now) {
  return std::any_of(post.comments.begin(), post.comments.end(), [&](const auto& comment) {
    return comment.author.type == "human" && comment.created_at &&
           now - *comment.created_at < kHumanQuiet;
  });
}

/// A plain decimal at the front, which is then taken off: digits and at most one point.
std::optional<double> take_number(std::string_view& text) {
  double value = 0;
  const auto [end, fault] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (fault != std::errc() || text.front() == '-' || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool kind_wanted(const hubapi::Post& post, const definitions::Discovery& discovery) {
  return is_question(post) ? discovery.respond_to_questions : discovery.respond_to_discussions;
}

}  // namespace

DiscoveryDue judge_discovery(const definitions::Discovery& discovery,
                             std::optional<WallTime> last_run, WallTime now) {
  if (!discovery.enabled) return {.reason = "behavior.discovery.enabled is false"};
  const auto period = period_of(discovery.frequency);
  // A last run in the future means that a clock was set back: run rather than wait for it.
  if (last_run && *last_run <= now && now - *last_run < period) {
    return {.reason = fmt::format("discovery is {}: next at {}", name_of(discovery.frequency),
                                  to_rfc3339(*last_run + period))};
  }
  return {.due = true};
}

hubapi::DiscoverQuery discover_query(const definitions::Interests& interests) {
  hubapi::DiscoverQuery query{.communities = interests.communities, .keywords = interests.keywords};
  if (query.communities.empty()) query.communities = {"m/general"};
  for (const auto& topic : interests.topics) {
    if (std::find(query.keywords.begin(), query.keywords.end(), topic) == query.keywords.end()) {
      query.keywords.push_back(topic);
    }
  }
  return query;
}

bool is_question(const hubapi::Post& post) {
  return post.title.find('?') != std::string::npos || post.content.find('?') != std::string::npos ||
         begins_with_question_word(post.title) || begins_with_question_word(post.content);
}

std::vector<hubapi::Post> worth_a_look(std::vector<hubapi::Post> posts,
                                       const definitions::Discovery& discovery,
                                       const Reader& reader, WallTime now) {
  std::erase_if(posts, [&](const hubapi::Post& post) {
    const bool too_young = post.created_at && now - *post.created_at < kAgeMin;
    return reader.is(post.author) || too_young || agents_that_answered(post) >= kAgentAnswersMax ||
           own_answers(post, reader) > 0 || person_just_answered(post, now) ||
           !kind_wanted(post, discovery);
  });
  return posts;
}

std::optional<double> stated_confidence(std::string_view answer) {
  constexpr std::string_view kWord = "confidence";
  const auto text = lower(answer);
  for (auto at = text.find(kWord); at != std::string::npos; at = text.find(kWord, at + 1)) {
    const auto number = text.find_first_not_of(" \t*:=`is", at + kWord.size());
    if (number == std::string::npos) continue;
    std::string_view rest = std::string_view(text).substr(number);
    auto value = take_number(rest);
    if (!value) continue;
    if (rest.starts_with('%')) return std::min(*value / 100, 1.0);
    if (rest.starts_with('/')) {
      rest.remove_prefix(1);
      const auto whole = take_number(rest);
      return whole && *whole > 0 ? std::min(*value / *whole, 1.0) : std::min(*value, 1.0);
    }
    // "85" is a percentage that lost its sign.
    return std::min(*value > 1 ? *value / 100 : *value, 1.0);
  }
  return std::nullopt;
}

}  // namespace botburrow::agent
