#include "base/metrics.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/metric_table.hpp"
#include "base/time.hpp"
#include "base/version.hpp"

#include <fmt/format.h>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <variant>

namespace botburrow {
namespace {

struct Family {
  MetricKind kind;
  std::string help;
  std::vector<double> bounds;
  std::unique_ptr<Metrics::Values> values;
  std::unique_ptr<Metrics::Histograms> histograms;
};

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value == std::floor(value) && std::abs(value) < 1e15) {
    return fmt::format("{}", static_cast<std::int64_t>(value));
  }
  return fmt::format("{}", value);
}

// One label that is not UTF-8 would make a scraper refuse the whole page.
std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : valid_utf8(text)) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quotes)
      out += "\\\"";
    else
      out.push_back(c);
  }
  return out;
}

std::string labels(const std::vector<std::string>& names, const std::vector<std::string>& values,
                   std::string_view extra = {}) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", names[i], escaped(values[i], true));
  }
  if (!extra.empty()) out += (out.empty() ? "" : ",") + std::string(extra);
  return out.empty() ? "" : "{" + out + "}";
}

void expose_histogram(const std::string& name, const Metrics::Histograms& family,
                      std::string& out) {
  for (const auto& [values, histogram] : family.series()) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
      below += histogram.counts()[i];
      const auto le = fmt::format("le=\"{}\"", number(histogram.bounds()[i]));
      out += fmt::format("{}_bucket{} {}\n", name, labels(family.names(), values, le), below);
    }
    out += fmt::format("{}_bucket{} {}\n", name, labels(family.names(), values, "le=\"+Inf\""),
                       histogram.count());
    out +=
        fmt::format("{}_sum{} {}\n", name, labels(family.names(), values), number(histogram.sum()));
    out += fmt::format("{}_count{} {}\n", name, labels(family.names(), values), histogram.count());
  }
}

double resident_bytes() {
  long pages = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double open_files() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (!folder) return 0;
  double count = -3;  // ".", ".." and the folder itself
  while (::readdir(folder))
    ++count;
  ::closedir(folder);
  return count;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

void Histogram::observe(double value) {
  if (std::isnan(value)) return;
  const auto bucket = std::lower_bound(bounds_->begin(), bounds_->end(), value);
  ++counts_[static_cast<std::size_t>(bucket - bounds_->begin())];
  sum_ += value;
  ++count_;
}

struct Metrics::Impl {
  std::map<std::string, Family> families;
  std::vector<std::function<void()>> refreshers;

  Values& values(std::string name, std::string help, std::vector<std::string> labels,
                 MetricKind kind) {
    auto [at, added] = families.try_emplace(std::move(name));
    auto& family = at->second;
    if (added) {
      family.kind = kind;
      family.help = std::move(help);
      family.values = std::make_unique<Values>(std::move(labels), [] { return MetricValue(); });
      // A series without labels exists from the start, so that a scrape sees 0, not nothing.
      if (family.values->names().empty()) family.values->with({});
    }
    BB_ASSERT(family.kind == kind);
    return *family.values;
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Metrics::Values& Metrics::counter(std::string name, std::string help,
                                  std::vector<std::string> labels) {
  return impl_->values(std::move(name), std::move(help), std::move(labels), MetricKind::counter);
}
Metrics::Values& Metrics::gauge(std::string name, std::string help,
                                std::vector<std::string> labels) {
  return impl_->values(std::move(name), std::move(help), std::move(labels), MetricKind::gauge);
}
Metrics::Values& Metrics::untyped(std::string name, std::string help,
                                  std::vector<std::string> labels) {
  return impl_->values(std::move(name), std::move(help), std::move(labels), MetricKind::untyped);
}

Metrics::Histograms& Metrics::histogram(std::string name, std::string help,
                                        std::vector<double> bounds,
                                        std::vector<std::string> labels) {
  auto [at, added] = impl_->families.try_emplace(std::move(name));
  auto& family = at->second;
  if (added) {
    family.kind = MetricKind::histogram;
    family.help = std::move(help);
    family.bounds = std::move(bounds);
    family.histograms = std::make_unique<Histograms>(
        std::move(labels), [bounds = &family.bounds] { return Histogram(*bounds); });
    if (family.histograms->names().empty()) family.histograms->with({});
  }
  BB_ASSERT(family.kind == MetricKind::histogram);
  return *family.histograms;
}

void Metrics::on_collect(std::function<void()> refresh) {
  impl_->refreshers.push_back(std::move(refresh));
}

std::string Metrics::expose() {
  for (const auto& refresh : impl_->refreshers)
    refresh();
  std::string out;
  for (const auto& [name, family] : impl_->families) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escaped(family.help, false), name,
                       name_of(family.kind));
    if (family.histograms) {
      expose_histogram(name, *family.histograms, out);
      continue;
    }
    for (const auto& [values, series] : family.values->series()) {
      out += fmt::format("{}{} {}\n", name, labels(family.values->names(), values),
                         number(series.value()));
    }
  }
  return out;
}

void add_process_metrics(Metrics& metrics) {
  auto& cpu = series_of(metrics, "process_cpu_seconds_total").with({});
  auto& memory = series_of(metrics, "process_resident_memory_bytes").with({});
  auto& files = series_of(metrics, "process_open_fds").with({});
  auto& dropped = series_of(metrics, "botburrow_log_dropped_total").with({});
  series_of(metrics, "process_start_time_seconds")
      .with({})
      .set(to_unix(std::chrono::system_clock::now()));
  series_of(metrics, "botburrow_build_info")
      .with({std::string(version()), std::string(commit())})
      .set(1);
  metrics.on_collect([&] {
    cpu.set(cpu_seconds());
    memory.set(resident_bytes());
    files.set(open_files());
    dropped.set(static_cast<double>(log_lines_dropped()));
  });
}

}  // namespace botburrow
