#include "cli/output.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace botburrow::cli {
namespace {

/// A longer cell pushes its own row aside, not every row.
constexpr std::size_t kColumnMax = 48;

/// The code point at `at`, and its length. The text is valid UTF-8.
std::pair<char32_t, std::size_t> code_point(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t point = lead < 0x80 ? lead : lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length && at + i < text.size(); ++i)
    point = point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3F);
  return {point, length};
}

bool is_control(char32_t point) {
  const bool direction =
      (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
  return (point < 0x20 && point != '\n' && point != '\t') || (point >= 0x7F && point < 0xA0) ||
         direction;
}

bool is_wide(char32_t point) {
  return (point >= 0x1100 && point <= 0x115F) || (point >= 0x2E80 && point <= 0xA4CF) ||
         (point >= 0xAC00 && point <= 0xD7A3) || (point >= 0xF900 && point <= 0xFAFF) ||
         (point >= 0xFE30 && point <= 0xFE6F) || (point >= 0xFF00 && point <= 0xFF60) ||
         (point >= 0x1F300 && point <= 0x1FAFF) || (point >= 0x20000 && point <= 0x3FFFD);
}

bool has_no_width(char32_t point) {
  return (point >= 0x300 && point <= 0x36F) || (point >= 0x200B && point <= 0x200F) ||
         (point >= 0xFE00 && point <= 0xFE0F);
}

std::string_view escape_of(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "\x1b[1m";
    case Style::dim:
      return "\x1b[2m";
    case Style::good:
      return "\x1b[32m";
    case Style::warning:
      return "\x1b[33m";
    case Style::bad:
      return "\x1b[31m";
    case Style::accent:
      return "\x1b[36m";
  }
  return "";
}

std::string one_line(std::string_view text) {
  std::string out = printable(text);
  for (char& c : out)
    if (c == '\n' || c == '\t') c = ' ';
  return out;
}

}  // namespace

Output::Output(const Environment& environment) : terminal_(environment.stdout_is_terminal) {
  colour_ =
      terminal_ && !environment.variable("NO_COLOR") && environment.variable("TERM") != "dumb";
}

Output Output::into(std::string& text) const {
  auto out = *this;
  out.text_ = &text;
  return out;
}

std::string Output::styled(Style style, std::string_view text) const {
  if (!colour_ || style == Style::plain || text.empty()) return std::string(text);
  return fmt::format("{}{}\x1b[0m", escape_of(style), text);
}

void Output::line(std::string_view text) const {
  const auto whole = std::string(text) + "\n";
  // A reader that went away or a full disk shows when stdout is flushed at the end.
  if (text_ == nullptr)
    std::fwrite(whole.data(), 1, whole.size(), stdout);
  else
    *text_ += whole;
}

void Output::table(const std::vector<std::string>& headings,
                   const std::vector<std::vector<std::string>>& rows) const {
  std::vector<std::size_t> widths;
  for (const std::string& heading : headings)
    widths.push_back(display_width(heading));
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : rows) {
    auto& clean = cells.emplace_back();
    for (std::size_t i = 0; i < headings.size(); ++i) {
      clean.push_back(i < row.size() ? one_line(row[i]) : "");
      widths[i] = std::max(widths[i], std::min(kColumnMax, display_width(clean.back())));
    }
  }
  const auto padded = [&](const std::string& cell, std::size_t column) {
    if (column + 1 == headings.size()) return cell;
    const std::size_t width = display_width(cell);
    return cell + std::string(widths[column] > width ? widths[column] - width + 2 : 2, ' ');
  };
  std::string head;
  for (std::size_t i = 0; i < headings.size(); ++i)
    head += padded(headings[i], i);
  line(styled(Style::bold, head));
  for (const auto& row : cells) {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i)
      text += padded(row[i], i);
    while (text.ends_with(' '))
      text.pop_back();
    line(text);
  }
}

void Output::json(const json::value& document) const {
  line(terminal_ ? to_pretty_json(document) : to_json(document));
}

std::string printable(std::string_view text) {
  const std::string valid = valid_utf8(text);
  std::string out;
  for (std::size_t at = 0; at < valid.size();) {
    const auto [point, length] = code_point(valid, at);
    if (!is_control(point)) out.append(valid, at, length);
    at += length;
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  const std::string valid = valid_utf8(text);
  std::size_t width = 0;
  for (std::size_t at = 0; at < valid.size();) {
    const auto [point, length] = code_point(valid, at);
    width += has_no_width(point) ? 0 : is_wide(point) ? 2 : 1;
    at += length;
  }
  return width;
}

std::string ago(double seconds) {
  if (seconds < 0) return "just now";
  if (seconds < 60) return fmt::format("{:.0f} s ago", seconds);
  if (seconds < 3600) return fmt::format("{:.0f} min ago", seconds / 60);
  if (seconds < 86400) return fmt::format("{:.0f} h ago", seconds / 3600);
  return fmt::format("{:.0f} d ago", seconds / 86400);
}

}  // namespace botburrow::cli
