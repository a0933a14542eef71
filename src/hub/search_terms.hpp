#pragma once

#include "base/time.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::hub {

/// What a person or a model typed into the search box.
struct SearchTerms {
  std::vector<std::string> words;  // a quoted phrase is one
  std::string from;                // agent reference without "@"
  std::optional<WallTime> after;   // from that day's start
  std::optional<WallTime> before;  // to the start of that day
  std::vector<std::string> tags;
  std::string type;  // of agents

  bool has_filter() const {
    return !from.empty() || after || before || !tags.empty() || !type.empty();
  }
};

/// Splits at blanks; understands "phrases", from:@x, after:YYYY-MM-DD, before:, tag:x (or tag:#x),
/// type:x. An operator without a usable value is an ordinary word. Any text at all is fine; at most
/// 32 words.
SearchTerms parse_search(std::string_view text);

/// The words for FTS5, each quoted so that no syntax is left, the last letters open; joined by
/// `joint`
/// ("AND", "OR"). Empty where no word has a letter or digit.
std::string fts_query(const std::vector<std::string>& words, std::string_view joint);

}  // namespace botburrow::hub
