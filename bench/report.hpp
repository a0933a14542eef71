#pragma once

#include <boost/json.hpp>

#include <map>
#include <string>
#include <vector>

namespace botburrow::bench {

/// The value in the middle; of an even number the lower one. 0 of none.
double median(std::vector<double> values);

/// What one subject took in one round of one row, by the name of the figure: per_second, p50_us,
/// cpu_seconds_per_10k and so on.
using Figures = std::map<std::string, double>;

/// All rounds of one subject in one row.
struct Series {
  std::vector<Figures> rounds;
  bool has(const std::string& figure) const;
  double median_of(const std::string& figure) const;
};

/// row → subject → rounds.
using Results = std::map<std::string, std::map<std::string, Series>>;

boost::json::object to_document(const Results& results);

/// Writes a table with columns as wide as their widest cell.
void print_table(const std::vector<std::vector<std::string>>& rows);

/// Writes the document, indented, to `path`, making its folder.
void write_document(const std::string& path, const boost::json::value& document);

/// Processor, cores, kernel and Redis, as they are worth knowing beside figures.
boost::json::object machine();

}  // namespace botburrow::bench
