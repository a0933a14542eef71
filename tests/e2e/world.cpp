#include "world.hpp"

#include "base/error.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace botburrow::e2e {
namespace {

constexpr const char* kModelKey = "sk-test-canary-anthropic-0123456789";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

std::string tail(const std::string& text, std::size_t bytes) {
  return text.size() <= bytes ? text : "…" + text.substr(text.size() - bytes);
}

}  // namespace

json::value Ran::json() const {
  return parse_json(out, "standard output");
}
std::vector<std::string> Ran::err_lines() const {
  return lines_of(err);
}

World::World() {
  environment_ = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                  {"HOME", folder_.file("home")},
                  {"TMPDIR", folder_.file("tmp")},
                  {"LANG", "C.UTF-8"},
                  {"METRICS_HOST", "127.0.0.1"},
                  {"API_HOST", "127.0.0.1"},
                  // Short, so that what a killed process held comes back within the test.
                  {"LEASE_SECONDS", "3"},
                  {"LEADER_LEASE_SECONDS", "3"},
                  {"HUB_RATE_COMMENTS", "0"}};
  std::filesystem::create_directories(folder_.file("home"));
  std::filesystem::create_directories(folder_.file("tmp"));
  std::filesystem::create_directories(folder_.file("definitions/agents"));
  http_ = std::make_unique<net::HttpClient>(io_.get_executor(), net::HttpClient::Options{});
}

World::~World() {
  programs_.clear();
  if (model_) test::run_task(io_, [this] { return model_->stop(); });
}

void World::TearDown() {
  for (auto& kept : programs_) {
    if (!kept.program->ended()) kept.program->kill9();
  }
  check_output();
  if (HasFailure()) show_output();
}

// The services' logs and the last commands: what a person would look at first.
void World::show_output() const {
  constexpr std::size_t kLastCommands = 4;
  std::size_t commands_left = 0;
  for (const auto& kept : programs_)
    commands_left += kept.service ? 0 : 1;
  for (const auto& kept : programs_) {
    if (!kept.service && commands_left-- > kLastCommands) continue;
    const auto words = fmt::format("{}", fmt::join(kept.program->arguments(), " "));
    std::fprintf(stderr, "---- %s\n%s\n%s\n", words.c_str(),
                 tail(kept.program->out(), 6000).c_str(), tail(kept.program->err(), 2000).c_str());
  }
}

// What an operator ships to a log store must hold no secret, and a service's log is JSON lines.
void World::check_output() const {
  auto secrets = secrets_;
  if (const auto keys = try_parse_json(folder_.read(data_name_ + "/keys.json"))) {
    for (const auto& entry : keys->as_object())
      secrets.emplace_back(entry.value().as_string());
  }
  for (const auto& kept : programs_) {
    const auto& program = *kept.program;
    const auto words = fmt::format("{}", fmt::join(program.arguments(), " "));
    for (const auto& secret : secrets) {
      EXPECT_EQ(program.out().find(secret), std::string::npos) << words << " printed a secret";
      EXPECT_EQ(program.err().find(secret), std::string::npos) << words << " printed a secret";
    }
    if (!kept.service) continue;
    // With --json standard output is the answer, and the log stands on the other one.
    const bool answers = std::ranges::count(program.arguments(), "--json") > 0;
    const auto& log = answers ? program.err() : program.out();
    auto lines = lines_of(log);
    // Killed in the middle of a line.
    if (!log.empty() && !log.ends_with('\n')) lines.pop_back();
    for (const auto& line : lines) {
      const auto value = try_parse_json(line);
      ASSERT_TRUE(value && value->is_object()) << words << " printed: " << line;
      const auto& entry = value->as_object();
      for (const auto* field : {"timestamp", "level", "event"})
        EXPECT_TRUE(entry.contains(field)) << words << " printed: " << line;
      for (const auto* field :
           {"service", "runner_id", "instance_id", "activation_id", "agent_id"}) {
        const auto key = fmt::format(",\"{}\":\"", field);
        EXPECT_EQ(line.find(key), line.rfind(key)) << words << " names it twice: " << line;
      }
    }
  }
}

