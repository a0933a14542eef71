#include "services_world.hpp"
#include "tests/support/hung_folder.hpp"
#include "tests/support/sanitizers.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <signal.h>

#include <set>

namespace botburrow::e2e {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

/// What services do without the things they need: they stay, and say what is missing.
class Faults : public ServicesWorld {
 protected:
  void expect_alive(Program& service, const std::string& reason) {
    const auto url = url_of(service);
    EXPECT_EQ(get(url + "/health").status, 200);
    const auto ready = get(url + "/ready");
    if (reason.empty()) {
      EXPECT_EQ(ready.status, 200) << ready.body;
    } else {
      EXPECT_EQ(ready.status, 503);
      EXPECT_EQ(text_of(parse_json(ready.body, "/ready"), "reason"), reason);
    }
    EXPECT_FALSE(service.ended());
  }
  void await_text(Program& service, const std::string& text) {
    eventually("log holds: " + text, [&] { return service.out().find(text) != std::string::npos; });
  }
  void expect_clean_end(Program& service) {
    service.signal(SIGTERM);
    EXPECT_EQ(service.wait(20s), 0) << service.err();
  }
};

TEST_F(Faults, WithoutRedisServicesWaitForIt) {
  start_hub();
  redis_.kill9();
  auto& coordinator = start({"coordinator"});
  auto& runner = start({"runner"});
  for (auto* service : {&coordinator, &runner}) {
    await_text(*service, "Error connecting to Redis: Connection refused");
    expect_alive(*service, "redis");
  }
  redis_.start();
  for (auto* service : {&coordinator, &runner}) {
    const auto line = await_event(*service, "redis_connected");
    EXPECT_THAT(to_json(line), HasSubstr("***")) << "the password is masked";
    eventually("ready", [&] { return get(url_of(*service) + "/ready").status == 200; });
  }
  expect_clean_end(coordinator);
  expect_clean_end(runner);
}

TEST_F(Faults, WrongRedisPasswordIsSaid) {
  start_hub();
  auto& runner =
      start({"runner"}, {{"REDIS_URL", fmt::format("redis://:{}@127.0.0.1:{}",
                                                   secret("wrong-redis-canary"), redis_.port())}});
  await_text(runner, "Error connecting to Redis: ");
  await_text(runner, "WRONGPASS");
  expect_alive(runner, "redis");
}

TEST_F(Faults, WithoutTheHubServicesStay) {
  set("HUB_URL", fmt::format("http://127.0.0.1:{}", closed_port(io_)));
  set("HUB_API_KEY", secret("botburrow_service_canary_0123456789"));
  auto& coordinator = start({"coordinator"});
  auto& runner = start({"runner"});
  eventually("it waits for the Hub's word", [&] {
    return text_of(parse_json(get(url_of(runner) + "/ready").body, "/ready"), "reason") == "hub";
  });
  await_event(coordinator, "became_leader");
  await_event(coordinator, "poll_error", [](const auto& line) {
    return text_of(line, "error").find("Connection refused") != std::string::npos;
  });
  expect_alive(coordinator, "");
  eventually("it goes on without", [&] { return get(url_of(runner) + "/ready").status == 200; });
  expect_clean_end(coordinator);
  expect_clean_end(runner);
}

TEST_F(Faults, WrongHubKeyIsSaidInPlainWords) {
  start_hub();
  set("HUB_API_KEY", secret("botburrow_service_canary_wrong_0123456789"));
  auto& coordinator = start({"coordinator"});
  await_text(coordinator, "401 Unauthorized from Hub API");
  await_event(coordinator, "hub_auth_error", [](const auto& line) {
    return text_of(line, "setting") == "HUB_API_KEY" &&
           text_of(line, "fix").find("a key of type service") != std::string::npos;
  });
  expect_alive(coordinator, "hub_key");
  expect_clean_end(coordinator);

  define_agent("anna");
  auto& runner = start({"runner"});
  const auto line = await_event(runner, "hub_auth_error");
  EXPECT_EQ(text_of(line, "setting"), "HUB_API_KEY");
  EXPECT_THAT(text_of(line, "fix"), HasSubstr("a key of type service"));
  expect_alive(runner, "hub_key");
  EXPECT_TRUE(runner.events("work_claimed").empty());
  expect_clean_end(runner);
}

TEST_F(Faults, WithoutDefinitionsARunnerIsNotReady) {
  start_hub();
  auto& runner = start({"runner", "--definitions", folder_.file("nowhere")});
  await_event(runner, "redis_connected");
  eventually("the reason is known", [&] {
    return text_of(parse_json(get(url_of(runner) + "/ready").body, "/ready"), "reason") ==
           "definitions";
  });
  expect_alive(runner, "definitions");
}

TEST_F(Faults, DefinitionsThatHangStopNoService) {
  if (test::kSanitized) GTEST_SKIP() << "the search for leaks waits for the thread that hangs";
  if (!test::HungFolder::possible()) GTEST_SKIP() << "needs root and /dev/fuse";
  start_hub();
  define_agent("anna");
  register_agent("anna");
  auto& coordinator = start({"coordinator"});
  auto& runner = start({"runner"});
  eventually("ready", [&] { return get(url_of(runner) + "/ready").status == 200; });
  const test::HungFolder hung(definitions() + "/agents");
  post_as_owner("@anna are you there?");
  await_event(runner, "work_claimed");
  eventually("not ready", [&] { return get(url_of(runner) + "/ready").status == 503; });
  expect_alive(runner, "definitions");
  expect_clean_end(runner);
  EXPECT_FALSE(runner.events("runner_stopped").empty());
  auto& late = start({"coordinator"});
  expect_clean_end(coordinator);
  await_event(late, "became_leader");
  expect_clean_end(late);
}

TEST_F(Faults, ALookBesideALeaderGivesUp) {
  start_hub();
  set("LEADER_LEASE_SECONDS", "3");
  auto& coordinator = start({"coordinator"});
  await_event(coordinator, "became_leader");
  const auto ran = run({"coordinator", "--once"}, {{"INSTANCE_ID", "second"}});
  EXPECT_EQ(ran.code, 124);
  EXPECT_THAT(ran.err_lines().back(), HasSubstr("leads and goes on (9 s were waited)"));
  EXPECT_TRUE(ran.out.empty()) << ran.out;
  expect_clean_end(coordinator);
  EXPECT_EQ(run({"coordinator", "--once"}).code, 0);
}

// The disk under the Hub fails for a while: strace gives the answers of a kernel with that trouble.
TEST_F(Faults, TheHubTellsWhatIsWrongWithItsDisk) {
  if (!std::filesystem::exists("/usr/bin/strace")) GTEST_SKIP() << "needs strace";
  start_hub();
  const struct {
    const char* fault;
    const char* cause;
  } troubles[] = {{"EIO", "io_error"}, {"ENOSPC", "disk_full"}, {"EROFS", "read_only"}};
  int number = 0;
  for (const auto& trouble : troubles) {
    Program tracer(io_, {.path = "/usr/bin/strace",
                         .arguments = {"-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e",
                                       fmt::format("inject=pwrite64:error={}", trouble.fault), "-p",
                                       std::to_string(hub_->pid())}});
    const auto write = [&] {
      return admin("POST", "/agents/register", {{"name", fmt::format("agent-{}", number++)}});
    };
    json::value body;
    eventually(std::string("said: ") + trouble.cause, [&] {
      const auto answer = write();
      body = parse_json(answer.body, "answer");
      return answer.status == 503 && text_of(body, "code") == trouble.cause;
    });
    EXPECT_FALSE(text_of(body, "hint").empty());
    await_event(*hub_, "hub_request_failed", [&](const auto& line) {
      return text_of(line, "cause") == trouble.cause &&
             text_of(line, "error").find(text_of(body, "hint")) != std::string::npos;
    });
    tracer.signal(SIGTERM);
    tracer.wait();
    eventually("healed", [&] { return write().status == 201; });
  }
  expect_clean_end(*hub_);
}

TEST_F(Faults, UnknownAgentFailsItsActivationAlone) {
  use_model();
  start_hub();
  define_agent("anna");
  register_agent("anna");
  register_agent("ghost");
  start({"coordinator"});
  auto& runner = start({"runner"});
  const auto id = post_as_owner("@ghost and @anna");
  const auto failed = await_event(runner, "activation_failed");
  EXPECT_EQ(text_of(failed, "agent_name"), "ghost");
  EXPECT_THAT(text_of(failed, "error"), HasSubstr("Agent config not found: "));
  EXPECT_THAT(text_of(failed, "error"), HasSubstr("/agents/ghost/config.yaml"));
  eventually("anna answers", [&] { return answers_of(look_at(id), "anna").size() == 1; });
}

TEST_F(Faults, BrokenDefinitionHidesNobody) {
  use_model();
  start_hub();
  define_agent("anna");
  folder_.write("definitions/agents/broken/config.yaml", "name: broken\ntype: [native\n");
  register_agent("anna");
  register_agent("broken");
  start({"coordinator"});
  auto& runner = start({"runner"});
  const auto id = post_as_owner("@broken and @anna");
  await_event(runner, "agent_config_invalid");
  eventually("anna answers", [&] { return answers_of(look_at(id), "anna").size() == 1; });
}

TEST_F(Faults, TakenPortEndsWithOneLine) {
  const TakenPort taken(io_);
  set("HUB_URL", "http://127.0.0.1:1");
  const auto port = std::to_string(taken.number());
  for (const auto& words : std::vector<Words>{{"coordinator", "--metrics-port", port},
                                              {"runner", "--metrics-port", port},
                                              {"hub", "--hub-port", port, "--data", data()}}) {
    const auto ran = run(words);
    EXPECT_EQ(ran.code, 69) << words.front() << ran.err;
    EXPECT_EQ(ran.err_lines().size(), 1u) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(port));
  }
}

