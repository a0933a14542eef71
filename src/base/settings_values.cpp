#include "base/settings_values.hpp"

#include "base/json.hpp"
#include "base/settings_text.hpp"
#include "base/settings_urls.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace botburrow {
namespace {

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

bool in_range(const SettingSpec& spec, double value) {
  if (spec.zero_is_off && value == 0) return true;
  return value >= spec.min && value <= spec.max;
}

Normal normal_choice(const SettingSpec& spec, std::string_view value) {
  for (const std::string_view choice : spec.choices)
    if (lower_case(choice) == lower_case(value)) return std::string(choice);
  return wrong_form(spec);
}

Normal normal_rate(const SettingSpec& spec, std::string_view value) {
  if (value == "0") return std::string("0");
  const std::size_t slash = value.find('/');
  if (slash == std::string_view::npos) return wrong_form(spec);
  const auto count = parse_integer(value.substr(0, slash));
  std::string_view period = value.substr(slash + 1);
  std::size_t digits = 0;
  while (digits < period.size() && is_digit(period[digits]))
    ++digits;
  const auto number = digits == 0 ? 1 : parse_integer(period.substr(0, digits)).value_or(0);
  const std::string unit = lower_case(period.substr(digits));
  constexpr std::array<std::string_view, 8> kUnits = {"s", "sec",  "m", "min",
                                                      "h", "hour", "d", "day"};
  const bool known = std::find(kUnits.begin(), kUnits.end(), unit) != kUnits.end();
  if (!count || *count < 0 || *count > 1'000'000'000 || number < 1 || number > 1'000'000 || !known)
    return wrong_form(spec);
  if (*count == 0) return std::string("0");
  return std::string(value);
}

bool is_json_map_of_strings(std::string_view value) {
  const auto document = try_parse_json(value);
  if (!document || !document->is_object()) return false;
  return std::all_of(document->as_object().begin(), document->as_object().end(),
                     [](const auto& entry) { return entry.value().is_string(); });
}

bool is_identifier(std::string_view value) {
  const auto good = [](char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '.' || c == '_' || c == '-';
  };
  return value.size() <= 128 && std::all_of(value.begin(), value.end(), good);
}

Normal normal_size(const SettingSpec& spec, std::string_view value) {
  const auto bytes = parse_size(value);
  if (!bytes) return wrong_form(spec);
  if (static_cast<double>(*bytes) < spec.min)
    return std::unexpected(
        fmt::format("expected a size of at least {}m", static_cast<std::int64_t>(spec.min) >> 20));
  return std::to_string(*bytes);
}

Normal normal_path(const SettingSpec& spec, std::string_view value) {
  if (value.find('\0') != std::string_view::npos) return wrong_form(spec);
  if (spec.name != "API_PREFIX" && spec.name != "METRICS_PATH") return std::string(value);
  // Two paths of URLs: they begin with a slash and do not end with one.
  while (value.size() > 1 && value.ends_with('/'))
    value.remove_suffix(1);
  if (!value.starts_with('/') || value.size() < 2 || has_blank_or_control(value) ||
      value.find_first_of("?#") != std::string_view::npos)
    return std::unexpected("expected a path such as " + std::string(spec.default_value));
  return std::string(value);
}

std::string one_of(const std::vector<std::string_view>& choices) {
  std::string out;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) out += i + 1 == choices.size() ? " or " : ", ";
    out += choices[i];
  }
  return out;
}

std::string range_form(const SettingSpec& spec, std::string_view noun, std::string_view open_noun) {
  const std::string off = spec.zero_is_off && spec.min > 0 ? "0 (off) or " : "";
  if (spec.max >= 9e15) return fmt::format("{}{} of at least {}", off, open_noun, spec.min);
  return fmt::format("{}{} {}..{}", off, noun, spec.min, spec.max);
}

}  // namespace

std::string expected_form(const SettingSpec& spec) {
  switch (spec.type) {
    case SettingType::text:
      return "text on one line";
    case SettingType::url:
      return "http:// or https:// URL";
    case SettingType::redis_url:
      return "redis://, rediss:// or unix://";
    case SettingType::integer:
      return range_form(spec, "a whole number", "a whole number");
    case SettingType::duration:
      return range_form(spec, "whole seconds", "whole seconds");
    case SettingType::number:
      return range_form(spec, "a number", "a number");
    case SettingType::boolean:
      return "true or false";
    case SettingType::enumeration:
      return one_of(spec.choices);
    case SettingType::size:
      return "a size such as 512m, 2g or 2Gi";
    case SettingType::cpu:
      return "processors above 0, such as 1.0 or 500m";
    case SettingType::list:
      return "values separated by commas, or a JSON list of strings";
    case SettingType::json_map:
      return "a JSON object of agent name to key";
    case SettingType::path:
      return "a file or folder name";
    case SettingType::identifier:
      return "1 to 128 of the characters A-Z a-z 0-9 . _ -";
    case SettingType::rate:
      return "a rate such as 50/h or 1/30m, or 0 for no limit";
    case SettingType::host:
      return "an address or host name without port";
    case SettingType::database_url:
      return "sqlite:///PATH or postgresql://user@host/name";
  }
  return "another value";
}

