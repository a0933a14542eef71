// Keywords that look into one value: numbers and texts, and how much there is of it.
#include "mcp/schema_validator.hpp"
#include "mcp/schema_values.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace botburrow::mcp {

Fault SchemaValidator::numbers(const json::object& schema, const json::value& value,
                               const std::string& place, Seen&, int) {
  if (!value.is_number()) return std::nullopt;
  const double number = as_double(value);
  const auto bound = [&](const char* keyword, auto holds, const char* words) -> Fault {
    const auto* limit = schema.if_contains(keyword);
    if (!limit || !limit->is_number() || holds(as_double(*limit))) return std::nullopt;
    return at(place, fmt::format("{} is {} {}", shown(value), words, shown(*limit)));
  };
  if (auto f = bound("minimum", [&](double b) { return number >= b; }, "below")) return f;
  if (auto f = bound("maximum", [&](double b) { return number <= b; }, "above")) return f;
  if (auto f = bound("exclusiveMinimum", [&](double b) { return number > b; }, "not above"))
    return f;
  if (auto f = bound("exclusiveMaximum", [&](double b) { return number < b; }, "not below"))
    return f;
  return bound(
      "multipleOf",
      [&](double b) {
        const double quotient = number / b;
        return b <= 0 || std::abs(quotient - std::nearbyint(quotient)) < 1e-9;
      },
      "no multiple of");
}

std::optional<std::size_t> SchemaValidator::count_of(const json::object& schema,
                                                     const char* keyword) {
  const auto* number = schema.if_contains(keyword);
  if (!number || !number->is_number() || as_double(*number) < 0) return std::nullopt;
  return static_cast<std::size_t>(std::min(as_double(*number), 1e15));
}

Fault SchemaValidator::sized(const json::object& schema, std::size_t size, const char* least,
                             const char* most, const char* unit, const std::string& place) const {
  const auto min = count_of(schema, least);
  const auto max = count_of(schema, most);
  if (min && size < *min)
    return at(place, fmt::format("has {} {}, less than {}", size, unit, *min));
  if (max && size > *max)
    return at(place, fmt::format("has {} {}, more than {}", size, unit, *max));
  return std::nullopt;
}

Fault SchemaValidator::texts(const json::object& schema, const json::value& value,
                             const std::string& place, Seen&, int) {
  if (!value.is_string()) return std::nullopt;
  const auto text = view(value.get_string());
  const bool counted = schema.contains("minLength") || schema.contains("maxLength");
  if (counted && !charge_bytes(text.size())) return give_up_;
  if (auto f = counted
                   ? sized(schema, code_points(text), "minLength", "maxLength", "characters", place)
                   : std::nullopt)
    return f;
  const auto* pattern = schema.if_contains("pattern");
  if (pattern && pattern->is_string() && matches(view(pattern->get_string()), text) == false)
    return at(place, fmt::format("{} does not match {}", shown(value), shown(*pattern)));
  return std::nullopt;
}

}  // namespace botburrow::mcp
