#include "bench/queue_subjects.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "net/subprocess.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace botburrow::bench {

using namespace std::chrono_literals;

namespace {

constexpr auto kRoundTime = 300s;

std::string port_of(const Place& place) {
  return std::to_string(place.redis.port());
}

double server_cpu(const Place& place) {
  const auto text = place.redis.ask({"INFO", "cpu"}).str();
  double sum = 0;
  for (const auto* name : {"used_cpu_sys:", "used_cpu_user:"}) {
    const auto at = text.find(fmt::format("\n{}", name));
    if (at != std::string::npos) sum += std::atof(text.c_str() + at + 1 + std::string(name).size());
  }
  return sum;
}

json::value last_line(const std::string& text, const char* what) {
  const auto end = text.find_last_not_of('\n');
  const auto begin = text.rfind('\n', end);
  return parse_json(text.substr(begin == std::string::npos ? 0 : begin + 1), what);
}

void copy(const json::value& from, const char* name, Figures& to, const char* as, double factor) {
  if (const auto value = number_field(from, name)) to[as] = *value * factor;
}

/// Of the bare loop and of the others' queues: absolute processor seconds become those of 10,000
/// items.
Figures figures_of(const json::value& document) {
  Figures figures;
  const double count = number_field(document, "count").value_or(0);
  const double of_10k = count > 0 ? 10'000 / count : 0;
  copy(document, "per_second", figures, "per_second", 1);
  copy(document, "cpu_seconds", figures, "cpu_seconds_per_10k", of_10k);
  copy(document, "redis_cpu_seconds", figures, "redis_cpu_seconds_per_10k", of_10k);
  copy(document, "bytes_an_item", figures, "redis_bytes_per_item", 1);
  copy(document, "p50_us", figures, "p50_us", 1);
  copy(document, "p99_us", figures, "p99_us", 1);
  copy(document, "resident_mib", figures, "resident_mib", 1);
  return figures;
}

json::value raw(const Place& place, const std::string& mode, int clients, int in_flight,
                int count) {
  return last_line(output_of({BOTBURROW_RAW, port_of(place), mode, std::to_string(clients),
                              std::to_string(in_flight), std::to_string(count)}),
                   "bench_raw_queue");
}

Figures raw_drain(const Place& place, int clients, int in_flight, int items) {
  place.redis.flush();
  raw(place, "enqueue", 1, 64, items);
  const double before = server_cpu(place);
  auto figures = figures_of(raw(place, "drain", clients, in_flight, items));
  figures["redis_cpu_seconds_per_10k"] = (server_cpu(place) - before) * 10'000 / items;
  return figures;
}

Figures raw_loop(const Place& place, const Row& row) {
  if (row.name == "pick_up") {
    place.redis.flush();
    return figures_of(raw(place, "wakeup", 1, 1, row.items));
  }
  if (row.name.starts_with("drain"))
    return raw_drain(place, row.loop_clients, row.loop_in_flight, row.items);
  place.redis.flush();
  const double before = server_cpu(place);
  auto figures = figures_of(raw(place, "enqueue", row.loop_clients, row.loop_in_flight, row.items));
  figures["redis_cpu_seconds_per_10k"] = (server_cpu(place) - before) * 10'000 / row.items;
  return figures;
}

/// The seventh column from the end of its last line: the name of the test may hold commas.
double rate_of_csv(const std::string& text) {
  auto end = text.find_last_not_of('\n') + 1;
  std::string_view line = std::string_view(text).substr(0, end);
  line = line.substr(line.rfind('\n') + 1);
  for (int i = 0; i < 6; ++i)
    line = line.substr(0, line.rfind(','));
  line = line.substr(line.rfind(',') + 1);
  line.remove_prefix(line.starts_with('"') ? 1 : 0);
  double rate = 0;
  std::from_chars(line.data(), line.data() + line.size(), rate);
  if (rate <= 0) throw Error(errc::protocol, "redis-benchmark printed no rate: " + text);
  return rate;
}

Figures redis_benchmark(const Place& place, const Row& row) {
  if (row.benchmark_pipeline == 0) return {};
  place.redis.flush();
  const auto names = raw(place, "scripts", 1, 1, 1);
  const std::string agent = "bench-__rand_int__";
  const auto text = output_of(
      {"redis-benchmark",
       "-p",
       port_of(place),
       "-c",
       "1",
       "-P",
       std::to_string(row.benchmark_pipeline),
       "-n",
       std::to_string(row.items),
       "-r",
       "1000000000",
       "--csv",
       "EVALSHA",
       string_field(names, "enqueue").value_or(""),
       "0",
       "-",
       "0",
       "0",
       agent,
       "high",
       "inbox",
       fmt::format(R"({{"agent_id": "{0}", "agent_name": "{0}", "task_type": "inbox", "priority": )"
                   R"("high", "inbox_count": 3, "created_at": )",
                   agent),
       "",
       "}"});
  return {{"per_second", rate_of_csv(text)}};
}

Figures own(const Place& place, const Row& row) {
  place.redis.flush();
  // Rows that go one after another take a share of --items; here they are given what they shall
  // have.
  const int share = row.name == "enqueue_single" || row.name == "drain_c1" ? 5
                    : row.name == "pick_up"                                ? 50
                                                                           : 1;
  const auto document =
      last_line(output_of({BOTBURROW_PROGRAM, "bench", "queue", "--json", "--rounds", "1",
                           "--items", std::to_string(row.items * share), "--only",
                           "own_" + row.name, "--redis", "127.0.0.1:" + port_of(place)}),
                "botburrow bench queue");
  const auto rows = array_field(document, "rows");
  Figures figures;
  if (row.name == "pick_up") {
    copy(rows.at(0), "p50_us", figures, "p50_us", 1);
    copy(rows.at(0), "p99_us", figures, "p99_us", 1);
    return figures;
  }
  copy(rows.at(0), "jobs_per_second", figures, "per_second", 1);
  copy(rows.at(0), "cpu_seconds_per_10k", figures, "cpu_seconds_per_10k", 1);
  copy(rows.at(0), "redis_cpu_seconds_per_10k", figures, "redis_cpu_seconds_per_10k", 1);
  copy(rows.at(0), "redis_bytes_per_item", figures, "redis_bytes_per_item", 1);
  return figures;
}

Figures competitor(const Place& place, const Row& row, const std::string& which) {
  place.redis.flush();
  return figures_of(last_line(output_of({"node", place.competitors + "/queue.mjs", which,
                                         port_of(place), row.name, std::to_string(row.items)}),
                              which.c_str()));
}

}  // namespace

std::string output_of(std::vector<std::string> argv) {
  boost::asio::io_context ioc;
  const auto name = argv.front();
  const auto result = test::run_task(
      ioc,
      net::run_process(
          {.argv = std::move(argv),
           .environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp"},
           .die_with_parent = true},
          "", Deadline::in(kRoundTime)),
      kRoundTime + 20s);
  if (result.status.ok()) return result.out;
  throw Error(errc::internal,
              fmt::format("{}: exit code {}: {}", name, result.status.code, result.err));
}

Figures raw_drain_50(Place place, int items) {
  return raw_drain(place, 50, 1, items);
}

std::vector<Subject> queue_subjects(Place place) {
  std::vector<Subject> subjects = {
      {"redis-benchmark", [place](const Row& row) { return redis_benchmark(place, row); }},
      {"bare loop", [place](const Row& row) { return raw_loop(place, row); }},
      {"botburrow", [place](const Row& row) { return own(place, row); }},
  };
  if (place.competitors.empty()) return subjects;
  for (const std::string which : {"bullmq", "bee-queue"})
    subjects.push_back(
        {which, [place, which](const Row& row) { return competitor(place, row, which); }});
  return subjects;
}

}  // namespace botburrow::bench