std::expected<std::string, std::string> normalise_setting(const SettingSpec& spec,
                                                          std::string_view value) {
  switch (spec.type) {
    case SettingType::text:
      if (std::any_of(value.begin(), value.end(),
                      [](char c) { return c == '\n' || c == '\r' || c == '\0'; }))
        return wrong_form(spec);
      return std::string(value);
    case SettingType::url:
      return normal_url(spec, value);
    case SettingType::redis_url:
      return normal_redis_url(value);
    case SettingType::database_url:
      return normal_database_url(spec, value);
    case SettingType::integer: {
      const auto number = parse_integer(value);
      if (!number || !in_range(spec, static_cast<double>(*number))) return wrong_form(spec);
      return std::to_string(*number);
    }
    case SettingType::duration: {
      const auto seconds = parse_seconds(value);
      if (!seconds || !in_range(spec, static_cast<double>(*seconds))) return wrong_form(spec);
      return std::to_string(*seconds);
    }
    case SettingType::number: {
      const auto number = parse_number(value);
      if (!number || !in_range(spec, *number)) return wrong_form(spec);
      return std::string(value);
    }
    case SettingType::boolean: {
      const auto truth = parse_bool(value);
      if (!truth) return wrong_form(spec);
      return std::string(*truth ? "true" : "false");
    }
    case SettingType::enumeration:
      return normal_choice(spec, value);
    case SettingType::size:
      return normal_size(spec, value);
    case SettingType::cpu: {
      const auto cpus = parse_cpu(value);
      if (!cpus || !in_range(spec, *cpus)) return wrong_form(spec);
      return fmt::format("{}", *cpus);
    }
    case SettingType::list:
      if (!parse_list(value)) return wrong_form(spec);
      return std::string(value);
    case SettingType::json_map:
      if (!is_json_map_of_strings(value)) return std::unexpected("not " + expected_form(spec));
      return std::string(value);
    case SettingType::path:
      return normal_path(spec, value);
    case SettingType::identifier:
      if (!is_identifier(value)) return wrong_form(spec);
      return std::string(value);
    case SettingType::rate:
      return normal_rate(spec, value);
    case SettingType::host: {
      const bool v6 = value.find(':') != value.rfind(':');
      if (has_blank_or_control(value) || value.find('/') != std::string_view::npos ||
          (!v6 && value.find(':') != std::string_view::npos))
        return wrong_form(spec);
      return std::string(value);
    }
  }
  return wrong_form(spec);
}

std::optional<bool> parse_bool(std::string_view text) {
  const std::string word = lower_case(text);
  if (word == "true" || word == "1" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "0" || word == "no" || word == "off") return false;
  return {};
}

std::optional<std::int64_t> parse_seconds(std::string_view text) {
  std::int64_t factor = 1;
  if (!text.empty() && !is_digit(text.back())) {
    switch (lower(text.back())) {
      case 's':
        factor = 1;
        break;
      case 'm':
        factor = 60;
        break;
      case 'h':
        factor = 3600;
        break;
      case 'd':
        factor = 86400;
        break;
      default:
        return {};
    }
    text.remove_suffix(1);
  }
  if (text.empty() || !is_digit(text.back())) return {};
  const auto number = parse_integer(text);
  if (!number || *number > 1'000'000'000'000 || *number < -1'000'000'000'000) return {};
  return *number * factor;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits]))
    ++digits;
  const auto number = parse_integer(text.substr(0, digits));
  if (digits == 0 || !number) return {};
  std::string unit = lower_case(text.substr(digits));
  if (unit.size() > 1 && unit.ends_with('b')) unit.pop_back();
  if (unit.size() > 1 && unit.ends_with('i')) unit.pop_back();
  constexpr std::string_view kUnits = "bkmgt";
  if (unit.size() > 1) return {};
  const std::size_t power = unit.empty() ? 0 : kUnits.find(unit);
  if (power == std::string_view::npos) return {};
  const unsigned shift = static_cast<unsigned>(power) * 10;
  const auto bytes = static_cast<std::uint64_t>(*number);
  if (bytes > (std::uint64_t{1} << 62) >> shift) return {};
  return bytes << shift;
}

std::optional<double> parse_cpu(std::string_view text) {
  const bool thousandths = text.ends_with('m');
  if (thousandths) text.remove_suffix(1);
  const auto number = parse_number(text);
  if (!number || *number <= 0) return {};
  return thousandths ? *number / 1000 : *number;
}

std::optional<std::vector<std::string>> parse_list(std::string_view text) {
  std::vector<std::string> out;
  if (text.starts_with('[')) {
    const auto document = try_parse_json(text);
    if (!document || !document->is_array()) return {};
    for (const json::value& item : document->as_array()) {
      if (!item.is_string()) return {};
      out.emplace_back(item.as_string());
    }
    return out;
  }
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (const auto item = without_blanks(text.substr(0, comma)); !item.empty())
      out.emplace_back(item);
    text.remove_prefix(std::min(text.size(), comma + 1));
  }
  return out;
}

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string shown_value(std::string_view value) {
  std::string text(value);
  // The last @ ends the credentials even where a password holds a slash or an @ of its own.
  if (const std::size_t at = text.rfind('@'); at != std::string::npos) {
    const std::size_t mark = text.find("://");
    const std::size_t begin = mark == std::string::npos || mark > at ? 0 : mark + 3;
    const std::size_t colon = text.find(':', begin);
    if (colon != std::string::npos && colon < at) text.replace(colon + 1, at - colon - 1, "***");
  }
  std::string safe = valid_utf8(utf8_prefix(text, 200));
  std::string out;
  for (const char c : safe) {
    if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < ' ' || c == 127)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return text.size() > 200 ? out + "…" : out;
}

}  // namespace botburrow
