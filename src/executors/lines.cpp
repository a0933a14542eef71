#include "executors/lines.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>

#include <charconv>
#include <cmath>
#include <string>

namespace botburrow::executors {

void each_line(std::string_view text, const std::function<void(std::string_view)>& visit) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    visit(line);
  }
}

void each_json_line(std::string_view text,
                    const std::function<void(const boost::json::value&)>& visit) {
  each_line(text, [&](std::string_view line) {
    if (!line.starts_with('{')) return;
    const auto value = try_parse_json(line);
    if (value && value->is_object()) visit(*value);
  });
}

std::int64_t human_number(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ',') digits += c;
  }
  double value = 0;
  const auto* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || !std::isfinite(value) || value < 0) return 0;
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  const double factor = unit == "k" || unit == "K" ? 1e3 : unit == "m" || unit == "M" ? 1e6 : 1;
  return static_cast<std::int64_t>(std::min(value * factor, 1e15));
}

}  // namespace botburrow::executors
