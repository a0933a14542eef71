#include "tests/chaos/program/fleet.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "tests/support/run_task.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace botburrow::chaos {

using namespace std::chrono_literals;
using test::Program;
using Ms = std::chrono::milliseconds;

namespace {

constexpr const char* kModelKey = "simulated-key";

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

}  // namespace

Fleet::Fleet(int runners, int agents)
    : redis_({.appendonly = true, .tcp = true, .password = "", .extra = {}}),
      http_(io_.get_executor(), {.connections_idle_max = 0}),
      admin_key_("botburrow_admin_" + random_hex(16)) {
  for (const auto* name : {"home", "tmp", "definitions/agents"})
    std::filesystem::create_directories(folder_.path() / name);
  environment_ = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                  {"HOME", folder_.file("home")},
                  {"TMPDIR", folder_.file("tmp")},
                  {"METRICS_HOST", "127.0.0.1"},
                  {"METRICS_PORT", "0"},
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
                  {"AGENT_DEFINITIONS_PATH", folder_.file("definitions")}};
  for (int n = 0; n < agents; ++n) {
    agents_.push_back(fmt::format("agent{:02}", n));
    folder_.write("definitions/agents/" + agents_.back() + "/config.yaml",
                  config_of(agents_.back()));
    folder_.write("definitions/agents/" + agents_.back() + "/system-prompt.md", "You answer.\n");
  }
  hub_.name = "hub";
  for (int n = 0; n < 3; ++n) {
    const auto name = fmt::format("coordinator-{}", n);
    coordinators_.push_back(
        {.name = name, .words = {"coordinator"}, .more = {{"INSTANCE_ID", name}}});
  }
  for (int n = 0; n < runners; ++n) {
    const auto name = fmt::format("runner-{}", n);
    runners_.push_back({.name = name, .words = {"runner"}, .more = {{"RUNNER_ID", name}}});
  }
}

Fleet::~Fleet() {
  for (auto* group : {&coordinators_, &runners_})
    for (auto& service : *group)
      service.program.reset();
  hub_.program.reset();
  redis_wire_.reset();
  hub_wire_.reset();
  model_wire_.reset();
  if (model_) test::run_task(io_, [this] { return model_->stop(); });
}

void Fleet::start() {
  model_ = std::make_unique<test::LlmSimulator>(io_.get_executor(),
                                                test::LlmSimulator::Options{.key = kModelKey});
  model_->script([this](const test::LlmSimulator::Request& request) {
    ++model_calls_[token_in(request.raw_body)];
    auto answer = test::LlmSimulator::Answer::say(fmt::format("Answer number {}.", ++number_));
    answer.delay = Ms(20 + 37 * (number_ % 9));
    return answer;
  });
  model_->start();

  hub_.words = {"hub", "--hub-port", "0", "--data", folder_.file("data")};
  hub_.more = {{"HUB_ADMIN_KEY", admin_key_}};
  launch(hub_);
  const bool listens = test::run_until(
      io_, [&] { return hub_.program->ended() || !hub_.program->events("hub_started").empty(); });
  const auto started = hub_.program->events("hub_started");
  if (!listens || started.empty()) throw std::runtime_error("the Hub did not start");
  hub_url_ = string_field(started.front(), "url").value_or("");
  hub_port_ = hub_url_.substr(hub_url_.rfind(':') + 1);
  hub_.words[2] = hub_port_;
  const auto ready = Clock::now() + 20s;
  while (!hub_call("GET", "/system/generation", admin_key_) && Clock::now() < ready)
    test::run_until(io_, [] { return false; }, 50ms);

  const auto key = [&](const char* name, const char* type) {
    const auto answer =
        must(hub_call("POST", "/keys", admin_key_, {{"name", name}, {"agent_type", type}}),
             "POST /keys");
    return string_field(answer, "api_key").value_or("");
  };
  service_key_ = key("runners", "service");
  owner_key_ = key("owner", "human");
  for (const auto& name : agents_)
    must(hub_call("POST", "/agents/register", admin_key_, {{"name", name}, {"type", "native"}}),
         "register");

  const auto wire = [&](int port) {
    return std::make_unique<test::FaultProxy>(test::FaultProxy::to_tcp(io_.get_executor(), port));
  };
  redis_wire_ = wire(redis_.port());
  hub_wire_ = wire(std::stoi(hub_port_));
  model_wire_ = wire(model_->port());
  environment_["REDIS_URL"] = redis_wire_->redis_url();
  environment_["HUB_URL"] = hub_wire_->http_url();
  environment_["HUB_API_KEY"] = service_key_;
  environment_["ANTHROPIC_API_KEY"] = kModelKey;
  environment_["ANTHROPIC_BASE_URL"] = model_wire_->http_url();
  for (auto* group : {&coordinators_, &runners_})
    for (auto& service : *group)
      launch(service);
}

