// Our queue beside its yardsticks (the same scripts raw) and beside others, on one private Redis,
// in one run: medians and ratios. Prints a table and writes bench/results/queue.json.
//
//   bench_queue [--rounds N] [--items N] [--fsync no|everysec|always]… [--sizes N,N,…] [--out FILE]
#include "base/error.hpp"
#include "base/json.hpp"
#include "bench/queue_subjects.hpp"
#include "bench/report.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace {

using namespace botburrow;
using namespace botburrow::bench;

struct Options {
  int rounds = 3;
  int items = 20'000;
  std::vector<std::string> fsync;
  std::vector<int> sizes = {1'000, 10'000, 100'000, 1'000'000};
  std::string out = "bench/results/queue.json";
  std::string competitors;  ///< folder with node_modules
};

std::vector<Row> rows_of(const Options& options) {
  const int n = options.items;
  const int slow = n / 5;
  return {
      {.name = "enqueue_single", .items = slow, .benchmark_pipeline = 1},
      {.name = "enqueue_window", .items = n, .benchmark_pipeline = 16, .loop_in_flight = 16},
      {.name = "enqueue_bulk", .items = n, .benchmark_pipeline = 64, .loop_in_flight = 64},
      {.name = "drain_c1", .items = slow},
      {.name = "drain_c10", .items = n, .loop_in_flight = 10},
      {.name = "drain_c100", .items = n, .loop_in_flight = 100},
      {.name = "drain_c1000", .items = n, .loop_in_flight = 1000},
      {.name = "pick_up", .items = std::max(20, n / 50)},
  };
}

/// One server with one way to write its append-only file.
class Measurement {
 public:
  Measurement(const Options& options, std::string fsync)
      : options_(options),
        fsync_(std::move(fsync)),
        redis_({.tcp = true,
                .extra = {"--appendonly", fsync_ == "no" ? "no" : "yes", "--appendfsync",
                          fsync_ == "no" ? "everysec" : fsync_, "--save", ""}}),
        place_{.redis = redis_, .competitors = options.competitors},
        subjects_(queue_subjects(place_)) {}

  void run() {
    const auto rows = rows_of(options_);
    for (int round = 0; round < options_.rounds; ++round) {
      results_["drain_raw_50"]["bare loop"].rounds.push_back(raw_drain_50(place_, options_.items));
      for (const auto& row : rows)
        run_row(row, round);
    }
  }

