#include "hub/input.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace botburrow::hub {
namespace {

std::optional<std::int64_t> parse_whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

/// What is wrong with a text, or nothing.
std::optional<std::string> text_fault(std::string_view text, TextLimits limits) {
  const std::size_t length = utf8_length(text);
  if (length < limits.min) {
    return limits.min == 1
               ? std::string("must not be empty")
               : fmt::format("at least {} characters expected, got {}", limits.min, length);
  }
  if (length > limits.max)
    return fmt::format("at most {} characters allowed, got {}", limits.max, length);
  if (text.find('\0') != std::string_view::npos) return "must not contain the character U+0000";
  return std::nullopt;
}

ApiError bad_date(std::string_view name, std::string_view value) {
  return ApiError(400, "bad_date",
                  fmt::format("{}: \"{}\" is no date of the form 2026-02-07T10:00:00Z", name,
                              utf8_prefix(value, 60)));
}

}  // namespace

json::object parse_body(const std::string& body) {
  if (body.find_first_not_of(" \t\r\n") == std::string::npos) return {};
  if (valid_utf8(body) != body)
    throw ApiError(400, "malformed_json", "request body: not UTF-8; send the text as UTF-8");
  json::value value;
  try {
    value = parse_json(body, "request body");
  } catch (const Error& error) {
    throw ApiError(400, "malformed_json", error.message());
  }
  if (!value.is_object()) {
    throw ApiError(422, "validation", "request body: a JSON object is expected")
        .fields({FieldError{{"body"}, "a JSON object is expected"}});
  }
  return std::move(value.as_object());
}

std::size_t utf8_length(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  constexpr std::int64_t kMax = 10LL * 366 * 86'400;
  std::int64_t unit = 1;
  if (!text.empty()) {
    switch (text.back()) {
      case 's':
        text.remove_suffix(1);
        break;
      case 'm':
        unit = 60;
        text.remove_suffix(1);
        break;
      case 'h':
        unit = 3600;
        text.remove_suffix(1);
        break;
      case 'd':
        unit = 86'400;
        text.remove_suffix(1);
        break;
      default:
        break;
    }
  }
  const auto count = parse_whole(text);
  if (!count || *count < 0 || *count > kMax / unit) return std::nullopt;
  return std::chrono::seconds(*count * unit);
}

const json::value* BodyFields::find(std::string_view name) const {
  const json::value* value = body_.if_contains(name);
  return value != nullptr && !value->is_null() ? value : nullptr;
}

bool BodyFields::has(std::string_view name) const {
  return find(name) != nullptr;
}

void BodyFields::fault(std::string_view name, std::string msg) {
  faults_.push_back(FieldError{{"body", std::string(name)}, std::move(msg)});
}

std::optional<std::string> BodyFields::text(std::string_view name, TextLimits limits) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    fault(name, "a string is expected");
    return std::nullopt;
  }
  std::string text(value->as_string());
  if (auto wrong = text_fault(text, limits)) {
    fault(name, std::move(*wrong));
    return std::nullopt;
  }
  return text;
}

std::string BodyFields::required_text(std::string_view name, TextLimits limits) {
  if (!has(name)) {
    fault(name, "field required");
    return {};
  }
  return text(name, limits).value_or("");
}

std::optional<std::int64_t> BodyFields::integer(std::string_view name, std::int64_t min,
                                                std::int64_t max) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  const auto whole = int_field(body_, name);
  if (!whole || *whole < min || *whole > max) {
    fault(name, fmt::format("a whole number {}..{} is expected", min, max));
    return std::nullopt;
  }
  return whole;
}

std::optional<double> BodyFields::number(std::string_view name, double min, double max) {
  if (find(name) == nullptr) return std::nullopt;
  const auto number = number_field(body_, name);
  if (!number || !std::isfinite(*number) || *number < min || *number > max) {
    fault(name, fmt::format("a number {}..{} is expected", min, max));
    return std::nullopt;
  }
  return number;
}

std::optional<bool> BodyFields::boolean(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_bool()) {
    fault(name, "true or false is expected");
    return std::nullopt;
  }
  return value->as_bool();
}

