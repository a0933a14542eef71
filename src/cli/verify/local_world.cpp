#include "cli/verify/local_world.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"

#include <fmt/format.h>

#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace botburrow::cli::verify {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kLook = 50ms;
constexpr auto kLookAtPrograms = 250ms;
constexpr auto kCall = 10s;
constexpr std::size_t kReadMost = 64u << 10;

void write_file(const std::string& path, const std::string& text) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path) << text;
}

}  // namespace

// ---- Child -------------------------------------------------------------------------------------

Child::Child(boost::asio::any_io_executor executor, std::string name, net::ProcessOptions options)
    : name_(std::move(name)),
      process_(net::Process::spawn(executor, std::move(options))),
      tasks_(executor) {
  tasks_.spawn("out", [this] { return read_out(); });
  tasks_.spawn("err", [this] { return read_err(); });
  tasks_.spawn("end", [this] { return watch(); });
}

Task<> Child::read_out() {
  for (;;) {
    const auto bytes = co_await process_->read_stdout(kReadMost);
    if (bytes.empty()) co_return;
    text_ += bytes;
    partial_ += bytes;
    for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n')) {
      if (auto line = try_parse_json(partial_.substr(0, end)); line && line->is_object())
        lines_.push_back(std::move(line->as_object()));
      partial_.erase(0, end + 1);
    }
  }
}

Task<> Child::read_err() {
  for (;;) {
    const auto bytes = co_await process_->read_stderr(kReadMost);
    if (bytes.empty()) co_return;
    text_ += bytes;
  }
}

Task<> Child::watch() {
  status_ = co_await process_->wait();
}

std::vector<json::object> Child::events(std::string_view event) const {
  std::vector<json::object> found;
  for (const auto& line : lines_)
    if (string_field(line, "event") == event) found.push_back(line);
  return found;
}

void Child::signal(int number) {
  if (!ended()) process_->signal_group(number);
}

Task<> Child::kill() {
  signal(SIGKILL);
  co_await join();
}

Task<> Child::join() {
  co_await tasks_.join();
}

// ---- LocalWorld --------------------------------------------------------------------------------

LocalWorld::LocalWorld(const Ground& ground)
    : ground_(ground),
      model_key_("sk-verify-" + random_hex(16)),
      admin_key_("botburrow_admin_verify_" + random_hex(16)),
      redis_server_(ground.executor, folder_.path(), ground.random, Log::none(),
                    {.path = ground.environment.variable("PATH").value_or("")}),
      model_(ground.executor, model_key_),
      http_(ground.executor, {.user_agent = "botburrow-verify"}),
      tasks_(ground.executor) {}

Variables LocalWorld::environment(const Variables& more) const {
  Variables all = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                   {"HOME", folder_.path()},
                   {"LOG_FORMAT", "json"},
                   {"REDIS_URL", redis_server_.url()},
                   {"HUB_URL", hub_url_},
                   {"HUB_API_KEY", service_key_},
                   {"AGENT_DEFINITIONS_PATH", folder_.path() + "/definitions"},
                   {"METRICS_PORT", "0"},
                   {"METRICS_HOST", "127.0.0.1"},
                   {"POLL_INTERVAL", "2"},
                   {"MIN_ACTIVATION_INTERVAL", "604800"},
                   {"ACTIVATION_TIMEOUT", "20"},
                   {"LLM_TIMEOUT", "300"},
                   {"OPENAI_API_KEY", model_key_},
                   {"OPENAI_BASE_URL", model_.url()}};
  for (const auto& [name, value] : more)
    all[name] = value;
  return all;
}

net::ProcessOptions LocalWorld::process(std::vector<std::string> words,
                                        const Variables& more) const {
  net::ProcessOptions options{.argv = std::move(words), .die_with_parent = true};
  options.argv.insert(options.argv.begin(), fs::read_symlink("/proc/self/exe").string());
  for (const auto& [name, value] : environment(more))
    if (!value.empty()) options.environment.push_back(name + "=" + value);
  options.working_directory = folder_.path();
  return options;
}

Child& LocalWorld::launch(const std::string& name, std::vector<std::string> words, Variables more) {
  children_.push_back(
      std::make_unique<Child>(ground_.executor, name, process(std::move(words), more)));
  return *children_.back();
}

Task<net::ProcessResult> LocalWorld::run(std::vector<std::string> words, Variables more) {
  auto options = process(std::move(words), more);
  co_return co_await net::run_process(std::move(options), "", Deadline::in(30s));
}

net::ProcessOptions LocalWorld::other_process(std::vector<std::string> words) const {
  const auto path = ground_.environment.variable("PATH").value_or("");
  return {.argv = std::move(words),
          .environment = {"PATH=" + path, "HOME=" + folder_.path()},
          .working_directory = folder_.path(),
          .path_for_lookup = path,
          .die_with_parent = true};
}

