#include "tools/glob_pattern.hpp"

#include <vector>

namespace botburrow::tools {
namespace {

constexpr std::string_view kInSegment = "[^/]";

void append_literal(std::string& regex, char c) {
  constexpr std::string_view kSpecial = "\\^$.|?*+()[]{}-";
  if (kSpecial.find(c) != std::string_view::npos) regex += '\\';
  regex += c;
}

/// A set from its `[` on; how many characters it took, 0 when it has no end.
std::size_t append_set(std::string& regex, std::string_view from) {
  std::size_t at = 1;
  const bool negated = at < from.size() && (from[at] == '!' || from[at] == '^');
  if (negated) ++at;
  const auto end = from.find(']', at + 1);
  if (end == std::string_view::npos) return 0;
  // Never a slash: a set is one character of a name.
  std::string set;
  for (; at < end; ++at) {
    if (from[at] == '-' && !set.empty() && at + 1 < end)
      set += '-';
    else
      append_literal(set, from[at]);
  }
  regex += negated ? "[^/" + set + "]" : "[" + set + "]";
  return end + 1;
}

std::string segment_regex(std::string_view segment) {
  std::string regex;
  int open_braces = 0;
  for (std::size_t at = 0; at < segment.size(); ++at) {
    const char c = segment[at];
    if (c == '*') {
      regex += std::string(kInSegment) + "*";
    } else if (c == '?') {
      regex += kInSegment;
    } else if (c == '[') {
      if (const auto taken = append_set(regex, segment.substr(at)); taken > 0)
        at += taken - 1;
      else
        append_literal(regex, c);
    } else if (c == '{' && segment.find('}', at) != std::string_view::npos) {
      ++open_braces;
      regex += "(?:";
    } else if (c == ',' && open_braces > 0) {
      regex += '|';
    } else if (c == '}' && open_braces > 0) {
      --open_braces;
      regex += ')';
    } else {
      append_literal(regex, c);
    }
  }
  for (; open_braces > 0; --open_braces)
    regex += ')';
  return regex;
}

std::vector<std::string_view> segments_of(std::string_view pattern) {
  std::vector<std::string_view> segments;
  for (std::size_t from = 0; from <= pattern.size();) {
    const auto slash = std::min(pattern.find('/', from), pattern.size());
    const auto segment = pattern.substr(from, slash - from);
    if (!segment.empty() && segment != ".") segments.push_back(segment);
    from = slash + 1;
  }
  return segments;
}

}  // namespace

std::expected<GlobPattern, std::string> GlobPattern::parse(std::string_view pattern) {
  if (pattern.starts_with('/')) {
    return std::unexpected(
        "the pattern is absolute; patterns are relative to the workspace, such as **/*.md");
  }
  const auto segments = segments_of(pattern);
  if (segments.empty()) return std::unexpected("the pattern is empty");
  std::string regex = "(?s)";
  for (std::size_t at = 0; at < segments.size(); ++at) {
    const bool last = at + 1 == segments.size();
    if (segments[at] == "..")
      return std::unexpected("the pattern leads out of the workspace with ..");
    if (segments[at] == "**") {
      regex += last ? ".*" : "(?:.*/)?";
    } else {
      regex += segment_regex(segments[at]);
      if (!last) regex += '/';
    }
  }
  auto compiled = LinearRegex::parse(regex);
  if (!compiled) return std::unexpected("the pattern cannot be read: " + compiled.error());
  return GlobPattern(std::move(*compiled));
}

}  // namespace botburrow::tools
