#pragma once

#include "tools/linear_regex.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace botburrow::tools {

/// A pattern of file names: `*` and `?` stay within a folder, `**` as a whole segment is any number
/// of folders, `[a-z]` and `[!a-z]` are sets, `{a,b}` is either. Matched in linear time.
class GlobPattern {
 public:
  /// The pattern, or why it is refused: absolute, with `..`, too long, or not a pattern.
  static std::expected<GlobPattern, std::string> parse(std::string_view pattern);
  /// Whether it means `path`, which is relative to the workspace.
  bool matches(std::string_view path) const { return regex_.matches_all_of(path); }

 private:
  explicit GlobPattern(LinearRegex regex) : regex_(std::move(regex)) {}
  LinearRegex regex_;
};

}  // namespace botburrow::tools
