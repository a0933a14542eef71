#pragma once

#include "base/settings.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow {

/// The normal form of a value that is not empty (durations as seconds, sizes as bytes, booleans as
/// true or false, choices as the table spells them), or what is wrong with it: the end of a problem
/// line, e.g. "expected whole seconds 1..3600". Never repeats the value.
std::expected<std::string, std::string> normalise_setting(const SettingSpec& spec,
                                                          std::string_view value);

std::optional<bool> parse_bool(std::string_view text);
/// Whole seconds, or with a unit: 30s, 5m, 4h, 7d.
std::optional<std::int64_t> parse_seconds(std::string_view text);
/// Bytes: 512m, 2g, 2Gi, 64MB, 1024. Units are powers of 1024, as container tools take them.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// Processors: 1.5, or thousandths: 500m.
std::optional<double> parse_cpu(std::string_view text);
/// Comma-separated values without blanks around them and without empty ones, or a JSON list.
/// Nothing for text that begins like a JSON list and is none.
std::optional<std::vector<std::string>> parse_list(std::string_view text);

std::string_view without_blanks(std::string_view text);

/// The value as a log or terminal may see it: passwords in URLs as ***, control characters escaped,
/// at most 200 bytes.
std::string shown_value(std::string_view value);

}  // namespace botburrow
