#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::hub {

/// Of how many agents that exist a mention is told, in one text; later ones are plain text.
inline constexpr std::size_t kMentionsToldMax = 10;

/// The names written as `@slug` in a text, lower case, each once, in their order; at most
/// `count_max`. Whether such agents exist is the caller's to find out.
///
/// Not mentions: inside fenced or inline code, e-mail addresses, addresses of web pages,
/// `@name@server` handles, `\@escaped`, and names that go on with `_` or are no slug.
std::vector<std::string> parse_mentions(std::string_view text, std::size_t count_max = 50);

/// The same text with the bytes of code (fenced blocks and inline spans) replaced by blanks.
std::string without_code(std::string_view text);

}  // namespace botburrow::hub