std::string World::secret(std::string text) {
  secrets_.push_back(text);
  return text;
}

void World::define_agent(const std::string& name, const AgentText& text) {
  const auto where = "definitions/agents/" + name;
  folder_.write(where + "/config.yaml",
                fmt::format("version: \"1.0.0\"\n"
                            "name: {}\n"
                            "type: {}\n"
                            "brain:\n  provider: anthropic\n  model: claude-sonnet-4-20250514\n"
                            "  max_tokens: 512\n{}"
                            "capabilities:\n  grants: [{}]\n{}"
                            "behavior:\n{}"
                            "  limits: {{min_interval_seconds: {}, max_daily_comments: 500, "
                            "max_responses_per_thread: 20}}\n",
                            name, text.type, text.brain, text.grants, text.capabilities,
                            text.behavior, text.min_interval));
  folder_.write(where + "/system-prompt.md", fmt::format("You are {}.\n", name));
}

test::LlmSimulator& World::use_model() {
  model_ = std::make_unique<test::LlmSimulator>(
      io_.get_executor(), test::LlmSimulator::Options{.key = secret(kModelKey)});
  model_->script(
      [](const auto&) { return test::LlmSimulator::Answer::say("A simulated answer."); });
  model_->start();
  set("ANTHROPIC_API_KEY", kModelKey);
  set("ANTHROPIC_BASE_URL", model_->url());
  return *model_;
}

Variables World::environment_of(Variables more) const {
  auto all = environment_;
  for (auto& [name, value] : more)
    all[name] = std::move(value);
  return all;
}

Program& World::launch(Program::Options options, bool service) {
  auto program = std::make_unique<Program>(io_, std::move(options));
  programs_.push_back({.program = std::move(program), .service = service});
  return *programs_.back().program;
}

std::string World::program_path() {
  const char* other = std::getenv("BOTBURROW_TEST_PROGRAM");
  return other != nullptr ? other : BOTBURROW_PROGRAM;
}

Program& World::start(Words words, Variables more) {
  return launch({.path = program_path(),
                 .arguments = std::move(words),
                 .environment = environment_of(std::move(more)),
                 .folder = folder_.path().string()},
                true);
}

Program& World::start_after(const std::string& commands, Words words, Variables more) {
  words.insert(words.begin(), {"-c", commands + "; exec \"$0\" \"$@\"", program_path()});
  return launch({.path = "/bin/sh",
                 .arguments = std::move(words),
                 .environment = environment_of(std::move(more)),
                 .folder = folder_.path().string()},
                true);
}

Ran World::run(Words words, Variables more, std::chrono::seconds limit) {
  auto& program = launch({.path = program_path(),
                          .arguments = std::move(words),
                          .environment = environment_of(std::move(more)),
                          .folder = folder_.path().string()},
                         false);
  const int code = program.wait(limit);
  return {.code = code, .out = program.out(), .err = program.err()};
}

Ran World::run_other(const std::string& path, Words words, Variables more,
                     std::chrono::seconds limit) {
  auto& program = launch({.path = path,
                          .arguments = std::move(words),
                          .environment = environment_of(std::move(more)),
                          .folder = folder_.path().string()},
                         false);
  const int code = program.wait(limit);
  return {.code = code, .out = program.out(), .err = program.err()};
}

json::value World::ask(Words words, Variables more) {
  const auto name = fmt::format("{}", fmt::join(words, " "));
  const auto ran = run(std::move(words), std::move(more));
  if (ran.code != 0)
    throw std::runtime_error(fmt::format("{}: exit {}: {}{}", name, ran.code, ran.out, ran.err));
  return ran.json();
}