void Fleet::launch(Service& service) {
  auto all = environment_;
  for (const auto& [name, value] : service.more)
    all[name] = value;
  if (service.program) service.past += service.program->out() + service.program->err();
  service.program.reset();
  ++service.life;
  service.program = std::make_unique<Program>(io_, Program::Options{.path = BOTBURROW_PROGRAM,
                                                                    .arguments = service.words,
                                                                    .environment = std::move(all),
                                                                    .folder = folder_.path()});
}

void Fleet::later(Ms in, std::function<void()> act) {
  due_.push_back({Clock::now() + in, std::move(act)});
}

void Fleet::kill(Service& service) {
  if (service.program->ended()) return;
  service.program->kill9();
  later(300ms, [this, &service, life = service.life] {
    if (service.life == life) launch(service);
  });
}

void Fleet::freeze(Service& service, Ms length) {
  service.program->signal(SIGSTOP);
  later(length, [&service, life = service.life] {
    if (service.life == life) service.program->signal(SIGCONT);
  });
}

void Fleet::drain(Service& service) {
  if (service.program->ended()) return;
  service.program->signal(SIGTERM);
  // It hands over in its own time; whatever hangs is ended.
  later(8s, [this, &service, life = service.life] {
    if (service.life == life) launch(service);
  });
}

Fleet::Service* Fleet::leader() {
  try {
    const auto reply = redis_.ask({"GET", "coordinator:leader"});
    for (auto& service : coordinators_)
      if (!reply.is_nil() && service.name == reply.str()) return &service;
  } catch (const std::exception&) {
    return nullptr;  // Redis is down at this moment: nobody leads
  }
  return nullptr;
}

void Fleet::befall(const Fault& fault) {
  auto& runner = runners_[static_cast<std::size_t>(fault.target) % runners_.size()];
  const auto& kind = fault.kind;
  ++befallen_[kind];
  if (kind == "runner_kill") {
    note_orphans(runner);
    kill(runner);
  } else if (kind == "runner_freeze") {
    freeze(runner, fault.length);
  } else if (kind == "runner_drain") {
    drain(runner);
  } else if (kind == "leader_kill") {
    if (auto* service = leader())
      kill(*service);
    else
      --befallen_[kind];
  } else if (kind == "redis_restart") {
    redis_.restart();
  } else if (kind == "hub_restart") {
    kill(hub_);
  } else if (kind == "model_reset") {
    model_wire_->cut();
  } else {
    auto& wire = kind.starts_with("redis") ? *redis_wire_ : *hub_wire_;
    if (kind.ends_with("_reset")) {
      wire.cut();
    } else if (kind.ends_with("_lose_answers")) {
      wire.reset_answers(3);
    } else if (kind.ends_with("_delay")) {
      wire.delay(30ms);
      later(fault.length, [&wire] { wire.delay(0ms); });
    } else if (kind.ends_with("_hang")) {
      wire.pause();
      later(fault.length, [&wire] { wire.resume(); });
    } else {
      throw Error(errc::bad_input, "schedule: unknown kind " + kind, Retry::never);
    }
  }
}

void Fleet::forgive() {
  for (auto& entry : std::exchange(due_, {}))
    entry.act();
  for (auto* wire : {redis_wire_.get(), hub_wire_.get(), model_wire_.get()}) {
    wire->resume();
    wire->delay(0ms);
    wire->reset_answers(0);
  }
}

void Fleet::mention(int agent) {
  ++posted_;
  Mention mention{.agent = agents_[static_cast<std::size_t>(agent) % agents_.size()],
                  .token = fmt::format("mention-{:06}", posted_)};
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
  for (auto& service : runners_) {  // drained
    if (service.program->ended() && service.program->exit_code() == 0) launch(service);
  }
  for (auto& owed : std::exchange(owed_, {})) {
    if (owed.not_before > now || !post(owed)) {
      if (owed.not_before <= now) owed.not_before = now + 200ms;
      owed_.push_back(std::move(owed));
    }
  }
}

