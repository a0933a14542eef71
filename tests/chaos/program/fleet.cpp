#include "tests/chaos/program/fleet.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/run_task.hpp"

#include <fmt/format.h>

#include <signal.h>

#include <algorithm>

namespace botburrow::chaos {

using namespace std::chrono_literals;
using test::Program;
using Ms = std::chrono::milliseconds;

namespace {

constexpr const char* kModelKey = "simulated-key";
/// An agent that only the timing of failovers mentions.
constexpr const char* kProbe = "probe";

std::string config_of(const std::string& name) {
  return fmt::format(
      "version: \"1.0.0\"\nname: {}\ntype: native\n"
      "brain:\n  provider: anthropic\n  model: claude-sonnet-4-20250514\n  max_tokens: 512\n"
      "capabilities:\n  grants: [hub:read, hub:write]\n"
      "behavior:\n  limits: {{min_interval_seconds: 0, max_daily_comments: 100000, "
      "max_responses_per_thread: 20}}\n",
      name);
}

/// The newest token that stands in what the model is asked: the mention it is about.
std::string token_in(const std::string& text) {
  const auto at = text.rfind("mention-");
  return at == std::string::npos ? "other" : text.substr(at, 14);
}

double seconds_now() {
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

std::vector<std::string> preload(const Programs& programs, const ClockOffset& clock) {
  if (programs.clockshim.empty()) return {};
  return {"LD_PRELOAD=" + programs.clockshim, "BB_CLOCK_FILE=" + clock.path()};
}

}  // namespace

Fleet::Fleet(Profile profile, Programs programs)
    : profile_(std::move(profile)),
      programs_(std::move(programs)),
      redis_clock_(std::make_unique<ClockOffset>(folder_.file("redis.clock"))),
      redis_({.appendonly = true, .tcp = true, .environment = preload(programs_, *redis_clock_)}),
      http_(io_.get_executor(), {.connections_idle_max = 0}),
      admin_key_("botburrow_admin_" + random_hex(16)) {
  environment_ = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                  {"HOME", folder_.file("home")},
                  {"TMPDIR", folder_.file("tmp")},
                  {"METRICS_HOST", "127.0.0.1"},
                  {"API_HOST", "127.0.0.1"},
                  {"LEASE_SECONDS", "3"},
                  {"LEADER_LEASE_SECONDS", "3"},
                  {"POLL_INTERVAL", "3"},
                  {"HUB_POLL_LEASE_S", "3"},
                  // Kills are drawn blindly: three on one item say nothing about that item.
                  {"MAX_CRASH_ATTEMPTS", "20"},
                  {"MAX_CONCURRENT_ACTIVATIONS", "4"},
                  {"DAILY_TOKEN_LIMIT", "0"},
                  {"MONTHLY_COST_LIMIT", "0"},
                  {"HUB_DEFAULT_MONTHLY_USD", "0"},
                  {"HUB_RATE_COMMENTS", "0"},
                  {"HUB_RATE_ALL", "0"},
                  {"HUB_RATE_POSTS", "0"},
                  {"HUB_RATE_HOOKS", "0"},
                  {"AGENT_DEFINITIONS_PATH", folder_.file("definitions")}};
  for (const auto& [name, value] : profile_.settings)
    environment_[name] = value;
  define_agents();
  for (int n = 0; n < kCoordinators; ++n) {
    const auto name = fmt::format("coordinator-{}", n);
    coordinators_.push_back(
        {.name = name, .words = {"coordinator"}, .more = {{"INSTANCE_ID", name}}});
  }
  for (int n = 0; n < profile_.runners; ++n) {
    const auto name = fmt::format("runner-{}", n);
    runners_.push_back({.name = name, .words = {"runner"}, .more = {{"RUNNER_ID", name}}});
  }
}

Fleet::~Fleet() {
  for (auto* service : everybody()) {
    service->program.reset();
    service->redis.reset();
    service->hub.reset();
    service->model.reset();
  }
  if (model_) test::run_task(io_, [this] { return model_->stop(); });
}

std::vector<Service*> Fleet::everybody() {
  std::vector<Service*> all;
  for (auto& service : runners_)
    all.push_back(&service);
  for (auto& service : coordinators_)
    all.push_back(&service);
  all.push_back(&hub_);
  return all;
}

void Fleet::define_agents() {
  for (const auto* name : {"home", "tmp", "definitions/agents"})
    std::filesystem::create_directories(folder_.path() / name);
  for (int n = 0; n < profile_.agents; ++n)
    agents_.push_back(fmt::format("agent{:02}", n));
  auto all = agents_;
  all.emplace_back(kProbe);
  for (const auto& name : all) {
    folder_.write("definitions/agents/" + name + "/config.yaml", config_of(name));
    folder_.write("definitions/agents/" + name + "/system-prompt.md", "You answer.\n");
  }
}

void Fleet::start() {
  start_model();
  start_hub();
  start_services();
}

void Fleet::start_model() {
  model_ = std::make_unique<test::LlmSimulator>(
      io_.get_executor(), test::LlmSimulator::Options{.key = kModelKey, .keep_bodies = false});
  model_->script([this](const test::LlmSimulator::Request& request) {
    const auto token = token_in(request.raw_body);
    ++model_calls_[token];
    failovers_.model_asked(token, seconds_now());
    auto answer = test::LlmSimulator::Answer::say(fmt::format("Answer number {}.", ++number_));
    const auto spread =
        std::max<std::int64_t>(1, (profile_.think_most - profile_.think_least).count());
    answer.delay = profile_.think_least + Ms(number_ * 37 % spread);
    if (stumbling_.erase(token) > 0) return test::LlmSimulator::Answer::error(400);
    if (poison_.contains(token)) {
      answer.delay = 5s;
      later(0ms, [this, token] { kill_poisoned(token); });
    }
    return answer;
  });
  model_->start();
}

std::string Fleet::issue_key(const char* name, const char* type) {
  const auto answer = hub_call("POST", "/keys", admin_key_, {{"name", name}, {"agent_type", type}});
  if (!answer) throw std::runtime_error("the Hub issued no key");
  return string_field(*answer, "api_key").value_or("");
}

void Fleet::start_hub() {
  hub_.name = "hub";
  hub_.port = test::free_port();
  hub_.words = {"hub", "--hub-port", std::to_string(hub_.port), "--data", folder_.file("data")};
  hub_.more = {{"HUB_ADMIN_KEY", admin_key_}};
  hub_.clock = std::make_unique<ClockOffset>(folder_.file("hub.clock"));
  hub_url_ = fmt::format("http://127.0.0.1:{}", hub_.port);
  launch(hub_);
  const bool up = test::run_until(
      io_, [&] { return hub_.program->ended() || !hub_.program->events("hub_started").empty(); });
  if (!up || hub_.program->ended())
    throw std::runtime_error("the Hub did not start: " + hub_.program->out());
  const auto ready = Clock::now() + 20s;
  while (!hub_call("GET", "/system/generation", admin_key_) && Clock::now() < ready)
    test::run_until(io_, [] { return false; }, 50ms);
  service_key_ = issue_key("runners", "service");
  owner_key_ = issue_key("owner", "human");
  auto all = agents_;
  all.emplace_back(kProbe);
  for (const auto& name : all) {
    if (!hub_call("POST", "/agents/register", admin_key_, {{"name", name}, {"type", "native"}}))
      throw std::runtime_error("the Hub did not register " + name);
  }
}

void Fleet::wire_up(Service& service, std::size_t number) {
  const auto wire = [&](int port) {
    return std::make_unique<test::FaultProxy>(test::FaultProxy::to_tcp(io_.get_executor(), port));
  };
  service.redis = wire(redis_.port());
  service.hub = wire(hub_.port);
  service.model = wire(model_->port());
  service.hub->witness([this, number](std::size_t link, test::Way way, std::string_view bytes) {
    tap_.see(number, link, way, bytes);
  });
  service.port = test::free_port();
  service.clock = std::make_unique<ClockOffset>(folder_.file(service.name + ".clock"));
  service.more["METRICS_PORT"] = std::to_string(service.port);
  service.more["REDIS_URL"] = service.redis->redis_url();
  service.more["HUB_URL"] = service.hub->http_url();
  service.more["ANTHROPIC_BASE_URL"] = service.model->http_url();
}

void Fleet::start_services() {
  environment_["HUB_API_KEY"] = service_key_;
  environment_["ANTHROPIC_API_KEY"] = kModelKey;
  std::size_t number = 0;
  for (auto* group : {&coordinators_, &runners_}) {
    for (auto& service : *group) {
      wire_up(service, number++);
      launch(service);
    }
  }
}

void Fleet::launch(Service& service) {
  auto all = environment_;
  for (const auto& [name, value] : service.more)
    all[name] = value;
  for (const auto& pair : preload(programs_, *service.clock))
    all[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
  service.past = service.printed();
  service.program.reset();
  service.asked = Service::End::none;
  service.restart.reset();
  ++service.life;
  auto words = service.launcher;
  words.push_back(programs_.botburrow);
  words.insert(words.end(), service.words.begin(), service.words.end());
  service.program =
      std::make_unique<Program>(io_, Program::Options{.path = words.front(),
                                                      .arguments = {words.begin() + 1, words.end()},
                                                      .environment = std::move(all),
                                                      .folder = folder_.path()});
}

void Fleet::later(Ms in, std::function<void()> act) {
  due_.push_back({Clock::now() + in, std::move(act)});
}

void Fleet::turn() {
  if (io_.stopped()) io_.restart();
  io_.run_for(5ms);
  const auto now = Clock::now();
  auto waiting = std::exchange(due_, {});
  for (auto& entry : waiting) {
    if (entry.at <= now)
      entry.act();
    else
      due_.push_back(std::move(entry));
  }
  for (auto* service : everybody())
    supervise(*service, now);
  for (auto& owed : std::exchange(owed_, {})) {
    if (owed.not_before > now || !post(owed)) {
      if (owed.not_before <= now) owed.not_before = now + 200ms;
      owed_.push_back(std::move(owed));
    }
  }
  if (now >= next_look_) look();
}

// Starts what has ended, and notes what ended without being asked to, or not as it should.
void Fleet::supervise(Service& service, Clock::time_point now) {
  if (!service.program->ended()) return;
  if (service.restart) {
    if (*service.restart <= now) launch(service);
    return;
  }
  service.restart = now + profile_.restart_after;
  const int code = service.program->exit_code().value_or(0);
  // A process may be told to end before it has begun, and said a word.
  const bool not_begun =
      code == 128 + SIGTERM && service.program->out().empty() && service.program->err().empty();
  const bool well = service.asked == Service::End::killed ||
                    (service.asked == Service::End::drained && (code == 0 || not_begun));
  if (!well && ended_badly_.size() < 10) {
    ended_badly_.push_back(
        fmt::format("{} ended {} with {}: {}", service.name,
                    service.asked == Service::End::none ? "by itself" : "its drain", code,
                    service.program->err()));
  }
}

void Fleet::mention(int agent) {
  const auto& name = agents_[static_cast<std::size_t>(agent) % agents_.size()];
  if (profile_.stumbling) {
    stumbling_.insert(fmt::format("mention-{:06}", posted_ + 1));
    mention(name);
  }
  mention(name);
}

// On an agent that nobody else mentions, so that the item holds nothing but the poison.
void Fleet::mention_poisoned() {
  if (agents_.size() < 2) return;
  const auto agent = agents_.back();
  agents_.pop_back();
  mention(agent, true);
}

void Fleet::mention(const std::string& agent, bool poison) {
  Mention mention{
      .agent = agent, .token = fmt::format("mention-{:06}", ++posted_), .poison = poison};
  if (poison) poison_.insert(mention.token);
  Owed owed{.mention = std::move(mention), .key = random_hex(32), .not_before = {}};
  if (!post(owed)) owed_.push_back(std::move(owed));
}

bool Fleet::post(const Owed& owed) {
  const auto& mention = owed.mention;
  const auto answer = hub_call(
      "POST", "/posts", owner_key_,
      {{"content", fmt::format("@{} {}?", mention.agent, mention.token)}, {"community", "general"}},
      owed.key);
  if (!answer) return false;
  auto done = mention;
  done.post = string_field(*answer, "id").value_or("");
  mentions_.push_back(std::move(done));
  return true;
}

void Fleet::look() {
  const auto reply = ask({"EVAL", std::string(sample_script()), "0"});
  next_look_ = Clock::now() + 10ms;
  if (!reply) return;
  const auto& parts = reply->array();
  const auto& numbers = parts.at(0).array();
  const auto at = [&](std::size_t n) { return std::stoll(numbers.at(n).str()); };
  QueueSample sample{.enqueued = at(0), .done = at(1), .dead_items = at(2)};
  sample.twice = at(3);
  sample.queued = at(4);
  sample.leases = at(5);
  sample.active = at(6);
  sample.fence = at(7);
  sample.epoch = at(8);
  sample.generation = numbers.at(9).str();
  const auto& held = parts.at(1).array();
  for (std::size_t n = 0; n + 1 < held.size(); n += 2)
    sample.held[held[n].str()] = held_of(held[n + 1].str());
  for (const auto& agent : parts.at(2).array())
    sample.waiting_agents.insert(agent.str());
  sample.waiting = static_cast<std::int64_t>(parts.at(2).array().size());
  sample_ = std::move(sample);
  if (first_epoch_ == 0) first_epoch_ = sample_.epoch;
  invariants_.see(sample_);
  recoveries_.see(sample_, seconds_now());
  failovers_.see(sample_, seconds_now());
}

std::optional<net::RedisReply> Fleet::ask(std::vector<std::string> words) {
  if (redis_away_) return std::nullopt;
  try {
    return redis_.ask(std::move(words));
  } catch (const Error&) {
    return std::nullopt;  // it is being restarted at this moment
  }
}

std::optional<json::value> Fleet::hub_call(std::string method, const std::string& path,
                                           const std::string& key, json::value body,
                                           std::string idempotency_key) {
  if (hub_away_) return std::nullopt;
  net::HttpRequest request{.method = std::move(method), .url = hub_url_ + "/api/v1" + path};
  request.headers = {{key == admin_key_ ? "X-Admin-Key" : "Authorization",
                      key == admin_key_ ? key : "Bearer " + key}};
  if (!idempotency_key.empty()) request.headers.emplace_back("Idempotency-Key", idempotency_key);
  if (!body.is_null()) {
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = to_json(body);
  }
  request.total_timeout = 5s;
  try {
    const auto response = test::run_task(io_, http_.send(std::move(request)));
    if (!response.ok()) return std::nullopt;
    return try_parse_json(response.body);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace botburrow::chaos