Program& World::up(Words more_words, Variables more) {
  const auto file = folder_.file("ready.json");
  std::filesystem::remove(file);
  Words words = {"up", "--definitions",      definitions(), "--data",        data(), "--hub-port",
                 "0",  "--coordinator-port", "0",           "--runner-port", "0",    "--ready-file",
                 file};
  words.insert(words.end(), more_words.begin(), more_words.end());
  auto& program = start(std::move(words), std::move(more));
  eventually("up is ready", [&] {
    if (program.ended()) throw std::runtime_error("up ended: " + program.err());
    return std::filesystem::exists(file);
  });
  ready_ = parse_json(folder_.read("ready.json"), "ready file").as_object();
  return program;
}

std::string World::post(const std::string& text) {
  return text_of(ask({"hub", "post", "--data", data(), "--as", "owner", "--community", "general",
                      text, "--json"}),
                 "id");
}

json::value World::thread(const std::string& id) {
  return ask({"hub", "thread", "--data", data(), id, "--json"});
}

void World::eventually(const std::string& what, const std::function<bool()>& condition,
                       std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end)
      throw std::runtime_error(fmt::format("not within {} s: {}", limit.count(), what));
    if (io_.stopped()) io_.restart();
    io_.run_for(20ms);
  }
}

json::object World::await_event(Program& program, const std::string& event,
                                std::function<bool(const json::object&)> fits,
                                std::chrono::seconds limit) {
  json::object found;
  eventually(
      "log event " + event,
      [&] {
        for (auto& line : program.events(event)) {
          if (fits && !fits(line)) continue;
          found = std::move(line);
          return true;
        }
        if (program.ended())
          throw std::runtime_error("ended before " + event + ": " + program.err());
        return false;
      },
      limit);
  return found;
}

net::HttpResponse World::http(net::HttpRequest request) {
  return test::run_task(io_, [&] { return http_->send(std::move(request)); });
}

net::HttpResponse World::get(const std::string& url) {
  return http({.url = url});
}

std::vector<std::string> World::redis_cli(const std::string& url, Words words) {
  const auto address = net::parse_redis_url(url);
  Words all = address.transport == net::RedisAddress::Transport::unix_socket
                  ? Words{"-s", address.path}
                  : Words{"-h", address.host, "-p", std::to_string(address.port)};
  all.insert(all.end(), words.begin(), words.end());
  Variables more;
  if (!address.password.empty()) more["REDISCLI_AUTH"] = address.password.reveal();
  const auto ran = run_other("redis-cli", std::move(all), more);
  if (ran.code != 0) throw std::runtime_error("redis-cli: " + ran.out + ran.err);
  return lines_of(ran.out);
}

std::string World::redis_line(const std::string& url, Words words) {
  const auto lines = redis_cli(url, std::move(words));
  return lines.empty() ? "" : lines.front();
}

std::string text_of(const json::value& object, std::string_view field) {
  return string_field(object, field).value_or("");
}

std::vector<json::object> answers_of(const json::value& thread, const std::string& author) {
  std::vector<json::object> found;
  for (const auto& comment : array_field(thread, "comments")) {
    if (text_of(comment.at("author"), "name") == author) found.push_back(comment.as_object());
  }
  return found;
}

std::vector<std::string> processes_named(const std::string& word) {
  std::vector<std::string> found;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos ||
        name == std::to_string(::getpid()))
      continue;
    std::ostringstream text;
    text << std::ifstream(entry.path() / "cmdline").rdbuf();
    if (text.str().find(word) != std::string::npos) found.push_back(name);
  }
  return found;
}

struct TakenPort::Acceptor {
  boost::asio::ip::tcp::acceptor acceptor;
};

TakenPort::TakenPort(boost::asio::io_context& io) {
  using boost::asio::ip::tcp;
  acceptor_ = std::make_unique<Acceptor>(
      Acceptor{tcp::acceptor(io, {boost::asio::ip::make_address("127.0.0.1"), 0}, false)});
  number_ = acceptor_->acceptor.local_endpoint().port();
}
TakenPort::~TakenPort() = default;

int closed_port(boost::asio::io_context& io) {
  return TakenPort(io).number();
}

}  // namespace botburrow::e2e