/// Settings are the only thing that ends a service: one line a problem, exit 78, nothing else.
class BadSettings : public World {
 protected:
  void expect_refused(const Words& words, Variables wrong, const std::set<std::string>& names) {
    const auto ran = run(words, std::move(wrong));
    EXPECT_EQ(ran.code, 78) << words.front();
    EXPECT_THAT(ran.out, IsEmpty()) << words.front();
    EXPECT_THAT(ran.err_lines(), Each(StartsWith("config error: ")));
    EXPECT_EQ(ran.err_lines().size(), names.size()) << words.front() << ": " << ran.err;
    for (const auto& name : names)
      EXPECT_THAT(ran.err, HasSubstr("config error: " + name));
  }
};

TEST_F(BadSettings, EveryServiceNamesAllOfThem) {
  const Variables fine = {{"HUB_URL", "http://127.0.0.1:1"}};
  for (const std::string service : {"coordinator", "runner"}) {
    expect_refused({service},
                   {{"HUB_URL", "hub:8000"}, {"REDIS_URL", "valkey:6379"}, {"LOG_LEVEL", "loud"}},
                   {"HUB_URL=\"hub:8000\"", "REDIS_URL=\"valkey:6379\"", "LOG_LEVEL"});
    expect_refused({service}, {}, {"HUB_URL is required"});
  }
  expect_refused({"coordinator"}, {{"HUB_URL", "http://h"}, {"POLL_INTERVAL", "abc"}},
                 {"POLL_INTERVAL=\"abc\""});
  expect_refused({"runner"},
                 {{"HUB_URL", "http://h"}, {"RUNNER_MODE", "inbox"}, {"ACTIVATION_TIMEOUT", "0"}},
                 {"RUNNER_MODE=\"inbox\"", "ACTIVATION_TIMEOUT=\"0\""});
  expect_refused({"runner", "--agent", "anna", "--once"}, {{"HUB_URL", "hub:8000"}}, {"HUB_URL"});
  expect_refused({"hub", "--data", data()}, {{"API_PORT", "99999"}, {"HUB_RATE_COMMENTS", "many"}},
                 {"API_PORT", "HUB_RATE_COMMENTS"});
  for (const std::string all : {"up", "demo"}) {
    expect_refused({all, "--data", data()}, {{"LLM_MODE", "maybe"}, {"LEASE_SECONDS", "1"}},
                   {"LLM_MODE", "LEASE_SECONDS"});
  }
}

