#pragma once

#include "bench/report.hpp"
#include "tests/support/private_redis.hpp"

#include <functional>
#include <string>
#include <vector>

// Who is measured in bench_queue, and how each is asked for one round of one row.
namespace botburrow::bench {

/// One row: what is done, and how many at a time.
struct Row {
  std::string name;  ///< as in `botburrow bench queue`, without "own_"
  int items = 0;
  /// The yardstick of the row: the same script, sent by redis-benchmark with this pipeline from one
  /// client; 0 = redis-benchmark cannot do it, because each call depends on the last one's answer.
  int benchmark_pipeline = 0;
  /// The bare loop: {connections, commands outstanding on each}.
  int loop_clients = 1;
  int loop_in_flight = 1;
};

/// Everything a subject may need.
struct Place {
  test::PrivateRedis& redis;
  std::string competitors;  ///< folder with node_modules; empty: there is none
};

/// One that is measured. `round` runs it once on an empty server; no figures: it has no such row.
struct Subject {
  std::string name;
  std::function<Figures(const Row& row)> round;
};
std::vector<Subject> queue_subjects(Place place);

/// The raw complete-and-claim-next script with 50 clients and one command each.
Figures raw_drain_50(Place place, int items);

/// stdout of a program that must succeed. Throws Error with its stderr.
std::string output_of(std::vector<std::string> argv);

}  // namespace botburrow::bench
