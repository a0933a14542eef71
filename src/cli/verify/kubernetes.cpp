#include "cli/verify/kubernetes.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace botburrow::cli::verify {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

constexpr auto kCallTime = 20s;

std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  std::ranges::replace(text, '\n', ' ');
  return text.substr(0, 300);
}

/// One run against one namespace.
class Run {
 public:
  Run(Cluster cluster, Outcomes& outcomes, Progress progress)
      : cluster_(std::move(cluster)), outcomes_(outcomes), progress_(std::move(progress)) {}

  Task<std::string> kubectl(Words words) {
    net::ProcessOptions options{.argv = {"kubectl", "-n", cluster_.name_space},
                                .environment = cluster_.environment,
                                .path_for_lookup = cluster_.path};
    options.argv.insert(options.argv.end(), words.begin(), words.end());
    const auto ran = co_await net::run_process(std::move(options), "", Deadline::in(kCallTime));
    if (ran.status.ok()) co_return ran.out;
    throw Error(errc::io, fmt::format("kubectl {}: {}", fmt::join(words, " "),
                                      ran.timed_out ? "timed out" : one_line(ran.err)));
  }
  Task<json::array> items(Words words) {
    words.insert(words.end(), {"-o", "json"});
    const auto text = co_await kubectl(std::move(words));
    const auto document = parse_json(text, "kubectl");
    co_return array_field(document, "items");
  }
  Task<std::string> redis(Words words) {
    words.insert(words.begin(), {"exec", "valkey-0", "--", "redis-cli"});
    auto text = co_await kubectl(std::move(words));
    co_return one_line(std::move(text));
  }
  Task<std::string> in_pod(std::string pod, Words words) {
    words.insert(words.begin(), {"exec", std::move(pod), "--"});
    auto text = co_await kubectl(std::move(words));
    co_return one_line(std::move(text));
  }
  Task<> show(std::string id, std::function<Task<Outcome>()> item) {
    Outcome outcome;
    try {
      outcome = co_await item();
    } catch (const Error& error) {
      outcome = failed(error.message());
    }
    if (progress_) progress_(id, outcome);
    outcomes_[id] = std::move(outcome);
  }
  const Cluster& cluster() const { return cluster_; }

 private:
  Cluster cluster_;
  Outcomes& outcomes_;
  Progress progress_;
};

std::string name_of_pod(const json::value& pod) {
  const auto* metadata = find_field(pod, "metadata");
  return metadata == nullptr ? "" : string_field(*metadata, "name").value_or("");
}

/// What is wrong with a pod; empty: it runs, is ready, and was never restarted.
std::string pod_fault(const json::value& pod) {
  const auto* status = find_field(pod, "status");
  if (status == nullptr) return "no status";
  const auto phase = string_field(*status, "phase").value_or("");
  if (phase != "Running") return phase;
  for (const auto& container : array_field(*status, "containerStatuses")) {
    if (!bool_field(container, "ready").value_or(false)) return "not ready";
    if (const auto count = int_field(container, "restartCount").value_or(0); count > 0)
      return fmt::format("{} restarts", count);
  }
  return "";
}

Task<std::vector<std::string>> names(Run& run, std::string label) {
  std::vector<std::string> found;
  for (const auto& pod : co_await run.items({"get", "pods", "-l", label}))
    found.push_back(name_of_pod(pod));
  co_return found;
}

Task<> show_pods(Run& run) {
  co_await run.show("A3", [&]() -> Task<Outcome> {
    std::vector<std::string> faults;
    std::set<std::string> missing = {"coordinator-", "runner-hybrid-", "runner-notification-",
                                     "runner-exploration-", "valkey-0"};
    const auto pods = co_await run.items({"get", "pods"});
    for (const auto& pod : pods) {
      const auto name = name_of_pod(pod);
      std::erase_if(missing, [&](const auto& begin) { return name.starts_with(begin); });
      if (const auto fault = pod_fault(pod); !fault.empty()) faults.push_back(name + ": " + fault);
    }
    for (const auto& begin : missing)
      faults.push_back("no pod " + begin);
    co_return faults.empty() ? passed(fmt::format("{} pods run, none restarted", pods.size()))
                             : failed(fmt::format("{}", fmt::join(faults, ", ")));
  });
  co_await run.show("A4", [&]() -> Task<Outcome> {
    const auto by_name = co_await names(run, "app.kubernetes.io/name=coordinator");
    const auto by_app = co_await names(run, "app=coordinator");
    const auto evidence = fmt::format("{}", fmt::join(by_name, ", "));
    co_return by_name.size() == 2 && by_name == by_app ? passed(evidence) : failed(evidence);
  });
  co_await run.show("A51", [&]() -> Task<Outcome> {
    for (const auto* object :
         {"service/valkey", "configmap/botburrow-agents-config", "secret/botburrow-agents-secrets"})
      co_await run.kubectl({"get", object, "-o", "name"});
    co_return passed(
        "service valkey, configmap botburrow-agents-config, secret "
        "botburrow-agents-secrets");
  });
}