// What a runner holds at the moment it is killed.
void Fleet::note_orphans(const Service& runner) {
  try {
    const auto reply = redis_.ask({"HGETALL", "work:processing"});
    const auto& processing = reply.array();
    for (std::size_t n = 0; n + 1 < processing.size(); n += 2) {
      std::istringstream words(processing[n + 1].str());
      std::string fence, attempt, queue, holder, activation;
      words >> fence >> attempt >> queue >> holder >> activation;
      if (holder == runner.name)
        orphans_.push_back({processing[n].str(), activation, std::chrono::system_clock::now()});
    }
  } catch (const std::exception&) {
    return;  // no figure for this one
  }
}

// The same item's next claim is in the log of the runner that made it: an attempt after the first.
// Work of that agent that begins with attempt 1 meanwhile says that the item had been completed.
std::vector<double> Fleet::recoveries() const {
  struct Claimed {
    std::string agent, activation;
    std::int64_t attempt = 0;
    WallTime at;
  };
  std::vector<Claimed> claims;
  for (const auto& line : timeline("\"event\":\"work_claimed\"")) {
    const auto value = try_parse_json(line);
    if (!value) continue;
    const auto at = parse_rfc3339(string_field(*value, "timestamp").value_or(""));
    if (at)
      claims.push_back({string_field(*value, "agent_id").value_or(""),
                        string_field(*value, "activation_id").value_or(""),
                        int_field(*value, "attempt").value_or(0), *at});
  }
  std::vector<double> seconds;
  for (const auto& orphan : orphans_) {
    const auto next = std::ranges::find_if(claims, [&](const Claimed& claim) {
      return claim.agent == orphan.agent && claim.activation != orphan.activation &&
             claim.at >= orphan.killed;
    });
    if (next != claims.end() && next->attempt > 1)
      seconds.push_back(std::chrono::duration<double>(next->at - orphan.killed).count());
  }
  return seconds;
}

