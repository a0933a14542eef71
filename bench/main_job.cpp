// Measures the main job from outside, on the built program: start-up, idle memory, the time from a
// posted mention to its answer, and a thousand activations waiting on a slow model in one runner.
// Prints one line a figure and writes bench/results/main_job.json. Asserts nothing.
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "bench/cluster.hpp"
#include "bench/report.hpp"
#include "tests/support/run_task.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace {

using namespace botburrow;
using namespace botburrow::bench;
using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

constexpr int kMentions = 100;
constexpr int kStarts = 15;
constexpr int kWaiting = 1000;

double ms_since(Instant begun) {
  return Seconds(BootClock::now() - begun).count() * 1000;
}

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values.empty()
             ? 0
             : values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

void add_memory(FigureList& figures, const std::string& what, int pid) {
  const auto memory = memory_of(pid);
  figures.add(what + ": resident", memory.resident, "MiB");
  figures.add(what + ": of it private", memory.private_part, "MiB");
  figures.add(what + ": proportional (Pss)", memory.proportional, "MiB");
}

Task<json::value> ready_document(std::string file) {
  const auto deadline = Deadline::in(60s);
  while (!std::filesystem::exists(file)) {
    if (deadline.passed())
      throw Error(errc::timeout, "the program did not become ready within a minute");
    co_await sleep_for(1ms);
  }
  std::ifstream in(file);
  co_return parse_json(std::string((std::istreambuf_iterator<char>(in)), {}), "ready file");
}

net::HttpRequest hub_call(const std::string& hub, const std::string& key, std::string method,
                          const std::string& path, std::string body = {}) {
  return {.method = std::move(method),
          .url = hub + "/api/v1" + path,
          .headers = {{"Authorization", "Bearer " + key}, {"Content-Type", "application/json"}},
          .body = std::move(body)};
}

Task<std::string> post(net::HttpClient& http, std::string hub, std::string key, std::string text) {
  const auto answer = co_await http.send(
      hub_call(hub, key, "POST", "/posts",
               to_json(json::value{{"content", text}, {"community", "general"}})));
  if (!answer.ok()) throw Error(errc::http_status, "post: " + answer.body);
  co_return string_field(parse_json(answer.body, "post"), "id").value_or("");
}

Task<> wait_for_comment(net::HttpClient& http, std::string hub, std::string key,
                        std::string post_id) {
  for (const auto deadline = Deadline::in(30s); !deadline.passed();) {
    const auto answer = co_await http.send(hub_call(hub, key, "GET", "/posts/" + post_id));
    if (int_field(parse_json(answer.body, "post"), "comment_count").value_or(0) > 0) co_return;
    co_await sleep_for(500us);
  }
  throw Error(errc::timeout, "no answer within 30 s");
}

Task<> measure_up(boost::asio::io_context& ioc, FigureList& figures) {
  test::ScratchFolder folder;
  write_agent(folder.path(), "meter");
  const auto begun = BootClock::now();
  Service up(ioc,
             {"up", "--definitions", folder.path().string(), "--data", folder.file("data"),
              "--hub-port", "0", "--coordinator-port", "0", "--runner-port", "0", "--llm",
              "offline", "--ready-file", folder.file("ready")},
             {});
  const auto ready = co_await ready_document(folder.file("ready"));
  figures.add("up: start to ready", ms_since(begun), "ms");
  const auto hub = string_field(ready, "hub").value_or("");
  const auto owner =
      string_field(parse_json(folder.read("data/keys.json"), "keys"), "owner").value_or("");
  net::HttpClient http(ioc.get_executor(), {});
  std::vector<double> took;
  for (int i = 0; i < kMentions; ++i) {
    const auto posted = BootClock::now();
    const auto id = co_await post(http, hub, owner, fmt::format("@meter how long is {}?", i));
    co_await wait_for_comment(http, hub, owner, id);
    took.push_back(ms_since(posted));
  }
  figures.add("mention to answer, offline model, p50", percentile(took, 0.5), "ms");
  figures.add("mention to answer, offline model, p99", percentile(took, 0.99), "ms");
  co_await sleep_for(4s);
  add_memory(figures, "up, idle after 100 mentions (all services)", up.pid());
  co_await up.kill();
}

