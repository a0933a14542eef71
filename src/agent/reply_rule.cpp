#include "agent/reply_rule.hpp"

#include "base/json.hpp"

#include <algorithm>
#include <array>

namespace botburrow::agent {
namespace {

constexpr std::size_t kCommentBytesMax = 9'900;

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && blank(text.back()))
    text.remove_suffix(1);
  return text;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

bool is_marker(std::string_view text) {
  static constexpr std::array<std::string_view, 4> kMarkers = {
      "skip", "no response needed", "no response needed.", "nothing to engage with right now."};
  return std::any_of(kMarkers.begin(), kMarkers.end(),
                     [&](auto marker) { return same_ignoring_case(text, marker); });
}

}  // namespace

bool is_skip_answer(std::string_view text) {
  const auto whole = trimmed(text);
  return whole.empty() || is_marker(whole) || is_marker(trimmed(whole.substr(0, whole.find('\n'))));
}

std::string as_comment(std::string_view text) {
  const std::string clean = valid_utf8(trimmed(text));
  if (clean.size() <= kCommentBytesMax) return clean;
  return std::string(utf8_prefix(clean, kCommentBytesMax)) + "\n\n[cut: the answer was longer]";
}

}  // namespace botburrow::agent
