#include "cli/doctor/words.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace botburrow::cli::doctor {

std::string field(const std::map<std::string, std::string>& fields, std::string_view name) {
  const auto at = fields.find(std::string(name));
  return at == fields.end() ? "" : at->second;
}

double number(const std::map<std::string, std::string>& fields, std::string_view name) {
  return std::strtod(field(fields, name).c_str(), nullptr);
}

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string bytes_text(double bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit)
    bytes /= 1024;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, kUnits.at(unit));
}

std::string few(const std::vector<std::string>& names, std::size_t shown) {
  if (names.size() <= shown) return fmt::format("{}", fmt::join(names, ", "));
  const std::vector<std::string> head(names.begin(),
                                      names.begin() + static_cast<std::ptrdiff_t>(shown));
  return fmt::format("{} and {} more", fmt::join(head, ", "), names.size() - shown);
}

}  // namespace botburrow::cli::doctor
