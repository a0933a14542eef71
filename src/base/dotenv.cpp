#include "base/dotenv.hpp"

#include "base/settings_values.hpp"

#include <algorithm>

namespace botburrow {

namespace {

/// The value of a `.env` line after `=`: quoted, or up to a comment.
std::string dotenv_value(std::string_view text) {
  text = without_blanks(text);
  if (text.empty()) return {};
  const char quote = text.front();
  if (quote != '"' && quote != '\'') {
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t'))
        return std::string(without_blanks(text.substr(0, i)));
    return std::string(text);
  }
  std::string out;
  for (std::size_t i = 1; i < text.size() && text[i] != quote; ++i) {
    if (quote == '"' && text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      out += text[i] == 'n' ? '\n' : text[i] == 't' ? '\t' : text[i];
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::map<std::string, std::string, std::less<>> parse_dotenv(std::string_view text) {
  std::map<std::string, std::string, std::less<>> out;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = without_blanks(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
    if (line.starts_with("export ")) line = without_blanks(line.substr(7));
    const std::size_t equals = line.find('=');
    if (line.starts_with('#') || equals == std::string_view::npos) continue;
    const std::string_view name = without_blanks(line.substr(0, equals));
    if (!name.empty()) out[std::string(name)] = dotenv_value(line.substr(equals + 1));
  }
  return out;
}

}  // namespace botburrow