std::optional<std::vector<std::string>> BodyFields::texts(std::string_view name,
                                                          std::size_t count_max, TextLimits each) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array()) {
    fault(name, "a list of strings is expected");
    return std::nullopt;
  }
  if (value->as_array().size() > count_max) {
    fault(name,
          fmt::format("at most {} entries allowed, got {}", count_max, value->as_array().size()));
    return std::nullopt;
  }
  std::vector<std::string> list;
  for (const json::value& entry : value->as_array()) {
    if (!entry.is_string()) {
      fault(name, "a list of strings is expected");
      return std::nullopt;
    }
    std::string text(entry.as_string());
    if (auto wrong = text_fault(text, each)) {
      fault(name, "each entry: " + *wrong);
      return std::nullopt;
    }
    list.push_back(std::move(text));
  }
  return list;
}

std::optional<std::string> BodyFields::object_text(std::string_view name, std::size_t bytes_max) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) {
    fault(name, "an object is expected");
    return std::nullopt;
  }
  std::string text = to_json(*value);
  if (text.size() > bytes_max) {
    fault(name, fmt::format("at most {} bytes of JSON allowed, got {}", bytes_max, text.size()));
    return std::nullopt;
  }
  return text;
}

std::optional<WallTime> BodyFields::time(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) throw bad_date(name, to_json(*value));
  const auto time = parse_rfc3339(std::string_view(value->as_string()));
  if (!time) throw bad_date(name, std::string_view(value->as_string()));
  return time;
}

void BodyFields::check() {
  if (faults_.empty()) return;
  std::string detail;
  for (const FieldError& fault : faults_) {
    if (!detail.empty()) detail += "; ";
    detail += fault.loc.back() + ": " + fault.msg;
  }
  throw ApiError(422, "validation", std::move(detail)).fields(std::move(faults_));
}

std::optional<std::string> QueryFields::text(std::string_view name, std::size_t length_max) const {
  auto value = request_.query_value(name);
  if (!value || value->empty()) return std::nullopt;
  if (valid_utf8(*value) != *value || value->find('\0') != std::string::npos) {
    throw invalid_field("query", name, "UTF-8 text without U+0000 is expected");
  }
  if (utf8_length(*value) > length_max) {
    throw invalid_field("query", name, fmt::format("at most {} characters allowed", length_max));
  }
  return value;
}

std::vector<std::string> QueryFields::list(std::string_view name, std::size_t count_max) const {
  std::vector<std::string> entries;
  for (const auto& [key, value] : request_.query) {
    if (key != name) continue;
    for (std::size_t at = 0; at <= value.size();) {
      const std::size_t comma = std::min(value.find(',', at), value.size());
      const auto entry = trimmed(std::string_view(value).substr(at, comma - at));
      if (!entry.empty()) entries.push_back(valid_utf8(entry));
      at = comma + 1;
    }
  }
  if (entries.size() > count_max) {
    throw invalid_field("query", name, fmt::format("at most {} entries allowed", count_max));
  }
  return entries;
}

bool QueryFields::flag(std::string_view name) const {
  auto value = request_.query_value(name).value_or("");
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  if (value == "true" || value == "1" || value == "yes") return true;
  if (value.empty() || value == "false" || value == "0" || value == "no") return false;
  throw invalid_field("query", name, "true or false is expected");
}

std::optional<std::int64_t> QueryFields::whole(std::string_view name) const {
  const auto value = request_.query_value(name);
  if (!value || value->empty()) return std::nullopt;
  const auto whole = parse_whole(*value);
  if (!whole) throw invalid_field("query", name, "a whole number is expected");
  return whole;
}

std::int64_t QueryFields::integer(std::string_view name, std::int64_t otherwise, std::int64_t min,
                                  std::int64_t max) const {
  const auto value = whole(name).value_or(otherwise);
  if (value < min || value > max) {
    throw invalid_field("query", name, fmt::format("a whole number {}..{} is expected", min, max));
  }
  return value;
}

std::int64_t QueryFields::clamped(std::string_view name, std::int64_t otherwise, std::int64_t min,
                                  std::int64_t max) const {
  return std::clamp(whole(name).value_or(otherwise), min, max);
}

std::chrono::seconds QueryFields::duration(std::string_view name,
                                           std::chrono::seconds otherwise) const {
  const auto value = request_.query_value(name);
  if (!value || value->empty()) return otherwise;
  const auto duration = parse_duration(*value);
  if (!duration)
    throw invalid_field("query", name, "a duration such as 90, 90s, 5m, 24h or 7d is expected");
  return *duration;
}

std::optional<WallTime> QueryFields::time(std::string_view name) const {
  const auto value = request_.query_value(name);
  if (!value || value->empty()) return std::nullopt;
  const auto time = parse_rfc3339(*value);
  if (!time) throw bad_date(name, *value);
  return time;
}

}  // namespace botburrow::hub