std::optional<json::value> Fleet::hub_call(std::string method, const std::string& path,
                                           const std::string& key, json::value body,
                                           std::string idempotency_key) {
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

json::value Fleet::must(std::optional<json::value> answer, const char* what) {
  if (!answer) throw std::runtime_error(fmt::format("the Hub refused or did not answer: {}", what));
  return std::move(*answer);
}

int Fleet::answers_to(const Mention& mention) {
  const auto post =
      hub_call("GET", "/posts/" + mention.post + "?include_comments=true", owner_key_);
  if (!post) return 0;
  int count = 0;
  for (const auto& comment : array_field(*post, "comments")) {
    const auto* author = find_field(comment, "author");
    if (author && string_field(*author, "name") == mention.agent) ++count;
  }
  return count;
}

bool Fleet::at_rest() {
  try {
    for (const auto& words : std::vector<std::vector<std::string>>{{"LLEN", "work:queue:high"},
                                                                   {"LLEN", "work:queue:normal"},
                                                                   {"LLEN", "work:queue:low"},
                                                                   {"HLEN", "work:active"},
                                                                   {"HLEN", "work:leases"},
                                                                   {"HLEN", "work:processing"},
                                                                   {"ZCARD", "work:deferred"},
                                                                   {"HLEN", "work:dirty"}})
      if (redis_.ask(words).integer() != 0) return false;
  } catch (const std::exception&) {
    return false;
  }
  return true;
}

bool Fleet::settled() {
  if (!owed_.empty()) return false;
  for (const auto& mention : mentions_) {
    if (answered_.contains(mention.token)) continue;
    if (answers_to(mention) == 0) return false;
    answered_.insert(mention.token);
  }
  return at_rest();
}

std::vector<AcceptedWrite> Fleet::accepted_writes() const {
  std::vector<AcceptedWrite> writes;
  sqlite3* db = nullptr;
  sqlite3_stmt* rows = nullptr;
  if (sqlite3_open_v2(folder_.file("data/hub.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr) ==
          SQLITE_OK &&
      sqlite3_prepare_v2(db,
                         "SELECT agent_id, fence_generation, fence_counter FROM idempotency_keys "
                         "WHERE fence_counter IS NOT NULL ORDER BY rowid",
                         -1, &rows, nullptr) == SQLITE_OK) {
    while (sqlite3_step(rows) == SQLITE_ROW)
      writes.push_back({reinterpret_cast<const char*>(sqlite3_column_text(rows, 0)),
                        sqlite3_column_int64(rows, 1), sqlite3_column_int64(rows, 2)});
  }
  const std::string problem = rows ? "" : sqlite3_errmsg(db);
  sqlite3_finalize(rows);
  sqlite3_close(db);
  if (!problem.empty()) throw std::runtime_error("the Hub's database: " + problem);
  return writes;
}

Ledger Fleet::ledger() {
  Ledger ledger{.mentions = mentions_, .writes = accepted_writes(), .model_calls = model_calls_};
  std::map<std::string, std::set<std::string>> unread;
  for (const auto& agent : agents_) {
    const auto list = hub_call("GET", "/notifications?unread=true&agent_id=" + agent, service_key_);
    if (!list) ledger.leftovers.push_back("the inbox of " + agent + " cannot be read");
    if (!list) continue;
    for (const auto& note : array_field(*list, "notifications"))
      unread[agent].insert(string_field(note, "post_id").value_or(""));
  }
  const auto letters = redis_.ask({"LRANGE", "work:dead", "0", "-1"});
  std::set<std::string> buried;
  for (const auto& letter : letters.array()) {
    const auto value = try_parse_json(letter.str());
    if (value) buried.insert(string_field(*value, "notification_id").value_or(""));
  }
  for (auto& mention : ledger.mentions) {
    mention.answers = answers_to(mention);
    mention.read = !unread[mention.agent].contains(mention.post);
    if (mention.answers > 0 || buried.empty()) continue;
    const auto list =
        hub_call("GET", "/notifications?limit=100&agent_id=" + mention.agent, service_key_);
    if (!list) continue;
    for (const auto& note : array_field(*list, "notifications"))
      if (string_field(note, "post_id") == mention.post)
        mention.dead = buried.contains(string_field(note, "id").value_or("?"));
  }
  const auto number = [&](std::vector<std::string> words) -> std::int64_t {
    const auto reply = redis_.ask(std::move(words));
    if (reply.is_nil()) return 0;
    return std::holds_alternative<std::int64_t>(reply.value) ? reply.integer()
                                                             : std::stoll(reply.str());
  };
  std::int64_t dead = 0;
  for (const auto& letter : letters.array()) {
    const auto value = try_parse_json(letter.str());
    if (value && string_field(*value, "kind") == "item") ++dead;
  }
  ledger.census = {{"enqueued", number({"HGET", "work:stats", "enqueued"})},
                   {"waiting", number({"HLEN", "work:queued"})},
                   {"leased", number({"HLEN", "work:leases"})},
                   {"dead", dead},
                   {"done", number({"HGET", "work:stats", "done"})}};
  const auto generation = hub_call("GET", "/system/generation", service_key_);
  if (generation)
    ledger.generation = int_field(*generation, "generation").value_or(0);
  else
    ledger.leftovers.push_back("the Hub's generation cannot be read");
  if (!at_rest()) ledger.leftovers.push_back("work that waits, runs or is put off");
  return ledger;
}

void Fleet::stop_all(std::vector<std::string>& complaints) {
  std::vector<Service*> all{&hub_};
  for (auto* group : {&runners_, &coordinators_})
    for (auto& service : *group)
      all.insert(all.begin(), &service);
  for (auto* service : all) {
    const int pid = service->program->pid();
    service->program->signal(SIGTERM);
    try {
      const int code = service->program->wait(10s);
      if (code != 0) complaints.push_back(fmt::format("{} ended with {}", service->name, code));
    } catch (const std::exception&) {
      complaints.push_back(service->name + " still runs 10 s after SIGTERM");
    }
    if (test::process_lives(pid)) complaints.push_back(service->name + ": its process lives");
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "tmp"))
    complaints.push_back("temporary folder " + entry.path().filename().string());
}

std::vector<std::string> Fleet::timeline(const std::string& text) const {
  std::vector<std::string> found;
  const auto look = [&](const Service& service) {
    std::istringstream lines(service.past + (service.program ? service.program->out() : ""));
    for (std::string line; std::getline(lines, line);)
      if (line.find(text) != std::string::npos) found.push_back(line);
  };
  look(hub_);
  std::ranges::for_each(coordinators_, look);
  std::ranges::for_each(runners_, look);
  // Lines begin with their time or name it early; JSON of one program sorts by its time stamp.
  std::ranges::sort(found, {}, [](const std::string& line) {
    const auto at = line.find("\"timestamp\":");
    return at == std::string::npos ? line : line.substr(at, 44);
  });
  return found;
}

void Fleet::save_logs(const std::string& folder) const {
  std::filesystem::create_directories(folder);
  const auto save = [&](const Service& service) {
    std::ofstream file(folder + "/" + service.name + ".log");
    file << service.past
         << (service.program ? service.program->out() + service.program->err() : "");
  };
  save(hub_);
  std::ranges::for_each(coordinators_, save);
  std::ranges::for_each(runners_, save);
}

}  // namespace botburrow::chaos
