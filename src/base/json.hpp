#pragma once

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow {

namespace json = boost::json;

/// Appends `text` as a JSON string with quotes. Bytes that are not UTF-8 become U+FFFD, so that the
/// result is always valid JSON.
void append_json_string(std::string& out, std::string_view text);

/// The same text with every invalid UTF-8 sequence replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

/// Cut to at most `bytes`, never inside a UTF-8 sequence.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes);

/// Parses one JSON document of at most 64 levels. Throws Error{bad_input} that begins with `what`
/// and shows the first 200 bytes. Duplicate keys: the last wins.
json::value parse_json(std::string_view text, std::string_view what);
/// The same, nothing on any fault.
std::optional<json::value> try_parse_json(std::string_view text);

/// Compact JSON text; strings are made valid UTF-8 first where needed.
std::string to_json(const json::value& value);
/// Indented by `indent` blanks, keys in their order, a newline-free last line.
std::string to_pretty_json(const json::value& value, int indent = 2);

// Reading fields of an object that a stranger wrote: nothing for absent, null or another type.
// Numbers: integers given as 3.0 count, fractions do not.
const json::value* find_field(const json::value& object, std::string_view key);
std::optional<std::string> string_field(const json::value& object, std::string_view key);
std::optional<std::int64_t> int_field(const json::value& object, std::string_view key);
std::optional<double> number_field(const json::value& object, std::string_view key);
std::optional<bool> bool_field(const json::value& object, std::string_view key);
/// Empty for absent or no list.
const json::array& array_field(const json::value& object, std::string_view key);

}  // namespace botburrow