Child& LocalWorld::launch_other(const std::string& name, std::vector<std::string> words) {
  children_.push_back(
      std::make_unique<Child>(ground_.executor, name, other_process(std::move(words))));
  return *children_.back();
}

Task<net::ProcessResult> LocalWorld::run_other(std::vector<std::string> words) {
  co_return co_await net::run_process(other_process(std::move(words)), "", Deadline::in(30s));
}

Task<> LocalWorld::start() {
  fs::create_directories(folder_.path() + "/definitions/agents");
  model_.start();
  co_await redis_server_.start();
  redis_ = std::make_unique<net::Redis>(ground_.executor, net::parse_redis_url(redis_url()),
                                        net::Redis::Options{.name = "botburrow-verify"},
                                        Log::none(), ground_.random);
  redis_->start();
  view_ = std::make_unique<queue::OperatorView>(*redis_, Log::none());
  hub = &launch("hub", {"hub", "--hub-port", "0", "--data", folder_.path() + "/hub"},
                {{"HUB_ADMIN_KEY", admin_key_},
                 {"API_HOST", "127.0.0.1"},
                 {"HUB_URL", ""},
                 {"HUB_RATE_ALL", "0"},
                 {"HUB_RATE_POSTS", "0"},
                 {"HUB_RATE_COMMENTS", "0"}});
  hub_url_ = string_field(co_await await_event(*hub, "hub_started"), "url").value_or("");
  const auto ready = [this]() -> Task<bool> {
    co_return (co_await get(hub_url_ + "/ready")).status == 200;
  };
  co_await until("the Hub is ready", ready);
  service_key_ = co_await make_key("verify-service", "service");
  owner_key_ = co_await make_key("verify-owner", "human");
  const auto client = [this](const std::string& key) {
    return std::make_unique<hubapi::HubClient>(
        http_, hubapi::HubClient::Options{.url = hub_url_, .service_key = Secret(key)},
        ground_.random, Log::none(), metrics_);
  };
  service_ = client(service_key_);
  owner_ = client(owner_key_);
  tasks_.spawn("programs", [this] { return watch_programs(); });
}

Task<> LocalWorld::watch_programs() {
  for (;;) {
    std::vector<int> services;
    for (const auto& child : children_)
      if (!child->ended()) services.push_back(child->pid());
    look_at_programs(services, secrets(), programs_seen_, programs_);
    co_await sleep_for(kLookAtPrograms);
  }
}

Task<> LocalWorld::stop() {
  co_await tasks_.stop();
  for (auto& child : children_)
    co_await child->kill();
  co_await model_.stop();
  if (redis_) co_await redis_->stop();
  co_await redis_server_.stop();
}

Task<> LocalWorld::until(std::string what, std::function<Task<bool>()> so,
                         std::chrono::seconds limit) {
  const auto deadline = Deadline::in(limit);
  std::string last;
  for (;;) {
    bool holds = false;
    try {
      holds = co_await so();
    } catch (const Error& error) {
      last = ": " + error.message();
    }
    if (holds) co_return;
    if (deadline.passed())
      throw Error(errc::timeout,
                  fmt::format("not so within {} s: {}{}", limit.count(), what, last));
    co_await sleep_for(kLook);
  }
}

Task<> LocalWorld::until_ready(Child& child) {
  const auto url = co_await url_of(child);
  const auto ready = [this, url]() -> Task<bool> {
    co_return (co_await get(url + "/ready")).status == 200;
  };
  co_await until(child.name() + " is ready", ready);
}

Task<> LocalWorld::until_at_rest() {
  const auto rest = [this]() -> Task<bool> {
    const auto census = co_await view_->census();
    co_return census.waiting == 0 && census.leased == 0;
  };
  co_await until("nothing waits or runs", rest, 60s);
}

Task<json::object> LocalWorld::await_event(Child& child, std::string event,
                                           std::chrono::seconds limit) {
  const auto there = [&child, &event]() -> Task<bool> { co_return !child.events(event).empty(); };
  co_await until(fmt::format("{} logs {}", child.name(), event), there, limit);
  co_return child.events(event).front();
}

Task<std::string> LocalWorld::url_of(Child& child) {
  const auto line = co_await await_event(child, "metrics_server_started");
  co_return string_field(line, "url").value_or("");
}

Task<net::HttpResponse> LocalWorld::admin(std::string method, std::string path, json::value body) {
  net::HttpRequest request{.method = std::move(method), .url = hub_url_ + "/api/v1" + path};
  request.headers = {{"Content-Type", "application/json"}, {"X-Admin-Key", admin_key_}};
  request.body = to_json(body);
  co_return co_await http_.send(std::move(request));
}

