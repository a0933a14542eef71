#include "llm/thinking.hpp"

#include <string_view>

namespace botburrow::llm {
namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";
constexpr std::string_view kBlank = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(kBlank);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

bool alone_on_its_line(std::string_view text, std::size_t at) {
  const auto before = text.find_last_not_of(" \t", at == 0 ? 0 : at - 1);
  const bool begins = at == 0 || before == std::string_view::npos || text[before] == '\n';
  const auto behind = text.find_first_not_of(" \t\r", at + kClose.size());
  return begins && (behind == std::string_view::npos || text[behind] == '\n');
}

// Where the answer begins behind thinking that only a closing tag tells of.
std::string_view behind_lone_close(std::string_view text) {
  const auto close = text.find(kClose);
  if (close == std::string_view::npos ||
      text.substr(0, close).find(kOpen) != std::string_view::npos)
    return text;
  return alone_on_its_line(text, close) ? trimmed(text.substr(close + kClose.size())) : text;
}

}  // namespace

std::string without_thinking(std::string text, bool cut) {
  std::string_view rest = trimmed(text);
  if (!rest.starts_with(kOpen)) {
    const auto answer = behind_lone_close(text);
    return answer.size() == text.size() ? text : std::string(answer);
  }
  while (rest.starts_with(kOpen)) {
    const auto close = rest.find(kClose);
    // Not closed although the answer is whole: a text about the tag rather than a thought.
    if (close == std::string_view::npos) return cut ? std::string() : std::string(rest);
    rest = trimmed(rest.substr(close + kClose.size()));
  }
  return std::string(rest);
}

}  // namespace botburrow::llm