  // How the rate holds when more waits.
  void run_sizes() {
    for (const int size : options_.sizes) {
      const Row row{.name = "drain_c100", .items = size};
      for (const auto& subject : subjects_) {
        // The others need a minute for what ours drains in seconds.
        const bool ours = subject.name == "botburrow";
        if (!ours && (size > 100'000 || subject.name == "redis-benchmark")) continue;
        note(fmt::format("drain of {}", size), subject, row);
      }
    }
  }

  void print() const {
    std::printf("\nappendfsync %s, medians of %d rounds\n", fsync_.c_str(), options_.rounds);
    std::vector<std::vector<std::string>> cells{
        {"row", "subject", "a second", "p50 µs", "CPU s/10k", "Redis CPU s/10k", "bytes/item"}};
    for (const auto& [row, subjects] : results_) {
      for (const auto& [subject, series] : subjects) {
        const auto cell = [&series](const char* figure, const char* format) {
          return series.has(figure) ? fmt::format(fmt::runtime(format), series.median_of(figure))
                                    : std::string();
        };
        cells.push_back({row, subject, cell("per_second", "{:.0f}"), cell("p50_us", "{:.0f}"),
                         cell("cpu_seconds_per_10k", "{:.3f}"),
                         cell("redis_cpu_seconds_per_10k", "{:.3f}"),
                         cell("redis_bytes_per_item", "{:.0f}")});
      }
    }
    print_table(cells);
    std::vector<std::vector<std::string>> ratios{{"ratio", "figure"}};
    for (const auto& [name, value] : this->ratios())
      ratios.push_back({name, fmt::format("{:.2f}", value)});
    std::printf("\n");
    print_table(ratios);
  }

  json::object document() const {
    json::object ratios;
    for (const auto& [name, value] : this->ratios())
      ratios[name] = value;
    return {{"rows", to_document(results_)}, {"ratios", std::move(ratios)}};
  }

 private:
  void run_row(const Row& row, int round) {
    for (std::size_t i = 0; i < subjects_.size(); ++i)
      note(row.name, subjects_[round % 2 == 0 ? i : subjects_.size() - 1 - i], row);
  }

  void note(const std::string& name, const Subject& subject, const Row& row) {
    auto figures = subject.round(row);
    if (figures.empty()) return;
    std::fprintf(stderr, "appendfsync %s: %s, %s: %.0f\n", fsync_.c_str(), name.c_str(),
                 subject.name.c_str(),
                 figures.contains("per_second") ? figures["per_second"] : figures["p50_us"]);
    results_[name][subject.name].rounds.push_back(std::move(figures));
  }

  double rate(const std::string& row, const std::string& subject) const {
    const auto at = results_.find(row);
    if (at == results_.end() || !at->second.contains(subject)) return 0;
    return at->second.at(subject).median_of(row == "pick_up" ? "p50_us" : "per_second");
  }
  double best_other(const std::string& row) const {
    return std::max(rate(row, "bullmq"), rate(row, "bee-queue"));
  }

  std::vector<std::pair<std::string, double>> ratios() const {
    std::vector<std::pair<std::string, double>> out;
    const auto add = [&out](std::string name, double ours, double theirs) {
      if (ours > 0 && theirs > 0) out.emplace_back(std::move(name), ours / theirs);
    };
    for (const std::string row : {"enqueue_single", "enqueue_window", "enqueue_bulk"}) {
      add(row + " / redis-benchmark", rate(row, "botburrow"), rate(row, "redis-benchmark"));
      add(row + " / best other", rate(row, "botburrow"), best_other(row));
    }
    for (const std::string row : {"drain_c1", "drain_c10", "drain_c100", "drain_c1000"}) {
      add(row + " / raw, 50 clients", rate(row, "botburrow"), rate("drain_raw_50", "bare loop"));
      add(row + " / raw, as many at a time", rate(row, "botburrow"), rate(row, "bare loop"));
      add(row + " / best other", rate(row, "botburrow"), best_other(row));
    }
    add("pick_up / raw wake-up", rate("pick_up", "botburrow"), rate("pick_up", "bare loop"));
    add("pick_up / bullmq", rate("pick_up", "botburrow"), rate("pick_up", "bullmq"));
    add("pick_up / bee-queue", rate("pick_up", "botburrow"), rate("pick_up", "bee-queue"));
    if (options_.sizes.size() > 1) {
      const auto name = [](int size) { return fmt::format("drain of {}", size); };
      for (std::size_t i = 1; i < options_.sizes.size(); ++i)
        add(fmt::format("{} / of {}", name(options_.sizes[i]), options_.sizes[i - 1]),
            rate(name(options_.sizes[i]), "botburrow"),
            rate(name(options_.sizes[i - 1]), "botburrow"));
    }
    return out;
  }

  const Options& options_;
  std::string fsync_;
  test::PrivateRedis redis_;
  Place place_;
  std::vector<Subject> subjects_;
  Results results_;
};

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    const std::string value = argv[i + 1];
    if (flag == "--rounds") {
      options.rounds = std::max(1, std::atoi(value.c_str()));
    } else if (flag == "--items") {
      options.items = std::max(1000, std::atoi(value.c_str()));
    } else if (flag == "--fsync") {
      options.fsync.push_back(value);
    } else if (flag == "--sizes") {
      options.sizes.clear();
      std::istringstream words(value);
      for (std::string word; std::getline(words, word, ',');)
        options.sizes.push_back(std::max(1, std::atoi(word.c_str())));
    } else if (flag == "--out") {
      options.out = value;
    } else if (flag == "--competitors") {
      options.competitors = value;
    } else {
      throw Error(errc::usage, "unknown flag " + flag);
    }
  }
  if (options.fsync.empty()) options.fsync = {"everysec", "always"};
  return options;
}

void run(const Options& options) {
  if (options.competitors.empty())
    std::fprintf(stderr, "bullmq and bee-queue are not there: their rows are skipped\n");
  json::object document = machine();
  document["redis"] = output_of({"redis-server", "--version"});
  document["rounds"] = options.rounds;
  document["items"] = options.items;
  document["competitors"] = !options.competitors.empty();
  for (const auto& fsync : options.fsync) {
    Measurement measurement(options, fsync);
    measurement.run();
    // Once is enough: what waits does not change how the file is written.
    if (fsync == options.fsync.front()) measurement.run_sizes();
    measurement.print();
    document["appendfsync " + fsync] = measurement.document();
  }
  write_document(options.out, document);
  std::printf("\nwritten: %s\n", options.out.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(read_options(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_queue: %s\n", error.what());
    return 1;
  }
}
