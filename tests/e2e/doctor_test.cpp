// Doctor against real services: each fault is put in, and must be named, and nothing else.
#include "doctor_world.hpp"
#include "tests/support/hung_folder.hpp"
#include "tests/support/small_volume.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace botburrow::e2e {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Doctor = DoctorWorld;

TEST_F(Doctor, NamesWhatIsWrongWithTheSettingsOfAHealthySystem) {
  start_services();
  expect_all_well();

  expect_fault("settings.valid", {{"POLL_INTERVAL", "abc"}});
  expect_fault("settings.conflict", {{"POLL_INTERVAL", "30"}, {"BOTBURROW_POLL_INTERVAL", "10"}});
  expect_fault("settings.unknown", {{"BOTBURROW_POL_INTERVAL", "10"}});
  expect_fault("settings.times", {{"ACTIVATION_TIMEOUT", "60"}});
  expect_fault("hub.key", {{"HUB_API_KEY", secret("botburrow_service_wrong_canary_0123")}});
  expect_fault("hub.reach", {{"HUB_URL", "http://" + nobody_listens()}});
  expect_fault("hub.name", {{"HUB_URL", "http://no-such-hub.invalid:8000"}});
  expect_fault("machine.proxy", {{"http_proxy", "http://" + nobody_listens()}});
  expect_fault("definitions.path", {{"AGENT_DEFINITIONS_PATH", folder_.file("nowhere")}});
  expect_fault("model.key", {{"ANTHROPIC_API_KEY", ""}, {"ANTHROPIC_BASE_URL", ""}});
  expect_fault("model.accepts", {{"ANTHROPIC_API_KEY", secret("sk-wrong-canary-0123456789")}});
  expect_fault("model.reach", {{"ANTHROPIC_BASE_URL", "http://" + nobody_listens()}});
  const auto nested = doctor({{"AGENT_DEFINITIONS_PATH", folder_.path()}});
  EXPECT_THAT(faults_of(nested), ElementsAre("definitions.path"));
  EXPECT_THAT(nested.out, HasSubstr("AGENT_DEFINITIONS_PATH=" + definitions()));
}

TEST_F(Doctor, LooksForProgramsOfServersWhereRunnersDo) {
  define_agent("anna", {.grants = "hub:read, hub:write, desk:use",
                        .capabilities = "  mcp_servers: [desk]\n"});
  start_services();
  expect_all_well();
  expect_fault("mcp.program", {{"MCP_DESK_COMMAND", "/opt/none/desk"}});
}

