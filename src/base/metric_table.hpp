#pragma once

#include "base/metrics.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow {

/// A metric that a service of ours exposes. A name is declared here and nowhere else, so that
/// exposition, docs/operations/metrics.md and `botburrow reference metrics` cannot differ.
struct MetricSpec {
  std::string_view name;
  MetricKind kind;
  /// "coordinator", "runner", "hub", several of them with ", " between, or "all".
  std::string_view services;
  std::vector<std::string> labels = {};  ///< in the order in which values are given
  std::vector<double> bounds = {};       ///< of a histogram's buckets
  std::string_view help;                 ///< HELP of the exposition: one sentence
  /// What the values of labels are, when a series appears, what to make of it. For people.
  std::string_view more = {};
};

struct MetricSection {
  std::string_view title;
  std::vector<MetricSpec> metrics;
};

const std::vector<MetricSection>& metric_sections();
/// Whether a service, e.g. "runner", exposes it.
bool is_exposed_by(const MetricSpec& spec, std::string_view service);
/// nullptr: no metric of that name.
const MetricSpec* find_metric(std::string_view name);
/// "counter", "gauge", "histogram", "untyped".
std::string_view name_of(MetricKind kind);

/// The family of a declared counter, gauge or untyped metric, as declared.
Metrics::Values& series_of(Metrics& metrics, std::string_view name);
/// The family of a declared histogram.
Metrics::Histograms& histogram_of(Metrics& metrics, std::string_view name);

/// All families of "coordinator", "runner" or "hub": their names are exposed before the first
/// value.
void declare_metrics(Metrics& metrics, std::string_view service);

/// docs/operations/metrics.md.
std::string metrics_markdown();

}  // namespace botburrow
