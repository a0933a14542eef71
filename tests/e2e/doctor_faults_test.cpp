// Faults of machine, Redis, Hub, services, queues and definitions, one after another: doctor must
// name each, and nothing else. doctor_test.cpp has those of settings and the ways that doctor
// itself is used.
#include "doctor_world.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/small_volume.hpp"

#include <fmt/format.h>

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace botburrow::e2e {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DoctorNames : public DoctorWorld {
 protected:
  /// A wire of its own between somebody and the Hub or Redis.
  test::FaultProxy wire_to(int port) { return test::FaultProxy::to_tcp(io_.get_executor(), port); }
  int hub_port() const { return std::stoi(hub_url_.substr(hub_url_.rfind(':') + 1)); }
  /// An item as a program of others pushes it, that has waited for so long.
  static std::string item(const std::string& agent, long long waited) {
    return fmt::format(R"({{"agent_id": "{0}", "agent_name": "{0}", "task_type": "inbox", )"
                       R"("priority": "high", "inbox_count": 1, "created_at": {1}.5}})",
                       agent, std::time(nullptr) - waited);
  }
  /// Whether what the runner says of itself holds this text.
  bool runner_says(const std::string& text) {
    const auto keys = cli({"KEYS", "runner:heartbeat:*"});
    return !keys.empty() && cli_line({"GET", keys.front()}).find(text) != std::string::npos;
  }
  /// What the wall clock of a process shows that starts with it: `seconds` off.
  Variables clock_off_by(long long seconds) {
    const long long nanoseconds = seconds * 1'000'000'000;
    std::string bytes(sizeof nanoseconds, '\0');
    std::memcpy(bytes.data(), &nanoseconds, sizeof nanoseconds);
    folder_.write("clock", bytes);
    const char* parts = std::getenv("BOTBURROW_TEST_PARTS");
    const auto shim =
        parts != nullptr ? std::string(parts) + "/libbb_clockshim.so" : BOTBURROW_CLOCKSHIM;
    return {{"LD_PRELOAD", shim}, {"BB_CLOCK_FILE", folder_.file("clock")}};
  }
  static bool is_root() { return ::geteuid() == 0; }
};

TEST_F(DoctorNames, FaultsOfThisMachine) {
  start_services();
  expect_fault("settings.placeholder", {{"GITHUB_PAT", "REPLACE_WITH_TOKEN"}});
  EXPECT_THAT(faults_of(doctor_after("ulimit -n 256")), ElementsAre("machine.files"));
  if (!is_root() || !test::SmallVolume::possible()) GTEST_SKIP() << "the rest needs root";

  const test::SmallVolume volume(4 << 20);
  volume.make_read_only(true);
  expect_fault("machine.mounts", {{"WORKSPACE_ROOT", volume.path()}});

  // A container that has used up its memory: what the kernel would show it.
  folder_.write("cgroup/memory.max", "100000000\n");
  folder_.write("cgroup/memory.current", "99000000\n");
  folder_.write("cgroup/memory.stat", "anon 98000000\ninactive_file 1000000\n");
  const auto ran =
      run_other("unshare", {"-m", "sh", "-c",
                            "mount --bind \"$1\" /sys/fs/cgroup && exec \"$0\" doctor --json",
                            program_path(), folder_.file("cgroup")});
  EXPECT_THAT(faults_of(ran), ElementsAre("machine.memory")) << ran.out << ran.err;
}

TEST_F(DoctorNames, FaultsOfRedis) {
  start_services();
  cli({"REPLICAOF", "127.0.0.1", fmt::to_string(closed_port(io_))});
  await_fault("redis.state");
  cli({"CONFIG", "SET", "replica-serve-stale-data", "no"});
  await_fault("redis.state");
  cli({"CONFIG", "SET", "replica-serve-stale-data", "yes"});
  cli({"REPLICAOF", "NO", "ONE"});
  await_all_well();

  long long used = 0;
  for (const auto& line : cli({"INFO", "memory"}))
    if (line.starts_with("used_memory:")) used = std::stoll(line.substr(line.find(':') + 1));
  cli({"CONFIG", "SET", "maxmemory", fmt::to_string(used + used / 20)});
  await_fault("redis.memory");
  cli({"CONFIG", "SET", "maxmemory", "0"});

  auto slow = wire_to(redis_.port());
  slow.delay(15ms);
  expect_fault(
      "redis.latency",
      {{"REDIS_URL", fmt::format("redis://:redis-canary-0123456789@127.0.0.1:{}", slow.port())}});
  expect_all_well();
}

TEST_F(DoctorNames, RedisWhoseClockIsOff) {
  start_services();
  const auto off = clock_off_by(-600);
  std::vector<std::string> environment;
  for (const auto& [name, value] : off)
    environment.push_back(name + "=" + value);
  const test::PrivateRedis late(
      {.appendonly = true, .tcp = true, .extra = {}, .environment = environment});
  set("REDIS_URL", late.tcp_url());
  coordinator_ = runner_ = nullptr;
  start({"coordinator"});
  start({"runner"});
  await_fault("clock.redis");
}

TEST_F(DoctorNames, HubWhoseClockIsOff) {
  kill_hub();
  for (const auto& [name, value] : clock_off_by(3600))
    set(name, value);
  restart_hub();
  set("LD_PRELOAD", "");
  start_services();
  expect_fault("clock.hub");
}

TEST_F(DoctorNames, FaultsOfTheHub) {
  start_services();
  auto slow = wire_to(hub_port());
  slow.delay(520ms);
  expect_fault("hub.latency", {{"HUB_URL", slow.http_url()}});

  auto without_lists = wire_to(hub_port());
  without_lists.tap([](std::size_t, test::Way way, std::string_view bytes) {
    return test::Fate{.cut = way == test::Way::forth &&
                             bytes.find("GET /api/v1/agents?") != std::string_view::npos};
  });
  expect_fault("hub.lists", {{"HUB_URL", without_lists.http_url()}});
  EXPECT_EQ(admin("PATCH", "/agents/anna", {{"status", "retired"}}).status, 200);
  expect_fault("definitions.resting");
  EXPECT_EQ(admin("PATCH", "/agents/anna", {{"status", "active"}}).status, 200);
  expect_all_well();
}

TEST_F(DoctorNames, HubWhoseDiskIsFull) {
  if (!test::SmallVolume::possible()) GTEST_SKIP() << "needs root";
  start_services();
  kill_hub();
  const test::SmallVolume volume(8 << 20);
  std::filesystem::copy(data(), volume.path() + "/hub", std::filesystem::copy_options::recursive);
  std::filesystem::remove_all(data());
  std::filesystem::create_directory_symlink(volume.path() + "/hub", data());
  restart_hub();
  await_all_well();
  volume.fill();
  await_fault("hub.health");
  volume.empty();
  await_all_well();
  hub_->kill9();
}

TEST_F(DoctorNames, LongPollsThatAreCut) {
  auto wire = wire_to(hub_port());
  wire.tap([](std::size_t, test::Way way, std::string_view bytes) {
    return test::Fate{.cut = way == test::Way::forth &&
                             bytes.find("/notifications/poll") != std::string_view::npos};
  });
  coordinator_ = &start({"coordinator"}, {{"HUB_URL", wire.http_url()}});
  runner_ = &start({"runner"});
  await_ready(*runner_);
  await_fault("hub.long_poll");
}

TEST_F(DoctorNames, FaultsOfTheLeader) {
  start_services();
  const test::PrivateRedis other({.tcp = true, .extra = {}, .environment = {}});
  auto& second = start({"coordinator"}, {{"REDIS_URL", other.tcp_url()}});
  await_event(second, "became_leader");
  await_fault("leader.single", {}, {"--coordinator", url_of(second)});
  second.kill9();
  expect_all_well();

  // One that is down while another leads.
  auto& next = start({"coordinator"});
  await_ready(next);
  coordinator_->kill9();
  await_fault("coordinator.ready", {}, {"--coordinator", url_of(next)});
  next.kill9();
  coordinator_ = &start({"coordinator"});
  await_ready(*coordinator_);
  await_all_well();

  // Gone without a word; then hanging: its address says the same, and is not named beside it.
  coordinator_->kill9();
  await_fault("leader.present");
  coordinator_ = &start({"coordinator"});
  await_ready(*coordinator_);
  await_all_well();
  coordinator_->signal(SIGSTOP);
  await_fault("leader.present");
  coordinator_->signal(SIGCONT);
  await_all_well();
}

TEST_F(DoctorNames, GenerationThatIsNotMade) {
  auto wire = wire_to(hub_port());
  start_services();
  coordinator_->kill9();
  coordinator_ = &start({"coordinator"}, {{"HUB_URL", wire.http_url()}});
  await_ready(*coordinator_);
  await_all_well();
  // The leader is refused what it compares Redis with.
  wire.tap([](std::size_t, test::Way way, std::string_view bytes) {
    return test::Fate{.cut = way == test::Way::forth &&
                             bytes.find("/system/generation") != std::string_view::npos};
  });
  cli({"DEL", "work:generation"});
  await_fault("leader.generation");
}

TEST_F(DoctorNames, FaultsOfRunners) {
  std::filesystem::copy(definitions(), folder_.file("own"),
                        std::filesystem::copy_options::recursive);
  start_services("hybrid", {{"AGENT_DEFINITIONS_PATH", folder_.file("own")}});
  std::filesystem::rename(folder_.file("own"), folder_.file("away"));
  await_fault("runner.ready");
  std::filesystem::rename(folder_.file("away"), folder_.file("own"));
  await_all_well();

  // One that died half a minute ago: what it said last is still there, and grows old.
  const auto key = cli({"KEYS", "runner:heartbeat:*"}).front();
  const auto beat = cli_line({"GET", key});
  const auto when = to_rfc3339(from_unix(static_cast<double>(std::time(nullptr) - 45)));
  static const std::regex time(R"("timestamp": ?"[^"]*")");
  cli({"SET", "runner:heartbeat:gone",
       std::regex_replace(std::regex_replace(beat, time, "\"timestamp\":\"" + when + "\""),
                          std::regex(R"("runner_id": ?"[^"]*")"), "\"runner_id\":\"gone\"")});
  expect_fault("runner.heartbeat");
  cli({"DEL", "runner:heartbeat:gone"});
  expect_all_well();

  // All of them, with their addresses.
  runner_->kill9();
  cli({"DEL", key});
  expect_fault("runner.alive");
}

TEST_F(DoctorNames, RunnersWithoutASandbox) {
  // A machine whose kernel makes no namespaces, as many containers are.
  coordinator_ = &start({"coordinator"});
  runner_ = &start_after(
      "exec unshare --user --map-root-user sh -c '"
      "for kind in user mnt pid; do echo 0 >/proc/sys/user/max_${kind}_namespaces; done; "
      "exec \"$0\" \"$@\"' \"$0\" \"$@\"",
      {"runner"}, {{"SANDBOX_BACKEND", "bwrap"}});
  await_fault("runner.sandbox");
}

TEST_F(DoctorNames, ActivationsThatTakeTooLong) {
  start_services("hybrid", {{"ACTIVATION_TIMEOUT", "10"}, {"LLM_TIMEOUT", "1800"}});
  model().script([](const auto&) {
    return test::LlmSimulator::Answer::broken(test::LlmSimulator::Fault::silence);
  });
  post_as_owner("@anna are you there?");
  await_fault("runner.timeouts");
}

TEST_F(DoctorNames, ActivationsThatGoOnAndOn) {
  define_agent("anna", {.behavior = "  max_iterations: 2\n"});
  start_services();
  model().script([](const auto&) { return test::LlmSimulator::Answer::call("hub_get_feed"); });
  post_as_owner("@anna are you there?");
  await_fault("runner.iterations");
}

TEST_F(DoctorNames, ActivationsThatFail) {
  std::string all;
  for (const std::string name : {"bert", "carl", "dora", "emil", "fred"}) {
    define_agent(name);
    register_agent(name);
    all += "@" + name + " ";
  }
  start_services();
  model().script([](const auto&) { return test::LlmSimulator::Answer::error(400); });
  post_as_owner(all + "are you there?");
  await_fault("runner.failures");
}

TEST_F(DoctorNames, RunnersThatAreFull) {
  start_services("hybrid", {{"MAX_CONCURRENT_ACTIVATIONS", "1"}});
  model().script([](const auto&) {
    return test::LlmSimulator::Answer::broken(test::LlmSimulator::Fault::silence);
  });
  post_as_owner("@anna are you there?");
  eventually("it is busy", [&] { return runner_says("busy"); });
  // Older than what queue.age allows, which follows from it.
  cli({"LPUSH", "work:queue:high", item("bert", 1000)});
  await_fault("runner.capacity");
}

TEST_F(DoctorNames, QueuesThatNobodyEmpties) {
  start_services();
  runner_->signal(SIGSTOP);
  auto* hangs = std::exchange(runner_, nullptr);
  cli({"LPUSH", "work:queue:high", item("bert", 1000)});
  await_fault("queue.age");
  ask({"queue", "drop", "bert", "--json"});

  Words words = {"LPUSH", "work:queue:high"};
  for (int i = 0; i < 101; ++i)
    words.push_back(item(fmt::format("agent-{}", i), 1));
  cli(words);
  await_fault("queue.backlog");
  hangs->signal(SIGCONT);
}

TEST_F(DoctorNames, ItemsThatWereRemovedByHand) {
  start_services();
  runner_->signal(SIGSTOP);
  auto* hangs = std::exchange(runner_, nullptr);
  ask({"queue", "add", "bert", "--unchecked", "--json"});
  cli({"DEL", "work:queued", "work:queue:high", "work:queue:normal"});
  expect_fault("queue.census");
  hangs->signal(SIGCONT);
}

TEST_F(DoctorNames, ReportsThatTheHubDoesNotTake) {
  start_services();
  Words words = {"HSET", "work:outbox"};
  for (int i = 0; i < 51; ++i) {
    words.push_back(fmt::format("report-{}", i));
    words.emplace_back("{\"no\":\"report\"}");
  }
  cli(words);
  expect_fault("queue.outbox");
}

TEST_F(DoctorNames, FaultsOfDefinitionsAndServers) {
  start_services();
  define_agent("anna", {.grants = "hub:read"});
  expect_fault("definitions.voice");
  folder_.write("servers.yaml", "servers:\n  - [\n");
  define_agent("anna");
  expect_fault("mcp.registry", {{"MCP_SERVERS_FILE", folder_.file("servers.yaml")}});
  define_agent("anna", {.grants = "hub:read, hub:write, github:read",
                        .capabilities = "  mcp_servers: [github]\n"});
  expect_fault("mcp.credential", {{"MCP_GITHUB_COMMAND", "/bin/true"}});
  define_agent("anna");
  const auto file = "definitions/agents/anna/config.yaml";
  const auto with_provider = [&](const std::string& text) {
    folder_.write(file, std::regex_replace(folder_.read(file), std::regex("provider: .*"),
                                           "provider: " + text));
  };
  with_provider("house");
  expect_fault("definitions.valid");
  with_provider("openai\n  api_base: http://127.0.0.1:9/v1?key=1");
  expect_fault("model.address");
  define_agent("anna");
  expect_all_well();
}

TEST_F(DoctorNames, UpThatWasEnded) {
  data_name_ = "other";
  auto& program = up();
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
  const auto ran = run({"doctor", "--data", data(), "--json"});
  EXPECT_THAT(faults_of(ran), ElementsAre("system.running"));
}

}  // namespace
}  // namespace botburrow::e2e
