#include "bench/report.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"
#include "base/version.hpp"

#include <fmt/format.h>

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace botburrow::bench {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) / 2];
}

bool Series::has(const std::string& figure) const {
  return std::any_of(rounds.begin(), rounds.end(),
                     [&](const auto& round) { return round.contains(figure); });
}

double Series::median_of(const std::string& figure) const {
  std::vector<double> values;
  for (const auto& round : rounds) {
    if (const auto at = round.find(figure); at != round.end()) values.push_back(at->second);
  }
  return median(std::move(values));
}

namespace {

json::object to_document(const Series& series) {
  std::map<std::string, std::vector<double>> by_figure;
  for (const auto& round : series.rounds)
    for (const auto& [figure, value] : round)
      by_figure[figure].push_back(value);
  json::object out;
  for (auto& [figure, values] : by_figure) {
    json::array all(values.begin(), values.end());
    out[figure] = {{"median", median(values)}, {"rounds", std::move(all)}};
  }
  return out;
}

}  // namespace

json::object to_document(const Results& results) {
  json::object out;
  for (const auto& [row, subjects] : results) {
    json::object of_row;
    for (const auto& [subject, series] : subjects)
      of_row[subject] = to_document(series);
    out[row] = std::move(of_row);
  }
  return out;
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  // Cells hold ASCII and the micro sign, which is two bytes and one column.
  const auto width_of = [](const std::string& text) {
    return text.size() - static_cast<std::size_t>(std::count(text.begin(), text.end(), '\xc2'));
  };
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i]));
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(i + 1 < row.size() ? widths[i] - width_of(row[i]) + 2 : 0, ' ');
    std::printf("%s\n", line.c_str());
  }
  std::fflush(stdout);
}

void write_document(const std::string& path, const json::value& document) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream out(path);
  out << to_pretty_json(document) << "\n";
  if (!out.flush()) throw Error(errc::io, path + ": cannot be written");
}

json::object machine() {
  utsname kernel{};
  ::uname(&kernel);
  std::string processor = "unknown";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("model name")) continue;
    processor = line.substr(line.find(':') + 2);
    break;
  }
  return {{"processor", processor},
          {"cores", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"kernel", kernel.release},
          {"commit", std::string(commit())},
          {"at", to_rfc3339(std::chrono::system_clock::now())}};
}

}  // namespace botburrow::bench
