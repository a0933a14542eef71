// Verdicts of doctor: a healthy system, and each fault alone, which must be named and nothing else.
#include "cli/doctor/check.hpp"
#include "cli/doctor/facts.hpp"
#include "cli/doctor/look.hpp"
#include "run_program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

namespace botburrow::cli::doctor {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr double kNow = 1'790'000'000;

queue::Heartbeat runner(std::string id, queue::RunnerMode mode = queue::RunnerMode::hybrid) {
  return {.runner_id = RunnerId(std::move(id)),
          .timestamp = from_unix(kNow - 2),
          .mode = mode,
          .version = "0.1.0",
          .active = 0,
          .capacity = 2};
}

ServiceFacts service(std::string kind, std::string url) {
  ServiceFacts out{.kind = kind, .url = std::move(url)};
  out.name = "botburrow-" + kind;
  out.health_status = out.ready_status = 200;
  if (kind == "coordinator")
    out.metrics = {{"botburrow_coordinator_is_leader", 1}, {"polls_fine", 3}};
  return out;
}

queue::ActivationResult result(std::string status, std::string error = "", double age = 60) {
  queue::ActivationResult out;
  out.agent_name = "scribe";
  out.status = std::move(status);
  if (!error.empty()) out.error = std::move(error);
  out.timestamp = to_rfc3339(from_unix(kNow - age));
  return out;
}

PortFacts port(std::string said_by, int number, std::vector<std::string> listens_on,
               std::string holder) {
  return {.service = "a service",
          .said_by = std::move(said_by),
          .url = "",
          .port = number,
          .here = true,
          .listens_on = std::move(listens_on),
          .holder = std::move(holder)};
}

PortFacts url_port(std::string service, std::string url, std::string address,
                   std::vector<std::string> listens_on) {
  return {.service = std::move(service),
          .said_by = url,
          .url = url,
          .port = 9090,
          .addresses = {std::move(address)},
          .here = true,
          .listens_on = std::move(listens_on)};
}

queue::Waiting waiting(queue::TaskType type) {
  queue::Waiting out;
  out.item =
      queue::WorkItem{.agent_id = AgentId("scribe"), .agent_name = "scribe", .task_type = type};
  return out;
}

Facts healthy() {
  Facts f;
  f.now = kNow;
  f.settings.place = "services apart";
  f.redis.address = "redis://valkey:6379";
  f.redis.round_trips_ms = {0.2, 0.3, 0.2};
  f.redis.clock_ahead_seconds = 0.01;
  f.redis.info = {{"redis_version", "7.2.4"},         {"role", "master"},
                  {"used_memory", "1000000"},         {"maxmemory", "100000000"},
                  {"maxmemory_policy", "noeviction"}, {"aof_enabled", "1"},
                  {"aof_last_write_status", "ok"},    {"rdb_last_bgsave_status", "ok"}};
  f.queue.trouble.clear();
  f.queue.term_held = f.queue.term_moves = true;
  f.queue.term_instance = "coordinator-1";
  f.queue.snapshot.generation = "set:1";
  f.queue.snapshot.server_time = kNow;
  f.queue.runners = {runner("runner-1")};
  f.queue.results = {result("success"), result("skipped")};
  f.hub.url = "http://hub:8000";
  f.hub.health_status = 200;
  f.hub.round_trips_ms = {3, 4, 5};
  f.hub.clock_ahead_seconds = 0;
  f.hub.has_key = true;
  f.hub.key.standing = hubapi::KeyStanding::accepted;
  f.hub.poll_status = 405;
  f.hub.waiting_agents = 1;
  f.hub.stale_agents = 2;
  f.services = {service("coordinator", "http://c1:9090"), service("runner", "http://r1:9091")};
  f.ports = {url_port("coordinator", "http://c1:9090", "10.0.0.5", {"0.0.0.0"})};
  f.definitions.path = "/configs/agent-definitions";
  f.definitions.exists = f.definitions.usable = true;
  f.definitions.agents = {{.name = "scribe",
                           .wants_to_write = true,
                           .may_write = true,
                           .explores = true,
                           .known_to_hub = true,
                           .hub_status = "active"}};
  f.models = {{.provider = "anthropic",
               .url = "https://api.anthropic.com",
               .key_name = "ANTHROPIC_API_KEY",
               .agents = "scribe",
               .status = 200}};
  f.llm_mode = "vendor";
  f.machine.disks = {{.path = "/workspaces",
                      .purpose = "WORKSPACE_ROOT",
                      .bytes_free = 5ull << 30,
                      .bytes_total = 10ull << 30,
                      .files_free = 1000,
                      .files_total = 2000}};
  f.machine.memory_used = 1ull << 30;
  f.machine.memory_limit = 4ull << 30;
  f.machine.memory_of = "this cgroup";
  f.machine.descriptors_max = 65536;
  f.machine.key_files = {"keys.json"};
  return f;
}

std::vector<std::string> faults_of(const Facts& facts) {
  static const auto checks = all_checks();
  std::vector<std::string> ids;
  for (const auto& [check, verdict] : judge_all(checks, facts))
    if (verdict.result == Result::fail) ids.emplace_back(check->id);
  return ids;
}

Verdict verdict_of(const Facts& facts, std::string_view id) {
  for (const auto& check : all_checks())
    if (check.id == id) return judge_all({check}, facts).front().verdict;
  ADD_FAILURE() << id << " is no check";
  return {};
}

struct Injected {
  std::string id;    // the one check that must fail
  std::string what;  // part of its evidence, cause or cure
  std::function<void(Facts&)> spoil;
};

std::vector<Injected> every_fault() {
  using F = Facts;
  using net::RedisFault;
  const auto redis_fault = [](RedisFault fault, std::string text) {
    return [fault, text](F& f) {
      f.redis.fault = fault;
      f.redis.fault_text = text;
      f.queue = {};
    };
  };
  const auto agent = [](auto spoil) { return [spoil](F& f) { spoil(f.definitions.agents[0]); }; };
  const auto model = [](auto spoil) { return [spoil](F& f) { spoil(f.models[0]); }; };
  return {
      {"settings.valid", "POLL_INTERVAL",
       [](F& f) { f.settings.problems = {"config error: POLL_INTERVAL=\"abc\""}; }},
      {"settings.conflict", "using 10", [](F& f) { f.settings.conflicts = {"using 10"}; }},
      {"settings.unknown", "did you mean",
       [](F& f) { f.settings.unknown_names = {"did you mean"}; }},
      {"settings.placeholder", "template", [](F& f) { f.settings.placeholders = {"HUB_API_KEY"}; }},
      {"settings.times", "LLM_TIMEOUT 600",
       [](F& f) { f.settings.model_timeout = f.settings.activation_timeout; }},
      {"system.running", "nothing runs",
       [](F& f) { f.settings.system_trouble = "nothing runs there"; }},
      {"machine.disk", "0 B left", [](F& f) { f.machine.disks[0].bytes_free = 0; }},
      {"machine.disk", "left of 8.0 MiB",
       [](F& f) {
         f.machine.disks[0].bytes_total = 8 << 20;
         f.machine.disks[0].bytes_free = 64 << 10;
       }},
      {"machine.disk", "inodes", [](F& f) { f.machine.disks[0].files_free = 0; }},
      {"machine.mounts", "/workspaces", [](F& f) { f.machine.disks[0].writable = false; }},
      {"machine.mounts", "/workspaces",  // the settings say the same
       [](F& f) {
         f.machine.disks[0].writable = false;
         f.settings.problems = {"config error: WORKSPACE_ROOT=\"/workspaces\": not writable"};
       }},
      {"machine.memory", "cgroup", [](F& f) { f.machine.memory_used = f.machine.memory_limit; }},
      {"machine.files", "256", [](F& f) { f.machine.descriptors_max = 256; }},
      {"machine.secrets", "chmod 600",
       [](F& f) { f.machine.open_files = {"keys.json has mode 644"}; }},
      {"machine.proxy", "refused",
       [](F& f) {
         f.machine.proxy = "proxy:3128";
         f.machine.proxy_trouble = "proxy: refused";
         f.hub.reach_trouble = "proxy: refused";  // follows from it, and is not named
       }},
      {"redis.name", "nslookup",
       [](F& f) {
         f.redis.name_trouble = "valkey: Host not found";
         f.queue = {};
       }},
      {"redis.reach", "refused", redis_fault(RedisFault::other, "Connection refused")},
      {"redis.key", "WRONGPASS", redis_fault(RedisFault::wrong_password, "WRONGPASS")},
      {"redis.key", "NOAUTH", redis_fault(RedisFault::no_auth, "NOAUTH")},
      {"redis.state", "READONLY", redis_fault(RedisFault::read_only, "READONLY")},
      {"redis.state", "EVALSHA", redis_fault(RedisFault::no_command, "unknown command EVALSHA")},
      {"redis.state", "MISCONF", redis_fault(RedisFault::disk_full, "MISCONF")},
      {"redis.state", "replica of valkey-1:6379",
       [](F& f) {
         f.redis.info["role"] = "slave";
         f.redis.info["master_host"] = "valkey-1";
         f.redis.info["master_port"] = "6379";
       }},
      {"redis.version", "6.0.1", [](F& f) { f.redis.info["redis_version"] = "6.0.1"; }},
      {"redis.latency", "ms", [](F& f) { f.redis.round_trips_ms = {30, 40, 50}; }},
      {"redis.memory", "of", [](F& f) { f.redis.info["used_memory"] = "99000000"; }},
      {"redis.eviction", "allkeys-lru",
       [](F& f) { f.redis.info["maxmemory_policy"] = "allkeys-lru"; }},
      {"redis.durability", "appendonly", [](F& f) { f.redis.info["aof_enabled"] = "0"; }},
      {"redis.durability", "disk is full",
       [](F& f) { f.redis.info["aof_last_write_status"] = "err"; }},
      {"clock.redis", "-90", [](F& f) { f.redis.clock_ahead_seconds = -90; }},
      {"hub.name", "nslookup", [](F& f) { f.hub.name_trouble = "hub: Host not found"; }},
      {"hub.reach", "refused", [](F& f) { f.hub.reach_trouble = "hub: Connection refused"; }},
      {"hub.health", "503", [](F& f) { f.hub.health_status = 503; }},
      {"hub.key", "401",
       [](F& f) {
         f.hub.key = {.standing = hubapi::KeyStanding::refused, .reason = "401 Unauthorized"};
       }},
      {"hub.key", "type service", [](F& f) { f.hub.key.reason = "403 Forbidden"; }},
      {"hub.long_poll", "500", [](F& f) { f.hub.poll_status = 500; }},
      {"hub.long_poll", "9 failed", [](F& f) { f.services[0].metrics["polls_failed"] = 9; }},
      {"hub.lists", "404", [](F& f) { f.hub.lists_trouble = "404 Not Found"; }},
      {"hub.latency", "ms", [](F& f) { f.hub.round_trips_ms = {2000, 3000, 4000}; }},
      {"clock.hub", "+3600", [](F& f) { f.hub.clock_ahead_seconds = 3600; }},
      {"leader.present", "nobody", [](F& f) { f.queue.term_held = f.queue.term_moves = false; }},
      {"leader.present", "not renewed", [](F& f) { f.queue.term_moves = false; }},
      {"leader.present", "nobody",  // its address says the same
       [](F& f) {
         f.queue.term_held = f.queue.term_moves = false;
         f.services[0].trouble = "Connection refused";
       }},
      {"leader.single", "2 of 2",
       [](F& f) { f.services.push_back(service("coordinator", "http://c2:9090")); }},
      {"leader.generation", "missing", [](F& f) { f.queue.snapshot.generation.clear(); }},
      {"hub.long_poll", "9 failed",  // whence no generation
       [](F& f) {
         f.services[0].metrics["polls_failed"] = 9;
         f.queue.snapshot.generation.clear();
       }},
      {"coordinator.ready", "refused", [](F& f) { f.services[0].trouble = "Connection refused"; }},
      {"ports.taken", "answered by nginx", [](F& f) { f.services[0].name = "nginx"; }},
      {"ports.taken", "METRICS_PORT=9095 is held by prometheus (process 7)",
       [](F& f) {
         f.ports = {port("METRICS_PORT=9095", 9095, {"0.0.0.0"}, "prometheus (process 7)")};
       }},
      {"ports.taken", "held by another program",
       [](F& f) { f.ports = {port("API_PORT=8000", 8000, {"127.0.0.1"}, "")}; }},
      {"ports.address", "10.0.0.5 on this machine, which listens on 127.0.0.1 only",
       [](F& f) {
         f.ports = {url_port("coordinator", "http://c1:9090", "10.0.0.5", {"127.0.0.1"})};
         f.services[0].trouble = "Connection refused";  // follows from it, and is not named
       }},
      {"ports.address", "API_HOST=0.0.0.0",
       [](F& f) {
         f.ports = {url_port("Hub", "http://hub:8000", "10.0.0.5", {"127.0.0.1", "::1"})};
         f.hub.reach_trouble = "Connection refused";
       }},
      {"coordinator.ready", "hangs", [](F& f) { f.services[0].health_status = 503; }},
      {"runner.ready", "draining",
       [](F& f) {
         f.services[1].ready_status = 503;
         f.services[1].reason = "draining";
       }},
      {"runner.alive", "no runner", [](F& f) { f.queue.runners.clear(); }},
      {"runner.alive", "no runner",  // its address says the same
       [](F& f) {
         f.queue.runners.clear();
         f.services[1].trouble = "Connection refused";
       }},
      {"runner.heartbeat", "45 s",
       [](F& f) {
         f.queue.runners[0].timestamp = from_unix(kNow - 45);
         f.services[1].trouble = "timed out";
       }},
      {"runner.ready", "refused", [](F& f) { f.services[1].trouble = "Connection refused"; }},
      {"runner.heartbeat", "45 s",
       [](F& f) { f.queue.runners[0].timestamp = from_unix(kNow - 45); }},
      {"runner.sandbox", "no user namespaces",
       [](F& f) {
         f.queue.runners[0].sandbox = "none";
         f.queue.runners[0].sandbox_reason = "no user namespaces";
       }},
      {"runner.capacity", "2 of 2",
       [](F& f) {
         f.queue.runners[0].active = 2;
         f.queue.snapshot.high = {.length = 3, .oldest_age_seconds = 120};
       }},
      {"runner.capacity", "2 of 2",  // whence the age
       [](F& f) {
         f.queue.runners[0].active = 2;
         f.queue.snapshot.high = {.length = 300, .oldest_age_seconds = 5000};
       }},
      {"runner.timeouts", "timed out", [](F& f) { f.queue.results.push_back(result("timeout")); }},
      {"runner.iterations", "iteration",
       [](F& f) { f.queue.results.push_back(result("failure", "stopped after 10 iterations")); }},
      {"runner.failures", "5 of 7",
       [](F& f) {
         for (int i = 0; i < 5; ++i)
           f.queue.results.push_back(result("failure", "no answer"));
       }},
      {"queue.paused", "fleet", [](F& f) { f.queue.snapshot.paused = {"*"}; }},
      {"queue.paused", "scribe", [](F& f) { f.queue.snapshot.paused = {"scribe"}; }},
      {"queue.breaker", "5 failures",
       [](F& f) {
         f.queue.snapshot.backoff["scribe"] = 50;
         f.queue.snapshot.failures["scribe"] = 5;
       }},
      {"queue.mode", "discovery",
       [](F& f) {
         f.queue.runners = {runner("r", queue::RunnerMode::notification)};
         f.queue.waiting = {waiting(queue::TaskType::discovery)};
       }},
      {"queue.mode", "RUNNER_MODE=notification",
       [](F& f) {
         f.queue.runners = {runner("r", queue::RunnerMode::exploration)};
         f.queue.waiting = {waiting(queue::TaskType::inbox)};
       }},
      {"queue.age", "1000 s",
       [](F& f) { f.queue.snapshot.low = {.length = 1, .oldest_age_seconds = 1000}; }},
      {"queue.backlog", "high 101", [](F& f) { f.queue.snapshot.high.length = 101; }},
      {"queue.dead", "dead retry", [](F& f) { f.queue.snapshot.dead = 1; }},
      {"queue.outbox", "51", [](F& f) { f.queue.snapshot.outbox = 51; }},
      {"queue.census", "close", [](F& f) { f.queue.census.enqueued = 1; }},
      {"definitions.path", "not there",
       [](F& f) { f.definitions.exists = f.definitions.usable = false; }},
      {"definitions.path", "too deep",
       [](F& f) {
         f.definitions.usable = false;
         f.definitions.nested = "/configs/agent-definitions/agent-definitions";
       }},
      {"definitions.path", "hangs", [](F& f) { f.definitions.trouble = "timed out"; }},
      {"definitions.valid", "config.yaml",
       [](F& f) { f.definitions.errors = {{.file = "config.yaml", .message = "no type"}}; }},
      {"definitions.valid", "config.yaml",  // the only agent
       [](F& f) {
         f.definitions.errors = {{.file = "config.yaml", .message = "no type"}};
         f.definitions.agents.clear();
         f.models.clear();
       }},
      {"definitions.voice", "no agents", [](F& f) { f.definitions.agents.clear(); }},
      {"definitions.registered", "scribe", agent([](auto& a) { a.known_to_hub = false; })},
      {"definitions.resting", "banned", agent([](auto& a) { a.hub_status = "banned"; })},
      {"definitions.executor", "Executor 'goose' not available",
       agent([](auto& a) { a.executor = "goose"; })},
      {"definitions.grants", "default.denied", agent([](auto& a) {
         a.may_write = false;
         a.refused_by = "default.denied_grants: hub:write";
       })},
      {"definitions.grants", "broken", [](F& f) { f.definitions.policy_trouble = "line 3"; }},
      {"definitions.voice", "no hub:write", agent([](auto& a) { a.wants_to_write = false; })},
      {"definitions.voice", "respond_to_mentions",
       agent([](auto& a) { a.answers_mentions = false; })},
      {"mcp.registry", "line 3", [](F& f) { f.definitions.servers_trouble = "line 3"; }},
      {"mcp.credential", "GITHUB_PAT",
       agent([](auto& a) { a.mcp_without_credential = {"github (GITHUB_PAT)"}; })},
      {"mcp.program", "npx", agent([](auto& a) { a.mcp_without_program = {"files (npx)"}; })},
      {"model.address", "api_base", model([](auto& m) { m.trouble = "set brain.api_base"; })},
      {"model.key", "ANTHROPIC_API_KEY is not set", model([](auto& m) { m.key_missing = true; })},
      {"model.reach", "refused", model([](auto& m) { m.reach_trouble = "Connection refused"; })},
      {"model.accepts", "Invalid API key", model([](auto& m) { m.status = 401; })},
  };
}

TEST(DoctorVerdicts, HealthySystemIsAllWell) {
  const auto checks = all_checks();
  const auto findings = judge_all(checks, healthy());
  EXPECT_TRUE(all_well(findings));
  for (const auto& [check, verdict] : findings) {
    EXPECT_EQ(verdict.result, Result::ok) << check->id << ": " << verdict.evidence;
    EXPECT_THAT(verdict.evidence, Not(IsEmpty())) << check->id;
    EXPECT_THAT(verdict.cause + verdict.cure, IsEmpty()) << check->id;
  }
}

TEST(DoctorVerdicts, EachFaultIsNamedAndNothingElse) {
  for (const auto& fault : every_fault()) {
    Facts facts = healthy();
    fault.spoil(facts);
    EXPECT_THAT(faults_of(facts), ElementsAre(fault.id)) << fault.what;
    const auto verdict = verdict_of(facts, fault.id);
    EXPECT_THAT(verdict.evidence + " " + verdict.cause + " " + verdict.cure, HasSubstr(fault.what));
    EXPECT_THAT(verdict.cause, Not(IsEmpty())) << fault.id;
    EXPECT_THAT(verdict.cure, Not(IsEmpty())) << fault.id;
  }
}

TEST(DoctorVerdicts, EveryCheckIsSeenToFail) {
  std::set<std::string> tried;
  for (const auto& fault : every_fault())
    tried.insert(fault.id);
  // It reports, and its fault is that of hub.lists.
  tried.insert("hub.staleness");
  for (const auto& check : all_checks())
    EXPECT_TRUE(tried.contains(std::string(check.id))) << check.id;
}

TEST(DoctorVerdicts, IdsAreUnique) {
  std::set<std::string_view> ids;
  for (const auto& check : all_checks())
    EXPECT_TRUE(ids.insert(check.id).second) << check.id;
}

TEST(DoctorVerdicts, WhatCouldNotBeSeenIsNotAllWell) {
  Facts facts = healthy();
  facts.redis.trouble = facts.queue.trouble = "no Redis is known";
  const auto checks = all_checks();
  EXPECT_THAT(faults_of(facts), IsEmpty());
  EXPECT_FALSE(all_well(judge_all(checks, facts)));
}

TEST(DoctorVerdicts, WhatIsNotUsedHereIsNoFault) {
  Facts facts = healthy();
  facts.models.clear();
  facts.llm_mode = "offline";
  facts.services.clear();
  const auto checks = all_checks();
  EXPECT_TRUE(all_well(judge_all(checks, facts)));
  EXPECT_EQ(verdict_of(facts, "model.key").result, Result::skip);
  EXPECT_THAT(verdict_of(facts, "leader.single").evidence, HasSubstr("--coordinator"));
}

TEST(DoctorVerdicts, WaitsThatHaveANameAreNotNamedTwice) {
  Facts facts = healthy();
  facts.queue.snapshot.paused = {"*"};
  facts.queue.snapshot.high = {.length = 200, .oldest_age_seconds = 5000};
  EXPECT_THAT(faults_of(facts), ElementsAre("queue.paused"));
}

TEST(DoctorVerdicts, HoldOffsWithoutFailuresAndOldFailuresAreNoFault) {
  Facts facts = healthy();
  facts.queue.snapshot.backoff["scribe"] = 50;
  facts.queue.snapshot.failures["scribe"] = 4;
  facts.queue.results.push_back(result("timeout", "", 2 * 3600));
  EXPECT_THAT(faults_of(facts), IsEmpty());
}

TEST(DoctorVerdicts, ServiceThatWaitsForSomethingNamedIsNotNamed) {
  Facts facts = healthy();
  facts.definitions.exists = facts.definitions.usable = false;
  facts.services[1].ready_status = 503;
  facts.services[1].reason = "definitions";
  EXPECT_THAT(faults_of(facts), ElementsAre("definitions.path"));
}

TEST(DoctorVerdicts, ExecutorThatALiveRunnerOffersIsThere) {
  Facts facts = healthy();
  facts.definitions.agents[0].executor = "goose";
  facts.queue.runners.push_back(runner("runner-2"));
  facts.queue.runners[1].executors = {"aider", "goose"};
  EXPECT_THAT(faults_of(facts), IsEmpty());
  EXPECT_EQ(verdict_of(facts, "definitions.executor").result, Result::ok);
  facts.queue.runners[1].status = queue::RunnerStatus::draining;
  EXPECT_THAT(faults_of(facts), ElementsAre("definitions.executor"));
  facts.queue.runners.clear();
  const auto unseen = verdict_of(facts, "definitions.executor");
  EXPECT_EQ(unseen.result, Result::skip) << "runner.alive is the fault";
  EXPECT_FALSE(unseen.nothing_to_check);
}

TEST(DoctorVerdicts, NothingIsWellThatWasNotLookedAt) {
  const auto skips = [](const Facts& facts, std::string_view id) {
    const auto verdict = verdict_of(facts, id);
    return verdict.result == Result::skip && !verdict.evidence.empty();
  };
  Facts facts = healthy();
  facts.services[0].metrics["polls_fine"] = 0;
  EXPECT_TRUE(skips(facts, "hub.long_poll")) << "none has ended yet";
  facts.services.clear();
  EXPECT_TRUE(skips(facts, "hub.long_poll")) << "no leader was asked";
  facts.machine.key_files.clear();
  EXPECT_TRUE(skips(facts, "machine.secrets")) << "no file is there";
  facts.machine.unseen_files = {"keys.json: Permission denied"};
  EXPECT_FALSE(verdict_of(facts, "machine.secrets").nothing_to_check);
  EXPECT_TRUE(skips(facts, "machine.secrets"));
  facts.ports_trouble = "timed out";
  for (const char* id : {"ports.taken", "ports.address"}) {
    EXPECT_TRUE(skips(facts, id));
    EXPECT_FALSE(verdict_of(facts, id).nothing_to_check);
  }
}

TEST(DoctorVerdicts, AgentsThatTheHubSaidNothingAboutAreNotWell) {
  Facts facts = healthy();
  facts.definitions.agents.push_back(facts.definitions.agents[0]);
  facts.definitions.agents[1].name = "quiz";
  facts.definitions.agents[1].known_to_hub.reset();
  facts.definitions.registry_trouble = "timed out";
  for (const auto* id : {"definitions.registered", "definitions.resting"}) {
    const auto verdict = verdict_of(facts, id);
    EXPECT_EQ(verdict.result, Result::skip) << id;
    EXPECT_THAT(verdict.evidence, HasSubstr("1 of 2 agents: timed out")) << id;
  }
  // What was answered is judged all the same.
  facts.definitions.agents[0].known_to_hub = false;
  EXPECT_THAT(verdict_of(facts, "definitions.registered").evidence, HasSubstr("scribe"));
  EXPECT_THAT(faults_of(facts), ElementsAre("definitions.registered"));
}

TEST(DoctorVerdicts, PortsThatAreOursFreeOrElsewhereAreWell) {
  auto facts = healthy();
  facts.ports = {port("METRICS_PORT=9095", 9095, {"0.0.0.0"}, "botburrow (process 7)"),
                 port("API_PORT=8001", 8001, {}, ""),
                 url_port("coordinator", "http://c1:9090", "10.0.0.5", {"0.0.0.0"}),
                 url_port("runner", "http://r1:9091", "::1", {"::"}),
                 url_port("Hub", "http://hub:8000", "10.0.0.9", {"127.0.0.1"})};
  facts.ports[0].answered_by = "botburrow-coordinator";
  facts.ports[3].addresses = {"::1", "127.0.0.1"};  // one of a name's addresses is enough
  facts.ports[3].listens_on = {"127.0.0.1"};
  facts.ports[4].here = false;  // another machine's port of the same number
  EXPECT_THAT(faults_of(facts), IsEmpty());
  EXPECT_THAT(verdict_of(facts, "ports.taken").evidence,
              AllOf(HasSubstr("botburrow-coordinator's"), HasSubstr("API_PORT=8001 is free")));
}

TEST(DoctorLooks, WhoWaitsForConnectionsStandsInTheKernelsTable) {
  std::istringstream v4(
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
      "inode\n"
      "   0: 0100007F:2382 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
      "12345 1 0000000000000000 100 0 0 10 0\n"
      "   1: 0500000A:2382 0600000A:C350 01 00000000:00000000 00:00000000 00000000     0        0 "
      "12346 1 0000000000000000 20 4 30 10 -1\n");
  const auto found = listeners_of(v4);
  ASSERT_EQ(found.size(), 1u) << "connections are no listeners";
  EXPECT_EQ(found[0].address, "127.0.0.1");
  EXPECT_EQ(found[0].port, 9090);
  EXPECT_EQ(found[0].inode, 12345u);
  std::istringstream v6(
      "  sl  local_address                         remote_address                        st ...\n"
      "   0: 00000000000000000000000001000000:1F40 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000 100 0 0 10 0\n"
      "   1: 0000000000000000FFFF00000100007F:1F41 00000000000000000000000000000000:0000 0A "
      "00000000:00000000 00:00000000 00000000     0        0 78 1 0000000000000000 100 0 0 10 0\n");
  const auto six = listeners_of(v6);
  ASSERT_EQ(six.size(), 2u);
  EXPECT_EQ(six[0].address, "::1");
  EXPECT_EQ(six[0].port, 8000);
  EXPECT_EQ(six[1].address, "127.0.0.1");
}

TEST(DoctorLooks, TheTightestMemoryLimitOfAnyGroupAboveCounts) {
  const ScratchFolder folder;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::filesystem::create_directories(
        std::filesystem::path(folder.path() + "/" + name).parent_path());
    std::ofstream(folder.path() + "/" + name) << text;
  };
  const auto find = [&](const char* own) {
    std::istringstream text(own);
    return find_cgroup_memory(folder.path(), text);
  };
  const auto* deep = "0::/system.slice/botburrow-runner@a.service\n";
  EXPECT_FALSE(find(deep));
  write("system.slice/botburrow-runner@a.service/memory.max", "max\n");
  write("system.slice/memory.max", "1000\n");
  write("system.slice/memory.current", "950\n");
  write("system.slice/memory.stat", "anon 100\ninactive_file 50\n");
  auto group = find(deep);
  ASSERT_TRUE(group);
  EXPECT_EQ(group->limit, 1000u);
  EXPECT_EQ(group->used, 900u);
  EXPECT_EQ(group->path, "/system.slice");
  // A container sees its own group at the root, whatever its path says.
  write("memory.max", "500");
  EXPECT_EQ(find("0::/kubepods/pod1\n")->limit, 500u);
  // Version 1.
  write("memory/docker/abc/memory.limit_in_bytes", "300\n");
  write("memory/docker/abc/memory.usage_in_bytes", "290\n");
  write("memory/docker/abc/memory.stat", "inactive_file 1\ntotal_inactive_file 40\n");
  write("memory/memory.limit_in_bytes", "9223372036854771712\n");
  group = find("5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n");
  ASSERT_TRUE(group);
  EXPECT_EQ(group->limit, 300u);
  EXPECT_EQ(group->used, 250u);
  EXPECT_FALSE(find("4:memory:/elsewhere\n")) << "no limit at all";
}

TEST(DoctorLooks, PagesOfFilesThatNobodyUsesAreNotMemoryInUse) {
  std::istringstream stat("anon 100\nfile 900\ninactive_file 700\nactive_file 200\n");
  EXPECT_EQ(memory_in_use(1000, stat), 300u);
  std::istringstream more("inactive_file 2000\n");
  EXPECT_EQ(memory_in_use(1000, more), 0u);
  std::istringstream none("");
  EXPECT_EQ(memory_in_use(1000, none), 1000u);
}

TEST(DoctorVerdicts, HubWithoutLongPollsIsNoFault) {
  Facts facts = healthy();
  facts.hub.poll_status = 404;
  EXPECT_THAT(faults_of(facts), IsEmpty());
  EXPECT_THAT(verdict_of(facts, "hub.long_poll").evidence, HasSubstr("POLL_INTERVAL"));
}

}  // namespace
}  // namespace botburrow::cli::doctor
