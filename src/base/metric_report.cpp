#include "base/error.hpp"
#include "base/metric_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow {
namespace {

constexpr std::string_view kIntroduction = R"(# Metrics

<!-- Written by `botburrow reference metrics --markdown`. A test compares this file with the program. -->

Every service answers `GET /metrics` without a key, in Prometheus' text format: the coordinator on port 9090, a runner
on 9091, the Hub on 8000 (`METRICS_PORT`, `API_PORT`). `botburrow reference metrics NAME` prints a row of this page.
What they warn of is in [alerts.md](alerts.md), how they look in [the dashboard](../../deploy/grafana/botburrow.json).

Gauges of the queue come from the leader alone; followers leave them out, so that sums over coordinators count once. A
counter without labels is there with 0 from the start; one with labels has a series once something was counted. Labels
that others choose (tools, servers, models, grants, agents) have a bound; what is beyond it is counted as `_other`. An
alias is the same number under a name that older dashboards use.
)";

const MetricSpec& declared(std::string_view name) {
  const auto* spec = find_metric(name);
  if (!spec) throw Error(errc::internal, fmt::format("metric {} is not in the table", name));
  return *spec;
}

// A label's value may hold a bar, and a cell of a table may not.
std::string in_cell(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string labels_cell(const MetricSpec& spec) {
  std::string out;
  for (const auto& label : spec.labels)
    out += fmt::format("{}`{}`", out.empty() ? "" : ", ", label);
  return out;
}

std::string meaning_cell(const MetricSpec& spec) {
  constexpr std::string_view kAlias = "alias of ";
  std::string out = spec.help.starts_with(kAlias)
                        ? fmt::format("Alias of `{}`.", spec.help.substr(kAlias.size()))
                        : std::string(spec.help);
  if (!spec.more.empty()) out += fmt::format(" {}", spec.more);
  if (!spec.bounds.empty()) out += fmt::format(" Buckets: {}.", fmt::join(spec.bounds, ", "));
  return in_cell(out);
}

}  // namespace

const MetricSpec* find_metric(std::string_view name) {
  for (const auto& section : metric_sections()) {
    const auto found = std::ranges::find(section.metrics, name, &MetricSpec::name);
    if (found != section.metrics.end()) return &*found;
  }
  return nullptr;
}

std::string_view name_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::counter:
      return "counter";
    case MetricKind::gauge:
      return "gauge";
    case MetricKind::untyped:
      return "untyped";
    case MetricKind::histogram:
      return "histogram";
  }
  return "untyped";
}

Metrics::Values& series_of(Metrics& metrics, std::string_view name) {
  const auto& spec = declared(name);
  const std::string own(name), help(spec.help);
  if (spec.kind == MetricKind::counter) return metrics.counter(own, help, spec.labels);
  if (spec.kind == MetricKind::gauge) return metrics.gauge(own, help, spec.labels);
  BB_ASSERT(spec.kind == MetricKind::untyped);
  return metrics.untyped(own, help, spec.labels);
}

Metrics::Histograms& histogram_of(Metrics& metrics, std::string_view name) {
  const auto& spec = declared(name);
  BB_ASSERT(spec.kind == MetricKind::histogram);
  return metrics.histogram(std::string(name), std::string(spec.help), spec.bounds, spec.labels);
}

bool is_exposed_by(const MetricSpec& spec, std::string_view service) {
  return spec.services == "all" || spec.services.find(service) != std::string_view::npos;
}

void declare_metrics(Metrics& metrics, std::string_view service) {
  for (const auto& section : metric_sections()) {
    for (const auto& spec : section.metrics) {
      if (!is_exposed_by(spec, service)) continue;
      if (spec.kind == MetricKind::histogram)
        histogram_of(metrics, spec.name);
      else
        series_of(metrics, spec.name);
    }
  }
}

std::string metrics_markdown() {
  std::string out(kIntroduction);
  for (const auto& section : metric_sections()) {
    out +=
        fmt::format("\n## {}\n\n| Name | Type | Labels | Of | Meaning |\n|---|---|---|---|---|\n",
                    section.title);
    for (const auto& spec : section.metrics)
      out += fmt::format("| `{}` | {} | {} | {} | {} |\n", spec.name, name_of(spec.kind),
                         labels_cell(spec), spec.services, meaning_cell(spec));
  }
  return out;
}

}  // namespace botburrow