TEST_F(BadSettings, TheLinesAreThoseOfTheGuide) {
  const auto line = [&](Variables wrong) {
    wrong.emplace("HUB_URL", "http://h");
    return run({"runner"}, std::move(wrong)).err;
  };
  EXPECT_EQ(line({{"RUNNER_MODE", "inbox"}}),
            "config error: RUNNER_MODE=\"inbox\" (from environment): expected notification, "
            "exploration or hybrid\n");
  EXPECT_EQ(line({{"REDIS_URL", "valkey:6379"}}),
            "config error: REDIS_URL=\"valkey:6379\" (from environment): missing scheme, expected "
            "redis://, "
            "rediss:// or unix://\n");
  EXPECT_EQ(
      line({{"HUB_URL", "hub:8000"}}),
      "config error: HUB_URL=\"hub:8000\" (from environment): expected http:// or https:// URL\n");
  EXPECT_EQ(line({{"BOTBURROW_AGENT_KEYS", "{bad"}}),
            "config error: BOTBURROW_AGENT_KEYS (secret, 4 characters): not a JSON object of agent "
            "name to key\n");
}

TEST_F(BadSettings, BothNamesAreRead) {
  set("HUB_URL", "http://h");
  for (const auto* name : {"RUNNER_MODE", "BOTBURROW_RUNNER_MODE"}) {
    EXPECT_EQ(run({"runner", "--check"}, {{name, "inbox"}}).code, 78) << name;
    EXPECT_EQ(run({"runner", "--check"}, {{name, "notification"}}).code, 0) << name;
  }
}

TEST_F(BadSettings, CheckReachesNothing) {
  for (const std::string service : {"coordinator", "runner", "hub", "up"}) {
    const auto ran =
        run({service, "--check", "--data", data()}, {{"HUB_URL", "http://127.0.0.1:1"}});
    if (service == "coordinator" || service == "runner" || service == "hub" || service == "up")
      EXPECT_EQ(ran.code, 0) << service << ran.err;
    EXPECT_FALSE(std::filesystem::exists(data())) << service;
  }
}

}  // namespace
}  // namespace botburrow::e2e
