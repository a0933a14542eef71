#include "base/metrics.hpp"

#include "base/log.hpp"
#include "base/version.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <limits>

namespace botburrow {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, AreExposedAsText) {
  Metrics metrics;
  metrics.counter("a_total", "Things done.", {"kind"}).with({"x"}).add(2);
  metrics.gauge("b", "Level.").with({}).set(0.25);
  metrics.untyped("c", "Old name.").with({}).set(-3);

  EXPECT_EQ(metrics.expose(),
            "# HELP a_total Things done.\n# TYPE a_total counter\na_total{kind=\"x\"} 2\n"
            "# HELP b Level.\n# TYPE b gauge\nb 0.25\n"
            "# HELP c Old name.\n# TYPE c untyped\nc -3\n");
}

TEST(Metrics, ASeriesWithoutLabelsIsThereFromTheStart) {
  Metrics metrics;
  metrics.counter("a_total", "A.");
  metrics.counter("b_total", "B.", {"kind"});

  EXPECT_THAT(metrics.expose(), HasSubstr("\na_total 0\n"));
  EXPECT_THAT(metrics.expose(), Not(HasSubstr("\nb_total{")));
}

TEST(Metrics, LabelsAndHelpAreEscaped) {
  Metrics metrics;
  metrics.gauge("g", "back\\slash\nand \"quote\"", {"l"}).with({"a\"b\\c\nd"}).set(1);

  EXPECT_EQ(metrics.expose(),
            "# HELP g back\\\\slash\\nand \"quote\"\n# TYPE g gauge\ng{l=\"a\\\"b\\\\c\\nd\"} 1\n");
}

TEST(Metrics, LabelsOfStrangersAreValidUtf8) {
  Metrics metrics;
  metrics.gauge("g", "G.", {"l"}).with({"a\xff"}).set(1);

  EXPECT_THAT(metrics.expose(), HasSubstr("g{l=\"a\xef\xbf\xbd\"} 1"));
}

TEST(Metrics, TooFewLabelValuesAreEmptyOnes) {
  Metrics metrics;
  metrics.gauge("g", "G.", {"a", "b"}).with({"x"}).set(1);

  EXPECT_THAT(metrics.expose(), HasSubstr("g{a=\"x\",b=\"\"} 1"));
}

TEST(Metrics, SpecialNumbersHaveTheirNames) {
  Metrics metrics;
  auto& gauge = metrics.gauge("g", "G.", {"l"});
  gauge.with({"nan"}).set(std::nan(""));
  gauge.with({"inf"}).set(std::numeric_limits<double>::infinity());
  gauge.with({"less"}).set(-std::numeric_limits<double>::infinity());
  gauge.with({"time"}).set(1770458400.25);
  gauge.with({"whole"}).set(123456789012);

  const auto text = metrics.expose();
  EXPECT_THAT(text, HasSubstr("g{l=\"nan\"} NaN\n"));
  EXPECT_THAT(text, HasSubstr("g{l=\"inf\"} +Inf\n"));
  EXPECT_THAT(text, HasSubstr("g{l=\"less\"} -Inf\n"));
  EXPECT_THAT(text, HasSubstr("g{l=\"time\"} 1770458400.25\n"));
  EXPECT_THAT(text, HasSubstr("g{l=\"whole\"} 123456789012\n"));
}

TEST(Histogram, BucketsAreCumulativeAndTakeTheirBound) {
  Metrics metrics;
  auto& seconds = metrics.histogram("h_seconds", "H.", {0.1, 1}, {"l"}).with({"x"});
  for (const double value : {0.05, 0.1, 0.11, 1.0, 5.0})
    seconds.observe(value);

  EXPECT_EQ(metrics.expose(),
            "# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
            "h_seconds_bucket{l=\"x\",le=\"0.1\"} 2\n"
            "h_seconds_bucket{l=\"x\",le=\"1\"} 4\n"
            "h_seconds_bucket{l=\"x\",le=\"+Inf\"} 5\n"
            "h_seconds_sum{l=\"x\"} 6.26\n"
            "h_seconds_count{l=\"x\"} 5\n");
}

