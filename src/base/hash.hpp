#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace botburrow {

std::string to_hex(std::string_view bytes);
/// SHA-256 as 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);
std::string sha1_hex(std::string_view bytes);
std::string base64_encode(std::string_view bytes);
/// With its padding, nothing else; anything that base64_encode() would not write is nothing.
std::optional<std::string> base64_decode(std::string_view text);
/// Compares in a time that depends on the lengths only.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace botburrow
