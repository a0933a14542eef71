#include "base/cleanup.hpp"
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/bench_queue_load.hpp"
#include "cli/commands.hpp"
#include "cli/data_folder.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/redis_process.hpp"
#include "cli/service.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>

namespace botburrow::cli {
namespace {

using namespace std::chrono_literals;

struct BenchFlags {
  std::string redis;
  std::int64_t items = 20'000;
  int rounds = 3;
  int time_max = 300;
  std::vector<std::string> only;
  bool flush = false;
  bool plain = false;
  bool json = false;
};

/// One row with what its rounds took.
struct Measured {
  QueueRow row;
  std::vector<RowFigures> rounds;
};

/// The value in the middle; of an even number the lower one.
double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) / 2];
}

template <class Get>
double median_of(const Measured& measured, Get get) {
  std::vector<double> values;
  for (const auto& round : measured.rounds)
    values.push_back(get(round));
  return median(std::move(values));
}

double median_rate(const Measured& measured) {
  return median_of(measured, [](const auto& round) { return round.per_second(); });
}
double median_cpu(const Measured& measured) {
  return median_of(measured, [](const auto& round) {
    return round.cpu_seconds / static_cast<double>(round.items) * 10'000;
  });
}
double median_redis_cpu(const Measured& measured) {
  return median_of(measured, [](const auto& round) {
    return round.redis_cpu_seconds / static_cast<double>(round.items) * 10'000;
  });
}
double median_bytes(const Measured& measured) {
  return median_of(measured, [](const auto& round) { return round.bytes_an_item; });
}
double wait_us(const Measured& measured, double share) {
  std::vector<double> all;
  for (const auto& round : measured.rounds)
    all.insert(all.end(), round.waits_us.begin(), round.waits_us.end());
  if (all.empty()) return 0;
  std::sort(all.begin(), all.end());
  return all[static_cast<std::size_t>(share * static_cast<double>(all.size() - 1))];
}

net::RedisAddress address_of(const std::string& text) {
  return net::parse_redis_url(text.find("://") == std::string::npos ? "redis://" + text : text);
}

std::vector<Measured> chosen_rows(const BenchFlags& flags) {
  std::vector<Measured> chosen;
  for (const auto& row : queue_rows()) {
    const bool named = std::ranges::find(flags.only, row.name) != flags.only.end();
    if (named || flags.only.empty()) chosen.push_back({.row = row, .rounds = {}});
  }
  return chosen;
}

std::int64_t items_of(const QueueRow& row, const BenchFlags& flags) {
  const auto share = static_cast<std::int64_t>(static_cast<double>(flags.items) * row.share);
  return std::clamp<std::int64_t>(share, 1, flags.items);
}

Task<> claim_database(QueueLoad& load, const BenchFlags& flags) {
  if (flags.flush) {
    co_await load.flush();
  } else if (const auto key = co_await load.find_foreign_key()) {
    throw Error(errc::already_exists,
                fmt::format("{}: holds keys of Botburrow ({}); name an empty Redis or database "
                            "(--redis redis://HOST:PORT/DB), or --flush to remove everything in "
                            "this one first",
                            load.server(), printable(*key)));
  }
  co_await load.begin();
}

// Rounds go through all rows, every other one backwards, so that what slows the machine for a while
// does not hit one row alone.
Task<> measure(QueueLoad& load, const BenchFlags& flags, std::vector<Measured>& rows) {
  for (int round = 0; round < flags.rounds; ++round) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto& measured = rows[round % 2 == 0 ? i : rows.size() - 1 - i];
      const auto items = items_of(measured.row, flags);
      measured.rounds.push_back(co_await load.round(measured.row, items));
      std::fprintf(stderr, "round %d of %d: %s, %lld items, %.0f a second\n", round + 1,
                   flags.rounds, std::string(measured.row.name).c_str(),
                   static_cast<long long>(items), measured.rounds.back().per_second());
    }
  }
}

json::value to_document(const Measured& measured) {
  json::array rounds;
  for (const auto& round : measured.rounds)
    rounds.push_back(round.per_second());
  json::object out{{"name", std::string(measured.row.name)},
                   {"items", measured.rounds.empty() ? 0 : measured.rounds.front().items},
                   {"rounds", std::move(rounds)},
                   {"jobs_per_second", median_rate(measured)},
                   {"cpu_seconds_per_10k", median_cpu(measured)},
                   {"redis_cpu_seconds_per_10k", median_redis_cpu(measured)}};
  if (measured.row.kind == QueueRow::Kind::pick_up) {
    out["p50_us"] = wait_us(measured, 0.5);
    out["p99_us"] = wait_us(measured, 0.99);
  } else {
    out["redis_bytes_per_item"] = median_bytes(measured);
  }
  return out;
}