TEST(Histogram, WithoutLabelsBeginsWithZeros) {
  Metrics metrics;
  metrics.histogram("h", "H.", {1});

  EXPECT_THAT(metrics.expose(),
              HasSubstr("h_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n"));
}

TEST(Histogram, WhatIsNoNumberIsNotCounted) {
  Metrics metrics;
  auto& histogram = metrics.histogram("h", "H.", {1}).with({});

  histogram.observe(std::nan(""));
  histogram.observe(2);

  EXPECT_EQ(histogram.count(), 1U);
  EXPECT_EQ(histogram.sum(), 2);
}

TEST(MetricFamily, IsTheSameForTheSameName) {
  Metrics metrics;
  metrics.counter("a_total", "A.", {"l"}).with({"x"}).add();
  metrics.counter("a_total", "A.", {"l"}).with({"x"}).add();

  EXPECT_EQ(metrics.counter("a_total", "A.", {"l"}).with({"x"}).value(), 2);
}

TEST(MetricFamily, BeyondItsBoundEverythingIsOther) {
  Metrics metrics;
  auto& family = metrics.counter("a_total", "A.", {"agent", "kind"});
  for (std::size_t i = 0; i < Metrics::Values::kSeriesMax + 50; ++i)
    family.with({std::to_string(i), "k"}).add();
  family.with({"0", "k"}).add();

  EXPECT_EQ(family.series().size(), Metrics::Values::kSeriesMax + 1);
  EXPECT_EQ(family.with({"_other", "_other"}).value(), 50);
  EXPECT_EQ(family.with({"0", "k"}).value(), 2);
}

TEST(MetricFamily, SeriesCanBeDropped) {
  Metrics metrics;
  auto& gauge = metrics.gauge("g", "G.", {"l"});
  gauge.with({"a"}).set(1);
  gauge.with({"b"}).set(1);

  gauge.erase({"a"});
  EXPECT_EQ(gauge.series().size(), 1U);
  gauge.clear();
  EXPECT_THAT(metrics.expose(), Not(HasSubstr("g{")));
}

TEST(Metrics, AreRefreshedBeforeEachExposition) {
  Metrics metrics;
  auto& gauge = metrics.gauge("g", "G.").with({});
  metrics.on_collect([&] { gauge.add(); });

  EXPECT_THAT(metrics.expose(), HasSubstr("\ng 1\n"));
  EXPECT_THAT(metrics.expose(), HasSubstr("\ng 2\n"));
}

TEST(ProcessMetrics, TellOfThisProcess) {
  Metrics metrics;
  add_process_metrics(metrics);

  const auto text = metrics.expose();
  EXPECT_THAT(text, HasSubstr("process_cpu_seconds_total "));
  EXPECT_THAT(text, HasSubstr("process_start_time_seconds "));
  EXPECT_THAT(text, HasSubstr("botburrow_log_dropped_total "));
  EXPECT_THAT(
      text, HasSubstr("botburrow_build_info{version=\"" + std::string(version()) + "\",commit=\""));
  EXPECT_GT(metrics.gauge("process_resident_memory_bytes", "").with({}).value(), 1e6);
  EXPECT_GE(metrics.gauge("process_open_fds", "").with({}).value(), 3);
}

// The judge of the format, where it is installed.
TEST(Metrics, PassTheCheckOfPrometheus) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "no promtool here";
  Metrics metrics;
  add_process_metrics(metrics);
  metrics.counter("a_total", "A \"b\" \\ c.", {"l"}).with({"x\"\\\n"}).add();
  metrics.histogram("h_seconds", "H.", {0.1, 1}, {"l"}).with({"x"}).observe(0.5);

  FILE* check = ::popen("promtool check metrics >/dev/null", "w");
  ASSERT_NE(check, nullptr);
  const auto text = metrics.expose();
  std::fwrite(text.data(), 1, text.size(), check);
  EXPECT_EQ(::pclose(check), 0);
}

}  // namespace
}  // namespace botburrow
