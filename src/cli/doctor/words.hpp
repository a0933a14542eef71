#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

// Small helpers of the checks.
namespace botburrow::cli::doctor {

/// Empty where there is none.
std::string field(const std::map<std::string, std::string>& fields, std::string_view name);
/// 0 where there is none.
double number(const std::map<std::string, std::string>& fields, std::string_view name);
/// 0 of none.
double median_of(std::vector<double> values);
/// "1.5 GiB".
std::string bytes_text(double bytes);
/// "a, b, c and 4 more".
std::string few(const std::vector<std::string>& names, std::size_t shown = 5);

}  // namespace botburrow::cli::doctor