void print_table(const Output& out, const std::vector<Measured>& rows, const std::string& server,
                 const BenchFlags& flags) {
  std::vector<std::vector<std::string>> cells;
  for (const auto& measured : rows) {
    const bool waits = measured.row.kind == QueueRow::Kind::pick_up;
    cells.push_back({std::string(measured.row.name),
                     fmt::format("{}", measured.rounds.front().items),
                     waits ? fmt::format("p50 {:.0f} µs, p99 {:.0f} µs", wait_us(measured, 0.5),
                                         wait_us(measured, 0.99))
                           : fmt::format("{:.0f}", median_rate(measured)),
                     fmt::format("{:.3f}", median_cpu(measured)),
                     fmt::format("{:.3f}", median_redis_cpu(measured)),
                     waits ? "" : fmt::format("{:.0f}", median_bytes(measured))});
  }
  out.line(fmt::format("{}: medians of {} rounds; what was made is removed", server, flags.rounds));
  out.table({"row", "items", "a second", "our CPU s/10k", "Redis CPU s/10k", "bytes/item"}, cells);
}

void print(const Output& out, const std::vector<Measured>& rows, const std::string& server,
           const BenchFlags& flags) {
  if (flags.json) {
    json::array documents;
    for (const auto& measured : rows)
      documents.push_back(to_document(measured));
    out.json({{"redis", server}, {"rounds", flags.rounds}, {"rows", std::move(documents)}});
    return;
  }
  if (!flags.plain) return print_table(out, rows, server, flags);
  for (const auto& measured : rows) {
    if (measured.row.kind != QueueRow::Kind::pick_up)
      out.line(fmt::format("{} {:.0f}", measured.row.name, median_rate(measured)));
  }
}

Task<> begin_and_measure(QueueLoad& load, const BenchFlags& flags, std::vector<Measured>& rows) {
  co_await claim_database(load, flags);
  co_await with_cleanup(with_deadline("bench queue (--time-max)", Deadline::in(flags.time_max * 1s),
                                      measure(load, flags, rows)),
                        [&load] { return load.remove_all(); });
}

Task<> load_server(QueueLoad& load, const BenchFlags& flags, std::vector<Measured>& rows) {
  co_await load.start();
  co_await begin_and_measure(load, flags, rows);
}

Task<int> run_on(net::RedisAddress address, const Context& context, const Log& log,
                 const BenchFlags& flags) {
  auto rows = chosen_rows(flags);
  QueueLoad load(co_await boost::asio::this_coro::executor, std::move(address), log,
                 system_random());
  co_await with_cleanup(load_server(load, flags, rows), [&load] { return load.stop(); });
  print(Output(context.environment), rows, load.server(), flags);
  co_return exit_code::kDone;
}

Task<int> run_on_private(const Context& context, const Log& log, const BenchFlags& flags) {
  TemporaryFolder folder;
  RedisProcess redis(
      co_await boost::asio::this_coro::executor, folder.path(), system_random(), Log::none(),
      {.path = context.environment.variable("PATH").value_or(""), .folder_stays = false});
  std::fprintf(stderr,
               "no --redis: a private one, as `botburrow up` runs it (appendfsync always)\n");
  co_await redis.start();
  co_return co_await with_cleanup(run_on(address_of(redis.url()), context, log, flags),
                                  [&redis] { return redis.stop(); });
}

int run_bench(const Context& context, const BenchFlags& flags) {
  const auto settings = load_settings(context.environment, "");
  // Runners write a line for each claim, so the rows pay for it, too.
  const auto log = unread_log(context.environment, settings);
  return run_command([&] {
    return flags.redis.empty() ? run_on_private(context, log, flags)
                               : run_on(address_of(flags.redis), context, log, flags);
  });
}

std::set<std::string> row_names() {
  std::set<std::string> names;
  for (const auto& row : queue_rows())
    names.emplace(row.name);
  return names;
}

}  // namespace

void add_bench_queue(CLI::App& bench, Context& context) {
  auto* command = bench.add_subcommand(
      "queue", "Load a Redis with empty work, through the code that runners use");
  auto flags = std::make_shared<BenchFlags>();
  command
      ->add_option("--redis", flags->redis,
                   "An empty Redis to load: HOST:PORT, or a URL (default: a private one, started "
                   "for the run)")
      ->type_name("ADDRESS");
  command
      ->add_option("--items", flags->items,
                   "Work items of a row; rows that go one after another take a fifth (default "
                   "20000)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{2'000'000}));
  command->add_option("--rounds", flags->rounds, "Rounds; medians are printed (default 3)")
      ->type_name("N")
      ->check(CLI::Range(1, 100));
  command
      ->add_option("--time-max", flags->time_max,
                   "Give up, and clean up, after this many seconds (default 300)")
      ->type_name("S")
      ->check(CLI::Range(1, 86'400));
  command->add_option("--only", flags->only, "Only these rows (may be repeated)")
      ->type_name("ROW")
      ->check(CLI::IsMember(row_names()));
  command->add_flag("--flush", flags->flush,
                    "Remove everything in that database first (FLUSHDB); without it, one that "
                    "holds keys of Botburrow is refused");
  auto* plain = command->add_flag("--plain", flags->plain, "One line a row: NAME jobs_per_second");
  command->add_flag("--json", flags->json, "All figures as one JSON document")->excludes(plain);
  command->footer(
      "Removes what it made. Progress goes to stderr.\n"
      "Example:\n  botburrow bench queue --plain --redis 127.0.0.1:6399");
  on_run(*command, context, [&context, flags] { return run_bench(context, *flags); });
}

}  // namespace botburrow::cli
