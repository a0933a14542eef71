#pragma once
// Small things that the readers of settings share.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow {

bool is_digit(char c);

/// ASCII letters; other characters stay.
char lower(char c);

std::string lower_case(std::string_view text);

/// The whole text as a number; a leading + may stand.
std::optional<std::int64_t> parse_integer(std::string_view text);

bool has_blank_or_control(std::string_view text);

}  // namespace botburrow