Task<net::HttpResponse> LocalWorld::get(std::string url, std::string key) {
  net::HttpRequest request{.url = std::move(url), .total_timeout = 3000ms};
  if (!key.empty()) request.headers = {{"Authorization", "Bearer " + key}};
  co_return co_await http_.send(std::move(request));
}

Task<net::HttpResponse> LocalWorld::post(std::string url) {
  net::HttpRequest request{.method = "POST", .url = std::move(url), .total_timeout = 3000ms};
  co_return co_await http_.send(std::move(request));
}

Task<std::string> LocalWorld::make_key(std::string name, std::string type) {
  const json::object body = {{"name", name}, {"agent_type", type}};
  const auto answer = co_await admin("POST", "/keys", body);
  if (answer.status != 201)
    throw Error(errc::http_status, fmt::format("POST /keys answers {}", answer.status));
  co_return string_field(parse_json(answer.body, "POST /keys"), "api_key").value_or("");
}

Task<> LocalWorld::register_agent(std::string name) {
  const json::object body = {{"name", name}, {"type", "native"}};
  const auto answer = co_await admin("POST", "/agents/register", body);
  if (answer.status != 201)
    throw Error(errc::http_status, fmt::format("registering {}: {}", name, answer.status));
  const auto info = co_await service_->agent(name, Deadline::in(kCall));
  if (info) ids_[name] = info->id.str();
}

void LocalWorld::write_definition(const std::string& name, const AgentPlan& plan) {
  const auto where = folder_.path() + "/definitions/agents/" + name;
  write_file(where + "/config.yaml",
             fmt::format("version: \"1.0.0\"\nname: {}\ntype: {}\n"
                         "brain:\n  provider: openai\n  model: {}\n  max_tokens: 512\n"
                         "capabilities:\n  grants: [{}]\n  mcp_servers: [{}]\nbehavior:\n{}"
                         "  limits: {{min_interval_seconds: 0, max_daily_comments: 500, "
                         "max_responses_per_thread: 50}}\n",
                         name, plan.type, plan.model, plan.grants, plan.servers, plan.behavior));
  write_file(where + "/system-prompt.md", fmt::format("You are {}.\n", name));
}

Task<> LocalWorld::define(const std::string& name, AgentPlan plan) {
  write_definition(name, plan);
  co_await register_agent(name);
}

Task<std::string> LocalWorld::ask(std::string text) {
  // The Hub takes the same text twice for one post that was sent again.
  text += fmt::format(" (question {})", ++asked_);
  const auto written = co_await owner_->create_post(
      AgentId(""), {.content = std::move(text), .title = "", .community = "general"}, {},
      Deadline::in(kCall));
  co_return written.id;
}

Task<std::size_t> LocalWorld::answers(std::string post, std::string agent) {
  const auto thread = co_await owner_->thread(AgentId(""), post, Deadline::in(kCall));
  std::size_t count = 0;
  if (!thread) co_return count;
  for (const auto& comment : thread->comments)
    count += comment.author.name == agent ? 1 : 0;
  co_return count;
}

Task<std::size_t> LocalWorld::unread(std::string agent) {
  const auto id = ids_.contains(agent) ? ids_.at(agent) : agent;
  co_return (co_await service_->unread(AgentId(id), 100, Deadline::in(kCall))).size();
}

Task<> LocalWorld::until_answered(std::string post, std::string agent, std::chrono::seconds limit) {
  const auto there = [&]() -> Task<bool> { co_return co_await answers(post, agent) >= 1; };
  co_await until(fmt::format("{} answers {}", agent, post), there, limit);
}

Task<std::int64_t> LocalWorld::redis_number(net::Redis::Args words) {
  const auto reply = co_await redis_->command(std::move(words));
  co_return reply.integer();
}

Task<std::string> LocalWorld::redis_text(net::Redis::Args words) {
  const auto reply = co_await redis_->command(std::move(words));
  co_return reply.is_nil() ? "" : reply.str();
}

Task<double> LocalWorld::metric(Child& child, std::string name) {
  const auto answer = co_await get(co_await url_of(child) + "/metrics");
  double sum = 0;
  for (std::size_t at = 0; at < answer.body.size();) {
    auto end = answer.body.find('\n', at);
    if (end == std::string::npos) end = answer.body.size();
    const auto line = answer.body.substr(at, end - at);
    at = end + 1;
    if (line.starts_with(name) && (line[name.size()] == ' ' || line[name.size()] == '{'))
      sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
  }
  co_return sum;
}

std::vector<Child*> LocalWorld::children() {
  std::vector<Child*> all;
  for (auto& child : children_)
    all.push_back(child.get());
  return all;
}

std::vector<std::string> LocalWorld::secrets() const {
  return {model_key_, admin_key_, service_key_, owner_key_};
}

}  // namespace botburrow::cli::verify