// From exec to the moment at which Redis has the claim, for work that waits already. The Hub is
// there: a runner asks it whether it takes its key before it claims anything.
Task<double> start_to_claim(Cluster& cluster) {
  auto& redis = cluster.redis();
  redis.flush();
  redis.ask({"SET", "work:generation", "bench:1"});
  redis.ask({"LPUSH", "work:queue:high",
             fmt::format(R"({{"agent_id": "{0}", "agent_name": "{0}", "task_type": "inbox"}})",
                         cluster.agent(0))});
  const auto begun = BootClock::now();
  cluster.start_runner();
  while (redis.ask({"GET", "work:fence"}).is_nil()) {
    if (ms_since(begun) > 20'000) throw Error(errc::timeout, "the runner claimed nothing");
    co_await sleep_for(200us);
  }
  const double took = ms_since(begun);
  co_await cluster.stop_runner();
  co_return took;
}

Task<> measure_start(boost::asio::io_context& ioc, FigureList& figures) {
  Cluster cluster(ioc, {.agents = 1, .slots = 1});
  co_await cluster.start_hub();
  std::vector<double> took;
  for (int i = 0; i < kStarts; ++i)
    took.push_back(co_await start_to_claim(cluster));
  figures.add("runner: start to first claim, p50", percentile(took, 0.5), "ms");
  figures.add("runner: start to first claim, worst of 15", percentile(took, 1), "ms");
  co_await cluster.stop();
}

// Services apart: what each takes when idle, and a runner full of waiting activations.
Task<> measure_waiting(boost::asio::io_context& ioc, FigureList& figures) {
  Cluster cluster(ioc, {.agents = kWaiting, .slots = kWaiting});
  cluster.model().script([](const test::LlmSimulator::Request&) {
    auto answer = test::LlmSimulator::Answer::say("measured");
    answer.delay = 20s;
    return answer;
  });
  co_await cluster.start_hub();
  cluster.start_coordinator();
  cluster.start_runner();
  co_await sleep_for(5s);
  add_memory(figures, "hub, idle", cluster.hub_service().pid());
  add_memory(figures, "coordinator, idle", cluster.coordinator().pid());
  add_memory(figures, "runner, idle", cluster.runner().pid());
  const auto begun = BootClock::now();
  std::vector<std::string> posts;
  for (int at = 0; at < kWaiting; at += 10)
    posts.push_back(co_await cluster.mention(at, at + 10, "measure:"));
  co_await cluster.model().wait_for_requests(kWaiting, 60s);
  figures.add("1,000 mentions: all activations wait after", ms_since(begun) / 1000, "s");
  co_await sleep_for(1s);
  figures.add("at one time on real connections", static_cast<double>(cluster.model().waiting_max()),
              "activations");
  add_memory(figures, "runner, 1,000 activations waiting", cluster.runner().pid());
  int answered = 0;
  const auto patience = Deadline::in(60s);
  for (const auto& id : posts) {
    for (int comments = 0; comments < 10 && !patience.passed();) {
      const auto answer = co_await cluster.hub("GET", "/posts/" + id, cluster.owner_key());
      comments =
          static_cast<int>(int_field(parse_json(answer.body, "post"), "comment_count").value_or(0));
      if (comments < 10) {
        co_await sleep_for(50ms);
        continue;
      }
      answered += comments;
    }
  }
  figures.add("1,000 mentions: answered", answered, "mentions");
  figures.add("1,000 mentions: posted to all answered (model takes 20 s)", ms_since(begun) / 1000,
              "s");
  add_memory(figures, "runner, after them", cluster.runner().pid());
  co_await cluster.stop();
}

}  // namespace

int main(int argc, char** argv) {
  boost::asio::io_context ioc;
  FigureList figures;
  const std::string only = argc > 1 ? argv[1] : "";
  try {
    figures.add("program size",
                static_cast<double>(std::filesystem::file_size(BOTBURROW_PROGRAM)) / (1 << 20),
                "MiB");
    if (only.empty() || only == "start") test::run_task(ioc, measure_start(ioc, figures), 180s);
    if (only.empty() || only == "up") test::run_task(ioc, measure_up(ioc, figures), 180s);
    if (only.empty() || only == "waiting") test::run_task(ioc, measure_waiting(ioc, figures), 300s);
    auto document = machine();
    document["figures"] = figures.to_document();
    if (only.empty()) write_document("bench/results/main_job.json", document);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_main_job: %s\n", error.what());
    return 1;
  }
}
