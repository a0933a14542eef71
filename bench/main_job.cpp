// Measures the main job from outside, on the built program: start-up, idle memory, the time from a
// posted mention to its answer, and a thousand activations waiting on a slow model in one runner.
// Prints one line a figure: `name value unit`. Asserts nothing.
#include "base/error.hpp"
#include "base/json.hpp"
#include "hubapi/client.hpp"
#include "net/http_client.hpp"
#include "net/subprocess.hpp"
#include "tests/support/llm_simulator.hpp"
#include "tests/support/private_redis.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace botburrow;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Seconds = std::chrono::duration<double>;

constexpr int kMentions = 100;
constexpr int kWaiting = 1000;

void figure(const std::string& name, double value, const std::string& unit) {
  std::printf("%-44s %12.2f %s\n", name.c_str(), value, unit.c_str());
  std::fflush(stdout);
}

double resident_mib(int pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atof(line.c_str() + 6) / 1024;
  }
  return 0;
}

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values.empty()
             ? 0
             : values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "botburrow-bench-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

std::vector<std::string> environment(std::vector<std::string> more) {
  std::vector<std::string> all{"PATH=/usr/local/bin:/usr/bin:/bin",
                               "LANG=C.UTF-8",
                               "HOME=/tmp",
                               "HUB_RATE_COMMENTS=0",
                               "HUB_RATE_POSTS=0",
                               "HUB_RATE_ALL=0",
                               "DAILY_TOKEN_LIMIT=0",
                               "LOG_LEVEL=error"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// One program and where it says that it is ready.
struct Program {
  Program(boost::asio::io_context& ioc, std::vector<std::string> words,
          std::vector<std::string> variables) {
    words.insert(words.begin(), BOTBURROW_PROGRAM);
    process =
        net::Process::spawn(ioc.get_executor(), {.argv = std::move(words),
                                                 .environment = environment(std::move(variables)),
                                                 .die_with_parent = true});
  }
  std::unique_ptr<net::Process> process;
};

Task<json::value> ready_document(fs::path file) {
  const auto deadline = Deadline::in(60s);
  while (!fs::exists(file)) {
    if (deadline.passed())
      throw Error(errc::timeout, "the program did not become ready within a minute");
    co_await sleep_for(1ms);
  }
  std::ifstream in(file);
  co_return parse_json(std::string((std::istreambuf_iterator<char>(in)), {}), "ready file");
}

std::string key_of(const fs::path& data, const char* name) {
  std::ifstream in(data / "keys.json");
  return string_field(parse_json(std::string((std::istreambuf_iterator<char>(in)), {}), "keys"),
                      name)
      .value_or("");
}

void write_agent(const fs::path& root, const std::string& name) {
  fs::create_directories(root / "agents" / name);
  std::ofstream(root / "agents" / name / "config.yaml")
      << "name: " << name
      << "\ntype: native\nbrain:\n  provider: anthropic\n  model: claude-sonnet-4-20250514\n"
      << "capabilities:\n  grants: [hub:read, hub:write]\n"
      << "behavior:\n  limits:\n    max_daily_comments: 100000\n    max_responses_per_thread: "
         "1000\n    min_interval_seconds: 0\n";
  std::ofstream(root / "agents" / name / "system-prompt.md")
      << "You are " << name << ", a short-spoken agent that measures things.\n";
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

Task<> measure_up(boost::asio::io_context& ioc) {
  Folder folder;
  write_agent(folder.path, "meter");
  const auto begun = BootClock::now();
  Program up(
      ioc,
      {"up", "--definitions", folder.path.string(), "--data", (folder.path / "data").string(),
       "--hub-port", "0", "--coordinator-port", "0", "--runner-port", "0", "--llm", "offline",
       "--ready-file", (folder.path / "ready").string()},
      {});
  const auto ready = co_await ready_document(folder.path / "ready");
  figure("up: start to ready", Seconds(BootClock::now() - begun).count() * 1000, "ms");
  figure("up: resident, idle (all services)", resident_mib(up.process->pid()), "MiB");
  const auto hub = string_field(ready, "hub").value_or("");
  const auto owner = key_of(folder.path / "data", "owner");
  net::HttpClient http(ioc.get_executor(), {});
  std::vector<double> took;
  for (int i = 0; i < kMentions; ++i) {
    const auto posted = BootClock::now();
    const auto id = co_await post(http, hub, owner, fmt::format("@meter how long is {}?", i));
    co_await wait_for_comment(http, hub, owner, id);
    took.push_back(Seconds(BootClock::now() - posted).count() * 1000);
  }
  figure("mention to answer, offline model, p50", percentile(took, 0.5), "ms");
  figure("mention to answer, offline model, p99", percentile(took, 0.99), "ms");
  figure("up: resident after 100 mentions", resident_mib(up.process->pid()), "MiB");
  co_await up.process->terminate(20s);
}

// Services apart: what each takes when idle, and a runner full of waiting activations.
Task<> measure_apart(boost::asio::io_context& ioc) {
  Folder folder;
  test::PrivateRedis redis;
  for (int i = 0; i < kWaiting; ++i)
    write_agent(folder.path, fmt::format("agent-{:04}", i));
  test::LlmSimulator::Options options;
  test::LlmSimulator model(ioc.get_executor(), options);
  model.start();
  model.script([](const test::LlmSimulator::Request&) {
    auto answer = test::LlmSimulator::Answer::say("measured");
    answer.delay = 30s;
    return answer;
  });
  const std::string admin = "botburrow_admin_bench";
  const std::string service = "botburrow_service_bench";
  const auto hub_url = std::string("http://127.0.0.1:18732");
  Program hub(ioc,
              {"hub", "--data", (folder.path / "hub").string(), "--hub-host", "127.0.0.1",
               "--hub-port", "18732"},
              {"HUB_ADMIN_KEY=" + admin});
  net::HttpClient http(ioc.get_executor(), {});
  for (const auto deadline = Deadline::in(20s); !deadline.passed();) {
    bool up = false;
    try {
      up = (co_await http.send({.url = hub_url + "/ready"})).status == 200;
    } catch (const Error&) {
    }
    if (up) break;
    co_await sleep_for(10ms);
  }
  const auto issue = [&](std::string name, std::string type) -> Task<std::string> {
    const auto answer = co_await http.send(hub_call(
        hub_url, admin, "POST", "/keys",
        to_json(json::value{{"name", name}, {"agent_type", type}, {"act_as", type == "service"}})));
    co_return string_field(parse_json(answer.body, "key"), "api_key").value_or("");
  };
  const auto service_key = co_await issue("bench-service", "service");
  const auto owner_key = co_await issue("bench-owner", "human");
  json::array agents;
  for (int i = 0; i < kWaiting; ++i)
    agents.push_back({{"name", fmt::format("agent-{:04}", i)}});
  co_await http.send(hub_call(hub_url, admin, "POST", "/agents/register/batch",
                              to_json(json::value{{"agents", std::move(agents)}})));
  const std::vector<std::string> variables{"HUB_URL=" + hub_url,
                                           "HUB_API_KEY=" + service_key,
                                           "REDIS_URL=" + redis.url(),
                                           "AGENT_DEFINITIONS_PATH=" + folder.path.string(),
                                           "ANTHROPIC_API_KEY=" + options.key,
                                           "ANTHROPIC_BASE_URL=" + model.url(),
                                           "MIN_ACTIVATION_INTERVAL=604800",
                                           "MAX_CONCURRENT_ACTIVATIONS=1000"};
  Program coordinator(ioc, {"coordinator", "--metrics-port", "0", "--metrics-host", "127.0.0.1"},
                      variables);
  Program runner(
      ioc,
      {"runner", "--metrics-port", "0", "--metrics-host", "127.0.0.1", "--mode", "notification"},
      variables);
  co_await sleep_for(3s);
  figure("hub: resident, idle", resident_mib(hub.process->pid()), "MiB");
  figure("coordinator: resident, idle", resident_mib(coordinator.process->pid()), "MiB");
  figure("runner: resident, idle", resident_mib(runner.process->pid()), "MiB");
  for (int at = 0; at < kWaiting; at += 10) {
    std::string text = "measure:";
    for (int i = at; i < at + 10; ++i)
      text += fmt::format(" @agent-{:04}", i);
    co_await post(http, hub_url, owner_key, text);
  }
  const auto begun = BootClock::now();
  co_await model.wait_for_requests(kWaiting, 60s);
  figure("1,000 activations: all waiting after", Seconds(BootClock::now() - begun).count(), "s");
  figure("runner: resident, 1,000 activations waiting", resident_mib(runner.process->pid()), "MiB");
  for (auto* program : {&runner, &coordinator, &hub})
    program->process->signal_group(9);
  for (auto* program : {&runner, &coordinator, &hub})
    co_await program->process->wait();
  co_await model.stop();
}

}  // namespace

int main() {
  boost::asio::io_context ioc;
  try {
    figure("program size", static_cast<double>(fs::file_size(BOTBURROW_PROGRAM)) / (1 << 20),
           "MiB");
    test::run_task(ioc, measure_up(ioc), 180s);
    test::run_task(ioc, measure_apart(ioc), 180s);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
}