Task<> show_logs(Run& run) {
  co_await run.show("A5", [&]() -> Task<Outcome> {
    for (const auto& pod : co_await names(run, "app=coordinator")) {
      const auto log = co_await run.kubectl({"logs", pod, "-c", "coordinator"});
      if (log.find("\"event\":\"coordinator_started\"") == std::string::npos)
        co_return failed(pod + " logs no coordinator_started");
    }
    co_return passed("both log coordinator_started");
  });
  co_await run.show("A6", [&]() -> Task<Outcome> {
    const auto leader = co_await run.redis({"GET", "coordinator:leader"});
    const auto pods = co_await names(run, "app=coordinator");
    if (std::ranges::find(pods, leader) == pods.end())
      co_return failed(
          fmt::format("coordinator:leader is \"{}\", and no coordinator's pod", leader));
    const auto log = co_await run.kubectl({"logs", leader, "-c", "coordinator"});
    co_return log.find("became_leader") != std::string::npos ||
            log.find("\"is_leader\":true") != std::string::npos
        ? passed(leader + " leads, and its log says so")
        : failed(leader + " leads, and its log does not say so");
  });
}

Task<> show_inside(Run& run) {
  co_await run.show("A10", [&]() -> Task<Outcome> {
    std::string seen;
    for (const auto* lane : {"high", "normal", "low"})
      seen += fmt::format("{} {} ", lane,
                          co_await run.redis({"LLEN", std::string("work:queue:") + lane}));
    co_return passed(seen);
  });
  co_await run.show("A21", [&]() -> Task<Outcome> {
    std::vector<std::string> seen;
    for (const auto& pod : co_await names(run, "app=runner"))
      seen.push_back(pod + " " + co_await run.in_pod(pod, {"printenv", "RUNNER_MODE"}));
    co_return seen.empty() ? failed("no runner's pod")
                           : passed(fmt::format("{}", fmt::join(seen, ", ")));
  });
  co_await run.show("A23", [&]() -> Task<Outcome> {
    const auto answer = co_await run.in_pod(
        "deploy/coordinator",
        {"redis-cli", "-h", fmt::format("valkey.{}.svc.cluster.local", run.cluster().name_space),
         "ping"});
    co_return answer == "PONG" ? passed(answer) : failed(answer);
  });
  co_await run.show("A24", [&]() -> Task<Outcome> {
    const auto status = co_await run.in_pod(
        "deploy/coordinator",
        {"sh", "-c", "curl -s -o /dev/null -w '%{http_code}' \"$HUB_URL/api/v1/health\""});
    co_return status == "200" ? passed(status) : failed(status);
  });
}

Task<> show_deletion(Run& run) {
  co_await run.show("A11", [&]() -> Task<Outcome> {
    const auto leader = co_await run.redis({"GET", "coordinator:leader"});
    const auto begin = BootClock::now();
    co_await run.kubectl({"delete", "pod", leader, "--grace-period=0", "--force", "--wait=false"});
    const auto deadline = Deadline::in(40s);
    while (!deadline.passed()) {
      const auto now = co_await run.redis({"GET", "coordinator:leader"});
      if (!now.empty() && now != leader) {
        const double took = std::chrono::duration<double>(BootClock::now() - begin).count();
        const auto evidence = fmt::format("{} deleted; {} leads after {:.1f} s", leader, now, took);
        co_return took <= 30 ? passed(evidence) : failed(evidence);
      }
      co_await sleep_for(500ms);
    }
    co_return failed(leader + " deleted, and nobody leads after 40 s");
  });
}

}  // namespace

Task<> run_kubernetes(Cluster cluster, Outcomes& outcomes, Progress progress) {
  Run run(std::move(cluster), outcomes, std::move(progress));
  co_await run.kubectl({"get", "pods", "-o", "name"});
  co_await show_pods(run);
  co_await show_logs(run);
  co_await show_inside(run);
  if (run.cluster().destructive) co_await show_deletion(run);
}

}  // namespace botburrow::cli::verify
