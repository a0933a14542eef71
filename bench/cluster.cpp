#include "bench/cluster.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/json.hpp"

#include <fmt/format.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace botburrow::bench {

using namespace std::chrono_literals;

namespace {

constexpr const char* kAdminKey = "botburrow_admin_bench";

int free_port() {
  const net::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.get(), generic, size) != 0 || ::getsockname(socket.get(), generic, &size) != 0)
    throw Error(errc::io, "no free port");
  return ntohs(address.sin_port);
}

}  // namespace

Memory memory_of(int pid) {
  Memory memory;
  std::ifstream rollup(fmt::format("/proc/{}/smaps_rollup", pid));
  for (std::string line; std::getline(rollup, line);) {
    std::istringstream words(line);
    std::string name;
    double kib = 0;
    words >> name >> kib;
    if (name == "Rss:") memory.resident += kib / 1024;
    if (name == "Pss:") memory.proportional += kib / 1024;
    if (name == "Private_Clean:" || name == "Private_Dirty:") memory.private_part += kib / 1024;
  }
  return memory;
}

double cpu_seconds_of(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  // The name, which may hold anything, ends at the last bracket; user time is the 12th word after.
  std::istringstream words(text.substr(text.rfind(')') + 1));
  std::string word;
  for (int i = 0; i < 11; ++i)
    words >> word;
  double user = 0, system = 0;
  words >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

Service::Service(boost::asio::io_context& ioc, std::vector<std::string> words,
                 std::vector<std::string> variables) {
  words.insert(words.begin(), BOTBURROW_PROGRAM);
  process_ = net::Process::spawn(ioc.get_executor(),
                                 {.argv = std::move(words),
                                  .environment = service_environment(std::move(variables)),
                                  .die_with_parent = true});
}

Task<> Service::kill() {
  process_->signal_group(9);
  co_await process_->wait();
}

std::vector<std::string> service_environment(std::vector<std::string> more) {
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

void write_agent(const std::filesystem::path& root, const std::string& name) {
  std::filesystem::create_directories(root / "agents" / name);
  std::ofstream(root / "agents" / name / "config.yaml")
      << "name: " << name
      << "\ntype: native\nbrain:\n  provider: anthropic\n  model: claude-sonnet-4-20250514\n"
      << "capabilities:\n  grants: [hub:read, hub:write]\n"
      << "behavior:\n  limits:\n    max_daily_comments: 100000\n    max_responses_per_thread: "
         "1000\n    min_interval_seconds: 0\n";
  std::ofstream(root / "agents" / name / "system-prompt.md")
      << "You are " << name << ", a short-spoken agent that measures things.\n";
}

Cluster::Cluster(boost::asio::io_context& ioc, Options options)
    : ioc_(ioc),
      options_(std::move(options)),
      model_(ioc.get_executor(), model_options_),
      http_(ioc.get_executor(), {}) {
  for (int i = 0; i < options_.agents; ++i)
    write_agent(folder_.path(), agent(i));
  model_.start();
}

std::string Cluster::agent(int number) const {
  return fmt::format("agent-{:04}", number);
}

Task<net::HttpResponse> Cluster::hub(std::string method, std::string path, std::string key,
                                     std::string body) {
  net::HttpRequest request{
      .method = std::move(method),
      .url = hub_url_ + "/api/v1" + path,
      .headers = {{"Authorization", "Bearer " + key}, {"Content-Type", "application/json"}},
      .body = std::move(body)};
  co_return co_await http_.send(std::move(request));
}

Task<> Cluster::wait_for_hub() {
  for (const auto deadline = Deadline::in(20s); !deadline.passed();) {
    bool up = false;
    try {
      up = (co_await http_.send({.url = hub_url_ + "/ready"})).status == 200;
    } catch (const Error&) {
    }
    if (up) co_return;
    co_await sleep_for(10ms);
  }
  throw Error(errc::timeout, "the Hub did not become ready");
}

Task<std::string> Cluster::issue(std::string name, std::string type) {
  const auto answer = co_await hub(
      "POST", "/keys", kAdminKey,
      to_json(json::value{{"name", name}, {"agent_type", type}, {"act_as", type == "service"}}));
  co_return string_field(parse_json(answer.body, "key"), "api_key").value_or("");
}

Task<> Cluster::start_hub() {
  const int port = free_port();
  hub_url_ = fmt::format("http://127.0.0.1:{}", port);
  hub_ = std::make_unique<Service>(
      ioc_,
      std::vector<std::string>{"hub", "--data", folder_.file("hub"), "--hub-host", "127.0.0.1",
                               "--hub-port", std::to_string(port)},
      std::vector<std::string>{fmt::format("HUB_ADMIN_KEY={}", kAdminKey)});
  co_await wait_for_hub();
  service_key_ = co_await issue("bench-service", "service");
  owner_key_ = co_await issue("bench-owner", "human");
  json::array agents;
  for (int i = 0; i < options_.agents; ++i)
    agents.push_back({{"name", agent(i)}});
  co_await hub("POST", "/agents/register/batch", kAdminKey,
               to_json(json::value{{"agents", std::move(agents)}}));
}

std::vector<std::string> Cluster::variables() const {
  return {"HUB_URL=" + hub_url_,
          "HUB_API_KEY=" + service_key_,
          "REDIS_URL=" + redis_.url(),
          "AGENT_DEFINITIONS_PATH=" + folder_.path().string(),
          "ANTHROPIC_API_KEY=" + model_options_.key,
          "ANTHROPIC_BASE_URL=" + model_.url(),
          "MIN_ACTIVATION_INTERVAL=604800",
          "LOG_LEVEL=" + options_.log_level,
          fmt::format("MAX_CONCURRENT_ACTIVATIONS={}", options_.slots)};
}

void Cluster::start_coordinator() {
  coordinator_ = std::make_unique<Service>(
      ioc_,
      std::vector<std::string>{"coordinator", "--metrics-port", "0", "--metrics-host", "127.0.0.1"},
      variables());
}

void Cluster::start_runner() {
  runner_ = std::make_unique<Service>(
      ioc_,
      std::vector<std::string>{"runner", "--metrics-port", "0", "--metrics-host", "127.0.0.1",
                               "--mode", "notification"},
      variables());
}

Task<> Cluster::stop_coordinator() {
  co_await coordinator_->kill();
  coordinator_.reset();
}

Task<> Cluster::stop_runner() {
  co_await runner_->kill();
  runner_.reset();
}

Task<> Cluster::stop() {
  for (auto* service : {&runner_, &coordinator_, &hub_})
    if (*service) co_await (*service)->kill();
  co_await model_.stop();
}

Task<std::string> Cluster::mention(int from, int to, std::string text) {
  for (int i = from; i < to; ++i)
    text += fmt::format(" @{}", agent(i));
  const auto answer =
      co_await hub("POST", "/posts", owner_key_,
                   to_json(json::value{{"content", text}, {"community", "general"}}));
  if (!answer.ok()) throw Error(errc::http_status, "post: " + answer.body);
  co_return string_field(parse_json(answer.body, "post"), "id").value_or("");
}

void FigureList::add(const std::string& name, double value, const std::string& unit) {
  std::printf("%-52s %12.2f %s\n", name.c_str(), value, unit.c_str());
  std::fflush(stdout);
  all_.push_back({{"name", name}, {"value", value}, {"unit", unit}});
}

json::array FigureList::to_document() const {
  return all_;
}

}  // namespace botburrow::bench