TEST_F(Doctor, NamesWhatIsWrongWithRedis) {
  start_services();
  expect_fault("redis.key",
               {{"REDIS_URL", fmt::format("redis://:{}@127.0.0.1:{}",
                                          secret("wrong-redis-canary-0123"), redis_.port())}});
  expect_fault("redis.key", {{"REDIS_URL", fmt::format("redis://127.0.0.1:{}", redis_.port())}});
  expect_fault("redis.reach", {{"REDIS_URL", "redis://" + nobody_listens()}});
  expect_fault("redis.name", {{"REDIS_URL", "redis://no-such-redis.invalid:6379"}});
  cli({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  expect_fault("redis.eviction");
  cli({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  cli({"CONFIG", "SET", "appendonly", "no"});
  expect_fault("redis.durability");
}

TEST_F(Doctor, NamesWhatIsWrongInTheQueues) {
  start_services("notification");
  ask({"agents", "pause", "--all", "--json"});
  expect_fault("queue.paused");
  ask({"agents", "resume", "--all", "--json"});

  cli({"HSET", "work:failures", "anna", "5"});
  cli({"HSET", "work:backoff", "anna", "99999999999"});
  expect_fault("queue.breaker");
  ask({"backoff", "clear", "anna", "--json"});

  ask({"queue", "add", "anna", "--unchecked", "--task", "discovery", "--json"});
  expect_fault("queue.mode");
  ask({"queue", "drop", "anna", "--json"});

  cli({"LPUSH", "work:queue:high", "this is no item"});
  eventually("it is a dead letter", [&] { return cli_line({"LLEN", "work:dead"}) == "1"; });
  expect_fault("queue.dead");
  ask({"dead", "clear", "--all", "--json"});
  expect_all_well();
}

TEST_F(Doctor, ConsoleOfTheLeaderSaysThatTheHubIsAway) {
  start_services();
  const auto hub = [&] {
    const auto state = parse_json(get(url_of(*coordinator_) + "/console/api/state").body, "state");
    const auto* seen = find_field(state, "hub");
    return seen && seen->is_object() ? bool_field(*seen, "ok") : std::nullopt;
  };
  eventually("it has answered", [&] { return hub() == true; });
  kill_hub();
  eventually("it is away", [&] { return hub() == false; }, 60s);
}

TEST_F(Doctor, NamesWhoIsAway) {
  start_services();
  // By Redis alone: the addresses are not given here.
  const auto coordinator = std::exchange(coordinator_, nullptr);
  coordinator->signal(SIGTERM);
  EXPECT_EQ(coordinator->wait(), 0);
  expect_fault("leader.present");
  runner_->signal(SIGTERM);
  EXPECT_EQ(runner_->wait(), 0);
  auto& next = start({"coordinator"});
  await_event(next, "became_leader");
  expect_fault("runner.alive");
}

TEST_F(Doctor, LeaderThatHangsIsNamed) {
  start_services();
  coordinator_->signal(SIGSTOP);
  const auto url = url_of(*coordinator_);
  const auto ran = run({"doctor", "--json", "--runner", url_of(*runner_)}, {}, 25s);
  coordinator_->signal(SIGCONT);
  EXPECT_THAT(faults_of(ran), ElementsAre("leader.present"));
  EXPECT_THAT(ran.out, HasSubstr("has not renewed it"));
}

TEST_F(Doctor, NamesWhatIsWrongWithDefinitions) {
  start_services();
  define_agent("bert");
  expect_fault("definitions.registered");
  register_agent("bert");
  define_agent("bert", {.type = "goose"});
  expect_fault("definitions.executor");
  folder_.write("definitions/agents/bert/config.yaml", "name: [\n");
  expect_fault("definitions.valid");
  define_agent("bert");
  folder_.write("permissions.yaml",
                "default:\n  allowed_grants: [\"hub:*\"]\n  denied_grants: [\"hub:write\"]\n");
  expect_fault("definitions.grants",
               {{"AGENT_PERMISSIONS_PATH", folder_.file("permissions.yaml")}});
  expect_all_well();
  if (!test::HungFolder::possible()) return;
  const test::HungFolder hung(definitions() + "/agents");
  const auto ran = run({"doctor", "--json"}, {}, 25s);
  EXPECT_THAT(faults_of(ran), ElementsAre("definitions.path"));
  EXPECT_THAT(ran.out, HasSubstr("timed out"));
}

TEST_F(Doctor, FullDiskAndBrokenMountAreNamed) {
  if (!test::SmallVolume::possible()) GTEST_SKIP() << "needs root";
  start_services();
  const test::SmallVolume volume(4 << 20);
  volume.fill();
  expect_fault("machine.disk", {{"WORKSPACE_ROOT", volume.path()}});
}

TEST_F(Doctor, PortsThatOthersHoldOrThatListenElsewhereAreNamed) {
  start_services();
  const TakenPort taken(io_);
  const auto setting = fmt::format("METRICS_PORT={}", taken.number());
  const auto ran = doctor({{"METRICS_PORT", std::to_string(taken.number())}});
  EXPECT_THAT(faults_of(ran), ElementsAre("ports.taken")) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr(fmt::format("{} is held by ", setting)));
  EXPECT_THAT(ran.out, HasSubstr(fmt::format("(process {})", ::getpid())));
  // Another service of ours where a runner should be.
  const auto swapped = run({"doctor", "--json", "--runner", url_of(*coordinator_)}, {}, 25s);
  EXPECT_THAT(faults_of(swapped), ElementsAre("ports.taken")) << swapped.out;
  // A service listens on 127.0.0.1 alone, and a URL names another address of this machine.
  auto& local = start({"runner"}, {{"METRICS_HOST", "127.0.0.1"}, {"RUNNER_ID", "local"}});
  const auto port = url_of(local).substr(url_of(local).rfind(':'));
  const auto aside = run({"doctor", "--json", "--runner", "http://127.0.0.2" + port}, {}, 25s);
  EXPECT_THAT(faults_of(aside), ElementsAre("ports.address")) << aside.out;
  EXPECT_THAT(aside.out, HasSubstr("listens on 127.0.0.1 only"));
}

TEST_F(Doctor, EndsByItselfWhereNothingAnswers) {
  // Connections are taken by the kernel, and nobody ever reads from them.
  const TakenPort silent(io_);
  const auto place = fmt::format("127.0.0.1:{}", silent.number());
  const auto ran = run({"doctor", "--json", "--coordinator", "http://" + place},
                       {{"REDIS_URL", "redis://" + place},
                        {"HUB_URL", "http://" + place},
                        {"ANTHROPIC_BASE_URL", "http://" + place}},
                       25s);
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(faults_of(ran),
              ElementsAre("redis.reach", "hub.reach", "coordinator.ready", "model.reach"));
}

TEST_F(Doctor, FindsARunningUpByItsFolder) {
  data_name_ = "other";
  up();
  const auto ran = run({"doctor", "--data", data(), "--json"});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  std::filesystem::permissions(data() + "/keys.json", std::filesystem::perms(0644));
  const auto open = run({"doctor", "--data", data(), "--json"});
  EXPECT_EQ(open.code, 1);
  EXPECT_THAT(faults_of(open), ElementsAre("machine.secrets"));
}

}  // namespace
}  // namespace botburrow::e2e
