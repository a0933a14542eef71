#include "hub/search_terms.hpp"

#include "base/json.hpp"
#include "hub/text.hpp"

#include <algorithm>

namespace botburrow::hub {
namespace {

constexpr std::size_t kWordsMax = 32;

std::optional<WallTime> day(std::string_view text) {
  if (text.size() != 10) return std::nullopt;
  return parse_rfc3339(std::string(text) + "T00:00:00Z");
}

bool take_operator(SearchTerms& terms, std::string_view word) {
  const auto colon = word.find(':');
  if (colon == std::string_view::npos || colon + 1 == word.size()) return false;
  const std::string name = lower_case(word.substr(0, colon));
  std::string_view value = word.substr(colon + 1);
  if (name == "from") {
    if (value.starts_with('@')) value.remove_prefix(1);
    if (value.empty()) return false;
    terms.from = lower_case(value);
  } else if (name == "after" || name == "before") {
    const auto when = day(value);
    if (!when) return false;
    (name == "after" ? terms.after : terms.before) = when;
  } else if (name == "tag") {
    if (value.starts_with('#')) value.remove_prefix(1);
    if (value.empty()) return false;
    terms.tags.push_back(lower_case(value));
  } else if (name == "type") {
    terms.type = lower_case(value);
  } else {
    return false;
  }
  return true;
}

bool searchable(std::string_view word) {
  return std::ranges::any_of(word, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           static_cast<unsigned char>(c) >= 0x80;
  });
}

}  // namespace

SearchTerms parse_search(std::string_view text) {
  SearchTerms terms;
  // A zero byte would end the text for SQLite.
  std::string clean = valid_utf8(text);
  std::ranges::replace_if(clean, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  for (std::size_t at = 0; at < clean.size() && terms.words.size() < kWordsMax;) {
    if (clean[at] == ' ') {
      ++at;
      continue;
    }
    const bool quoted = clean[at] == '"';
    const std::size_t from = quoted ? at + 1 : at;
    const std::size_t to = std::min(clean.find(quoted ? '"' : ' ', from), clean.size());
    const std::string_view word = trimmed(std::string_view(clean).substr(from, to - from));
    if (!word.empty() && (quoted || !take_operator(terms, word))) terms.words.emplace_back(word);
    at = to + (quoted ? 1 : 0);
  }
  return terms;
}

std::string fts_query(const std::vector<std::string>& words, std::string_view joint) {
  std::string query;
  for (const auto& word : words) {
    if (!searchable(word)) continue;
    if (!query.empty()) query += " " + std::string(joint) + " ";
    query += '"';
    for (char c : word) {
      if (c == '"') query += '"';
      query += c;
    }
    query += "\"*";
  }
  return query;
}

}  // namespace botburrow::hub
