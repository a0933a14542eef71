// Memory and processor of each service, idle and under load, beside what the Kubernetes manifests
// ask for and allow. Prints the table and writes bench/results/footprint.json. Asserts nothing.
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "bench/cluster.hpp"
#include "bench/report.hpp"
#include "tests/support/run_task.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace {

using namespace botburrow;
using namespace botburrow::bench;
using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

constexpr int kAgents = 200;
constexpr auto kIdle = 20s;
constexpr auto kLoad = 40s;
constexpr auto kLook = 250ms;

/// Millicores and MiB of a container by its manifest.
struct Allowance {
  double cpu_request = 0, cpu_limit = 0, memory_request = 0, memory_limit = 0;
};

/// "250m" and "1" are millicores; "512Mi" and "2Gi" are MiB.
double quantity(std::string text) {
  std::erase(text, '"');
  const double value = std::strtod(text.c_str(), nullptr);
  if (text.ends_with("Gi")) return value * 1024;
  return text.ends_with("Mi") || text.ends_with("m") ? value : value * 1000;
}

/// Of the manifest's last container: those before it prepare something.
Allowance allowance_of(const std::string& manifest) {
  std::ifstream file(BOTBURROW_SOURCE_DIR "/deploy/kubernetes/" + manifest);
  Allowance all;
  bool limits = false;
  for (std::string line; std::getline(file, line);) {
    const auto begin = line.find_first_not_of(' ');
    if (begin == std::string::npos) continue;
    const auto text = line.substr(begin);
    if (text == "requests:" || text == "limits:") limits = text == "limits:";
    if (text.starts_with("cpu: "))
      (limits ? all.cpu_limit : all.cpu_request) = quantity(text.substr(5));
    if (text.starts_with("memory: "))
      (limits ? all.memory_limit : all.memory_request) = quantity(text.substr(8));
  }
  if (all.memory_limit == 0) throw Error(errc::io, manifest + ": no limits found");
  return all;
}

struct Subject {
  std::string name;
  int pid = 0;
  Allowance allowance;
  double cpu_begin = 0;
  double idle_mib = 0, idle_millicores = 0;
  double load_mib = 0, load_millicores = 0;
};

void begin(std::vector<Subject>& subjects) {
  for (auto& one : subjects)
    one.cpu_begin = cpu_seconds_of(one.pid);
}

double millicores(const Subject& one, Instant since) {
  return (cpu_seconds_of(one.pid) - one.cpu_begin) * 1000 /
         Seconds(BootClock::now() - since).count();
}

std::int64_t done(test::PrivateRedis& redis) {
  const auto reply = redis.ask({"HGET", "work:stats", "done"});
  return reply.is_nil() ? 0 : std::atoll(reply.str().c_str());
}

test::LlmSimulator::Answer answer_of(const test::LlmSimulator::Request& request) {
  if (request.ends_with_tool_results())
    return test::LlmSimulator::Answer::say("This is what I found about it.");
  return test::LlmSimulator::Answer::call("hub_search", {{"query", "measure"}, {"limit", 3}});
}

Task<> measure_idle(std::vector<Subject>& subjects) {
  co_await sleep_for(5s);
  begin(subjects);
  const auto since = BootClock::now();
  co_await sleep_for(kIdle);
  for (auto& one : subjects) {
    one.idle_millicores = millicores(one, since);
    one.idle_mib = memory_of(one.pid).resident;
  }
}

/// Everybody is mentioned again as soon as everybody has answered.
Task<double> measure_load(Cluster& cluster, std::vector<Subject>& subjects) {
  const auto first = done(cluster.redis());
  begin(subjects);
  const auto since = BootClock::now();
  const auto end = Deadline::in(kLoad);
  std::int64_t wanted = first;
  for (int round = 0; !end.passed(); ++round) {
    for (int at = 0; at < kAgents; at += 10)
      co_await cluster.mention(at, at + 10, fmt::format("load {}:", round));
    wanted += kAgents;
    const auto patience = Deadline::in(60s);
    while (done(cluster.redis()) < wanted && !patience.passed()) {
      for (auto& one : subjects)
        one.load_mib = std::max(one.load_mib, memory_of(one.pid).resident);
      co_await sleep_for(kLook);
    }
  }
  for (auto& one : subjects)
    one.load_millicores = millicores(one, since);
  co_return static_cast<double>(done(cluster.redis()) - first) /
      Seconds(BootClock::now() - since).count();
}

void report(const std::vector<Subject>& subjects, double rate, FigureList& figures) {
  const auto text = [](double value) { return fmt::format("{:.1f}", value); };
  const auto share = [](double part, double whole) { return fmt::format("{:.3f}", part / whole); };
  std::vector<std::vector<std::string>> rows{{"service", "idle MiB", "load MiB", "load/idle",
                                              "load/request", "load/limit", "idle mcore",
                                              "load mcore", "load/request", "load/limit"}};
  figures.add("load: activations a second", rate, "/s");
  for (const auto& one : subjects) {
    const auto& allowed = one.allowance;
    rows.push_back({one.name, text(one.idle_mib), text(one.load_mib),
                    share(one.load_mib, one.idle_mib), share(one.load_mib, allowed.memory_request),
                    share(one.load_mib, allowed.memory_limit), text(one.idle_millicores),
                    text(one.load_millicores), share(one.load_millicores, allowed.cpu_request),
                    share(one.load_millicores, allowed.cpu_limit)});
    figures.add(one.name + ": idle, resident", one.idle_mib, "MiB");
    figures.add(one.name + ": load, resident at most", one.load_mib, "MiB");
    figures.add(one.name + ": load, of its memory limit", one.load_mib / allowed.memory_limit, "");
    figures.add(one.name + ": idle, processor", one.idle_millicores, "mcore");
    figures.add(one.name + ": load, processor", one.load_millicores, "mcore");
    figures.add(one.name + ": load, of its processor limit",
                one.load_millicores / allowed.cpu_limit, "");
  }
  print_table(rows);
}

Task<> measure(boost::asio::io_context& ioc, FigureList& figures) {
  Cluster cluster(ioc, {.agents = kAgents, .slots = 5, .log_level = "info"});
  cluster.model().script(answer_of);
  co_await cluster.start_hub();
  cluster.start_coordinator();
  cluster.start_runner();
  const std::string overlay = "overlays/apexalgo-iad/";
  std::vector<Subject> subjects{{.name = "hub",
                                 .pid = cluster.hub_service().pid(),
                                 .allowance = allowance_of("hub/hub.yaml")},
                                {.name = "coordinator",
                                 .pid = cluster.coordinator().pid(),
                                 .allowance = allowance_of(overlay + "coordinator.yaml")},
                                {.name = "runner",
                                 .pid = cluster.runner().pid(),
                                 .allowance = allowance_of(overlay + "runner-hybrid.yaml")},
                                {.name = "redis",
                                 .pid = cluster.redis().pid(),
                                 .allowance = allowance_of(overlay + "valkey.yaml")}};
  co_await measure_idle(subjects);
  const double rate = co_await measure_load(cluster, subjects);
  report(subjects, rate, figures);
  co_await cluster.stop();
}

}  // namespace

int main() {
  boost::asio::io_context ioc;
  FigureList figures;
  try {
    test::run_task(ioc, measure(ioc, figures), 300s);
    auto document = machine();
    document["figures"] = figures.to_document();
    write_document("bench/results/footprint.json", document);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_footprint: %s\n", error.what());
    return 1;
  }
}
