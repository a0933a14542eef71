#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow {

/// A number of one series. All use is on the io thread; nothing here locks.
class MetricValue {
 public:
  void add(double amount = 1) { value_ += amount; }
  void set(double value) { value_ = value; }
  double value() const { return value_; }

 private:
  double value_ = 0;
};

class Histogram {
 public:
  explicit Histogram(const std::vector<double>& bounds)
      : bounds_(&bounds), counts_(bounds.size() + 1) {}
  /// NaN is not counted: one would spoil the sum for good.
  void observe(double value);
  const std::vector<double>& bounds() const { return *bounds_; }
  /// One count a bucket (not cumulative), the last above every bound.
  const std::vector<std::uint64_t>& counts() const { return counts_; }
  double sum() const { return sum_; }
  std::uint64_t count() const { return count_; }

 private:
  const std::vector<double>* bounds_;
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
  std::uint64_t count_ = 0;
};

enum class MetricKind { counter, gauge, untyped, histogram };

/// All series of one name. References stay valid until erase()/clear(). At most `kSeriesMax`
/// series: beyond that, values go to one whose labels are all `_other`.
template <class Series>
class MetricFamily {
 public:
  static constexpr std::size_t kSeriesMax = 10'000;
  using Labels = std::vector<std::string>;

  MetricFamily(std::vector<std::string> names, std::function<Series()> make)
      : names_(std::move(names)), make_(std::move(make)) {}
  /// Values in the order of the family's label names, as many.
  Series& with(Labels values) {
    values.resize(names_.size());
    if (series_.size() >= kSeriesMax && !series_.contains(values))
      values.assign(names_.size(), "_other");
    const auto found = series_.find(values);
    return found != series_.end() ? found->second
                                  : series_.emplace(std::move(values), make_()).first->second;
  }
  void erase(const Labels& values) { series_.erase(values); }
  /// Drops every series: for gauges that are written anew.
  void clear() { series_.clear(); }
  const std::vector<std::string>& names() const { return names_; }
  const std::map<Labels, Series>& series() const { return series_; }

 private:
  std::vector<std::string> names_;
  std::function<Series()> make_;
  std::map<Labels, Series> series_;
};

/// The metrics of one service (in `up` several services share one registry). Exposition in
/// Prometheus text format 0.0.4.
class Metrics {
 public:
  using Values = MetricFamily<MetricValue>;
  using Histograms = MetricFamily<Histogram>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;

  /// Asking twice for one name gives the same family.
  Values& counter(std::string name, std::string help, std::vector<std::string> labels = {});
  Values& gauge(std::string name, std::string help, std::vector<std::string> labels = {});
  Values& untyped(std::string name, std::string help, std::vector<std::string> labels = {});
  Histograms& histogram(std::string name, std::string help, std::vector<double> bounds,
                        std::vector<std::string> labels = {});
  /// Called before each exposition, to refresh gauges.
  void on_collect(std::function<void()> refresh);

  std::string expose();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds,
/// process_start_time_seconds, botburrow_build_info, botburrow_log_dropped_total.
void add_process_metrics(Metrics& metrics);

}  // namespace botburrow
