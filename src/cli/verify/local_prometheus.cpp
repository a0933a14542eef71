// A real Prometheus, where there is one.
#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "cli/verify/local.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>

namespace botburrow::cli {
std::string_view embedded(std::string_view file_name);
}

namespace botburrow::cli::verify {
namespace {

using namespace std::chrono_literals;

// As they stand in older guides: they may warn of nothing useful, and must load.
constexpr std::string_view kOlderRules = R"(groups:
  - name: older-guides
    rules:
      - alert: OlderCoordinatorNotLeader
        expr: botburrow_coordinator_is_leader == 0
      - alert: OlderWorkQueueBacklog
        expr: botburrow_work_queue_depth{queue="high"} > 100
      - alert: OlderHighActivationFailureRate
        expr: rate(botburrow_activation_failures_total[5m]) > 0.1
)";

std::string address_of(std::string url) {
  constexpr std::string_view kScheme = "http://";
  return url.starts_with(kScheme) ? url.substr(kScheme.size()) : url;
}

/// Where it listens, by its log: it first names what it was asked for, port 0.
std::string address_said(const std::string& log) {
  constexpr std::string_view kField = "\"address\":\"127.0.0.1:";
  for (auto at = log.find(kField); at != std::string::npos; at = log.find(kField, at + 1)) {
    const auto port = at + kField.size();
    const auto digits = log.substr(port, log.find('"', port) - port);
    if (digits != "0") return "http://127.0.0.1:" + digits;
  }
  return "";
}

struct Prometheus {
  LocalWorld& world;
  std::string folder;
  Child* process = nullptr;
  std::string url = {};
  std::size_t targets = 0;

  void write(const std::string& name, std::string_view text) const {
    std::ofstream(folder + "/" + name) << text;
  }

  Task<> write_config() {
    std::vector<std::string> all = {address_of(world.hub_url())};
    for (auto* child : world.coordinators)
      all.push_back(address_of(co_await world.url_of(*child)));
    for (auto* child : world.runners)
      all.push_back(address_of(co_await world.url_of(*child)));
    targets = all.size();
    write("prometheus.yaml",
          fmt::format("global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n"
                      "rule_files: [rules.yaml, older.yaml]\n"
                      "scrape_configs:\n  - job_name: botburrow\n    honor_labels: true\n"
                      "    static_configs: [{{targets: [\"{}\"]}}]\n",
                      fmt::join(all, "\", \"")));
  }

  Task<json::value> ask(std::string path) {
    const auto answer = co_await world.get(url + "/api/v1/" + path);
    co_return parse_json(answer.body, "Prometheus").at("data");
  }

  Task<> start() {
    process = &world.launch_other("prometheus",
                                  {"prometheus", "--config.file=" + folder + "/prometheus.yaml",
                                   "--storage.tsdb.path=" + folder + "/data", "--log.format=json",
                                   "--web.listen-address=127.0.0.1:0"});
    const auto listens = [this]() -> Task<bool> {
      if (process->ended())
        throw Error(errc::io, "prometheus ended: " + process->text().substr(0, 300));
      url = address_said(process->text());
      co_return !url.empty();
    };
    co_await world.until("prometheus listens", listens);
  }

  /// How many of our services it reaches.
  Task<std::size_t> reached() {
    const auto answer = co_await ask("targets?state=active");
    const auto& all = answer.at("activeTargets").as_array();
    co_return static_cast<std::size_t>(std::ranges::count_if(
        all, [](const auto& one) { return string_field(one, "health") == "up"; }));
  }

  /// When the rules were evaluated last; empty while one group was not.
  Task<std::string> evaluated() {
    std::string first;
    const auto rules = co_await ask("rules");
    for (const auto& group : rules.at("groups").as_array()) {
      const auto at = string_field(group, "lastEvaluation").value_or("");
      if (at.empty() || at.starts_with("0001")) co_return "";
      if (first.empty() || at < first) first = at;
    }
    co_return first;
  }

  Task<std::vector<std::string>> active() {
    std::vector<std::string> names;
    const auto alerts = co_await ask("alerts");
    for (const auto& alert : alerts.at("alerts").as_array()) {
      const auto name = string_field(alert.at("labels"), "alertname").value_or("");
      if (!name.starts_with("Older")) names.push_back(name);
    }
    co_return names;
  }

  Task<Outcome> look() {
    co_await start();
    const auto all_up = [this]() -> Task<bool> { co_return co_await reached() == targets; };
    co_await world.until(fmt::format("prometheus scrapes {} services", targets), all_up);
    // What it saw before all were there says nothing: two rounds more.
    for (int round = 0; round < 2; ++round) {
      const auto before = co_await evaluated();
      const auto again = [&]() -> Task<bool> {
        const auto at = co_await evaluated();
        co_return !at.empty() && at != before;
      };
      co_await world.until("the rules are evaluated", again);
    }
    // Leaders may be ended beside it. A moment without one is no alert: each has its time to wait.
    const auto silent = [this]() -> Task<bool> {
      const auto names = co_await active();
      co_return names.empty();
    };
    co_await world.until("no alert is active", silent);
    co_return passed(
        fmt::format("promtool accepts the rules; a Prometheus that scrapes {} services has no "
                    "active alert, pending ones counted",
                    targets));
  }
};

Task<Outcome> judge_alerts(LocalWorld& world) {
  for (const auto* program : {"promtool", "prometheus"})
    if (!net::find_program(program, world.ground().environment.variable("PATH").value_or("")))
      co_return skipped(fmt::format(
          "{} is not in PATH; Debian's package prometheus has promtool and prometheus", program));
  Prometheus prometheus{.world = world, .folder = world.folder()};
  prometheus.write("rules.yaml", embedded("rules.yaml"));
  prometheus.write("older.yaml", kOlderRules);
  co_await prometheus.write_config();
  const auto checked = co_await world.run_other({"promtool", "check", "config", "prometheus.yaml"});
  if (!checked.status.ok()) co_return failed("promtool: " + checked.out + checked.err);
  co_return co_await with_cleanup(prometheus.look(), [&prometheus]() -> Task<> {
    if (prometheus.process) co_await prometheus.process->kill();
  });
}

}  // namespace

Task<> show_alerts(LocalRun& run) {
  auto& world = run.world;
  co_await run.show("A44", [&world]() -> Task<Outcome> { return judge_alerts(world); });
}

}  // namespace botburrow::cli::verify
