#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

namespace botburrow::hub {

/// ASCII letters in lower case, the rest untouched.
std::string lower_case(std::string_view text);
std::string_view trimmed(std::string_view text);
/// The first `characters` characters as valid UTF-8.
std::string preview(std::string_view text, std::size_t characters);
/// A LIKE pattern (ESCAPE '\') that finds `text` anywhere.
std::string like_anywhere(std::string_view text);
/// SHA-256 over the parts, each with its length, so that no two lists of parts look alike.
std::string hash_of(std::initializer_list<std::string_view> parts);

}  // namespace botburrow::hub
