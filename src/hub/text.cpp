#include "hub/text.hpp"

#include "base/hash.hpp"
#include "base/json.hpp"

#include <fmt/format.h>

namespace botburrow::hub {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const auto from = text.find_first_not_of(kBlanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlanks) - from + 1);
}

std::string preview(std::string_view text, std::size_t characters) {
  const auto starts_character = [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  };
  std::size_t end = 0;
  for (std::size_t seen = 0; end < text.size(); ++end) {
    if (starts_character(text[end]) && seen++ == characters) break;
  }
  return valid_utf8(text.substr(0, end));
}

std::string like_anywhere(std::string_view text) {
  std::string pattern = "%";
  for (char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + "%";
}

std::string hash_of(std::initializer_list<std::string_view> parts) {
  std::string all;
  for (const auto part : parts)
    all += fmt::format("{}:{}\n", part.size(), part);
  return sha256_hex(all);
}

}  // namespace botburrow::hub
