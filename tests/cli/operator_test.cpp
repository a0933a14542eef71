#include "base/json.hpp"
#include "base/time.hpp"
#include "canned_hub.hpp"
#include "run_program.hpp"
#include "tests/support/private_redis.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace botburrow::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

/// The commands that look at the queues and act on them, against a Redis of their own and no Hub.
class OperatorCommands : public testing::Test {
 protected:
  OperatorCommands() { redis_.ask({"SET", "work:generation", "set:1"}); }

  Ran run(std::vector<std::string> words) {
    words.insert(words.end(), {"--redis-url", redis_.url()});
    return run_program({.arguments = std::move(words), .environment = {{"HOME", folder_.path()}}});
  }
  json::value ask(std::vector<std::string> words) {
    words.emplace_back("--json");
    const Ran ran = run(std::move(words));
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    return parse_json(ran.out, "answer");
  }
  Ran add(const std::string& agent) { return run({"queue", "add", agent, "--unchecked"}); }
  std::string why(const std::string& agent) { return run({"why", agent}).out; }

  test::PrivateRedis redis_;
  ScratchFolder folder_;
};

TEST_F(OperatorCommands, QueueListsWhatWasAddedByHandOnce) {
  EXPECT_THAT(add("scribe").out, HasSubstr("scribe is queued"));
  EXPECT_THAT(add("scribe").out, HasSubstr("waits already"));
  EXPECT_EQ(run({"queue", "add", "poet", "--unchecked", "--priority", "low", "--task", "discovery"})
                .exit_code,
            0);
  const auto queue = ask({"queue"});
  EXPECT_EQ(int_field(queue, "high"), 1);
  EXPECT_EQ(int_field(queue, "low"), 1);
  const auto items = array_field(queue, "items");
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(string_field(items[0], "agent_id"), "scribe");
  EXPECT_EQ(string_field(items[1], "task_type"), "discovery");
  EXPECT_THAT(run({"queue"}).out, HasSubstr("poet"));
}

TEST_F(OperatorCommands, DroppedItemIsGone) {
  add("scribe");
  EXPECT_EQ(run({"queue", "drop", "scribe"}).exit_code, 0);
  EXPECT_EQ(run({"queue", "drop", "scribe"}).exit_code, 1);
  EXPECT_EQ(int_field(ask({"queue"}), "high"), 0);
}

TEST_F(OperatorCommands, PausedAgentIsNotQueuedUnlessForced) {
  run({"agents", "pause", "scribe"});
  EXPECT_THAT(why("scribe"), HasSubstr("paused"));
  const Ran refused = add("scribe");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.out, HasSubstr("agents resume"));
  EXPECT_EQ(run({"queue", "add", "scribe", "--unchecked", "--force"}).exit_code, 0);
  run({"agents", "resume", "scribe"});
  EXPECT_THAT(why("scribe"), HasSubstr("is queued behind 0 in work:queue:high"));
}

TEST_F(OperatorCommands, FleetIsPausedAndResumed) {
  run({"agents", "pause", "--all"});
  EXPECT_THAT(why("anybody"), HasSubstr("whole fleet"));
  run({"agents", "resume", "--all"});
  EXPECT_THAT(why("anybody"), HasSubstr("nothing to do"));
}

TEST_F(OperatorCommands, BackOffIsShownAndCleared) {
  const auto later = std::to_string(std::stoll(redis_.ask({"TIME"}).array().at(0).str()) + 600);
  redis_.ask({"HSET", "work:backoff", "scribe", later});
  redis_.ask({"HSET", "work:failures", "scribe", "7"});
  EXPECT_THAT(run({"backoff"}).out, HasSubstr("10 min"));
  EXPECT_THAT(why("scribe"), HasSubstr("7 failures in a row"));
  EXPECT_EQ(int_field(ask({"backoff", "clear", "scribe"}), "cleared"), 1);
  EXPECT_EQ(array_field(ask({"backoff"}), "agents").size(), 0u);
}

TEST_F(OperatorCommands, HoldOffWithoutAFailureCountsNone) {
  const auto later = std::to_string(std::stoll(redis_.ask({"TIME"}).array().at(0).str()) + 60);
  redis_.ask({"HSET", "work:backoff", "scribe", later});
  EXPECT_THAT(why("scribe"), HasSubstr("is held off until"));
  EXPECT_THAT(why("scribe"), testing::Not(HasSubstr("failures")));
}

TEST_F(OperatorCommands, DeadLetterIsShownRetriedAndCleared) {
  redis_.ask({"LPUSH", "work:dead",
              R"({"id": "d1", "kind": "item", "agent_id": "scribe", "reason": "crashed", )"
              R"("attempts": 3, "history": [], "at": "2026-01-01T00:00:00Z", "item": )"
              R"({"agent_id": "scribe", "agent_name": "scribe", "task_type": "inbox", )"
              R"("priority": "high", "inbox_count": 1, "created_at": 1.5}})"});
  EXPECT_THAT(run({"dead"}).out, HasSubstr("crashed"));
  EXPECT_THAT(run({"dead", "show", "d1"}).out, HasSubstr("attempts  3"));
  EXPECT_EQ(string_field(ask({"dead", "retry", "d1"}), "result"), "queued");
  EXPECT_EQ(int_field(ask({"queue"}), "high"), 1);
  const Ran gone = run({"dead", "show", "d1"});
  EXPECT_NE(gone.exit_code, 0);
  EXPECT_THAT(gone.err, HasSubstr("no dead letter \"d1\""));
}

TEST_F(OperatorCommands, RunningActivationIsListedAndStopped) {
  const std::string record =
      R"({"agent_id": "scribe", "agent_name": "scribe", "runner_id": "r1", "task_type": "inbox", )"
      R"("started_at": "2026-01-01T00:00:00Z", "activation_id": "a-1"})";
  redis_.ask({"HSET", "work:active", "scribe", "r1"});
  redis_.ask({"SET", "agent:activation:scribe", record});
  redis_.ask({"SET", "activation:a-1", record});
  EXPECT_EQ(array_field(ask({"activations"}), "running").size(), 1u);
  EXPECT_EQ(string_field(ask({"activations", "stop", "scribe"}), "activation_id"), "a-1");
  EXPECT_EQ(redis_.ask({"EXISTS", "activation:a-1"}).integer(), 0);
  EXPECT_EQ(run({"activations", "stop", "scribe"}).exit_code, 1);
}

/// A Hub on which ada is idle, and bob has a mention; carl is over budget.
CannedHub::Answer small_hub(const CannedHub::Request& request) {
  const auto& target = request.target;
  const auto is = [&](std::string_view part) { return target.find(part) != std::string::npos; };
  if (is("/agents/nobody")) return {404, R"({"detail":"no such agent"})"};
  for (const std::string name : {"ada", "bob", "carl"}) {
    if (is("/agents/" + name))
      return {200, R"({"id":")" + name + R"(","name":")" + name +
                       R"(","status":"active","last_activated_at":")" +
                       to_rfc3339(system_clock().wall()) + "\"}"};
  }
  if (is("/notifications") && is("agent_id=bob"))
    return {200, R"({"notifications":[{"id":"n1","type":"mention","post_id":"p"}]})"};
  if (is("/notifications")) return {200, R"({"notifications":[]})"};
  if (is("/budget-health") && is("agent_id=carl"))
    return {200, R"({"daily_limit":5,"daily_used":6,"healthy":false})"};
  return {404, R"({"detail":"Not Found"})"};
}

TEST_F(OperatorCommands, WhyAsksTheHubToo) {
  const CannedHub hub(small_hub);
  const auto why_there = [&](const std::string& agent) {
    return run({"why", agent, "--hub-url", hub.url()}).out;
  };
  const Ran nobody = run({"why", "nobody", "--hub-url", hub.url()});
  EXPECT_EQ(nobody.exit_code, 1);
  EXPECT_THAT(nobody.err, HasSubstr("the Hub knows no agent \"nobody\""));
  EXPECT_THAT(run({"why", "nobody", "--unchecked", "--hub-url", hub.url()}).out,
              HasSubstr("the Hub knows no such agent"));
  EXPECT_THAT(why_there("ada"), HasSubstr("is not stale yet: it may look around in 15 min"));
  EXPECT_THAT(why_there("bob"), HasSubstr("has 1 unread notification, but no coordinator leads"));
  redis_.ask({"SET", "coordinator:leader", "c-1"});
  EXPECT_THAT(why_there("bob"), HasSubstr("which the leader takes up at its next look"));
  EXPECT_THAT(why_there("carl"), HasSubstr("is over budget: Daily budget exceeded"));
  const auto document = ask({"why", "bob", "--hub-url", hub.url()});
  EXPECT_EQ(string_field(document, "waits_for"), "unread");
  EXPECT_EQ(int_field(*find_field(document, "hub"), "unread"), 1);
}

TEST_F(OperatorCommands, AMisspeltAgentIsRefusedWithTheNearestNameUnlessInsistedOn) {
  const CannedHub hub([](const CannedHub::Request& request) {
    if (request.target.find("/agents?") != std::string::npos)
      return CannedHub::Answer{200, R"({"agents":[{"name":"poet"},{"name":"scribe"}]})"};
    return CannedHub::Answer{404, R"({"detail":"no such agent"})"};
  });
  const auto there = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--hub-url", hub.url()});
    return run(std::move(words));
  };
  for (const std::vector<std::string>& command : {std::vector<std::string>{"agents", "pause"},
                                                  {"agents", "resume"},
                                                  {"backoff", "clear"},
                                                  {"why"},
                                                  {"queue", "add"}}) {
    auto words = command;
    words.emplace_back("scrib");
    const Ran refused = there(words);
    EXPECT_EQ(refused.exit_code, 1) << command.back();
    EXPECT_THAT(refused.err, HasSubstr("the Hub knows no agent \"scrib\" (did you mean "
                                       "\"scribe\"?)"));
    EXPECT_THAT(refused.err, HasSubstr("--unchecked"));
  }
  EXPECT_EQ(redis_.ask({"SCARD", "work:paused"}).integer(), 0);
  EXPECT_EQ(there({"agents", "pause", "scrib", "--unchecked"}).exit_code, 0);
  EXPECT_EQ(redis_.ask({"SCARD", "work:paused"}).integer(), 1);
  // What Redis knows is somebody, be it by an earlier mistake: it can be undone.
  EXPECT_EQ(there({"agents", "resume", "scrib"}).exit_code, 0);
  EXPECT_EQ(redis_.ask({"SCARD", "work:paused"}).integer(), 0);
}

TEST_F(OperatorCommands, WhyGoesOnWithoutTheHub) {
  const Ran ran = run({"why", "ada", "--hub-url", "http://127.0.0.1:1"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, HasSubstr("as far as Redis knows; the Hub could not be asked: "));
  EXPECT_THAT(ran.out, HasSubstr("http://127.0.0.1:1"));
  add("ada");
  EXPECT_THAT(run({"why", "ada", "--hub-url", "http://127.0.0.1:1"}).out,
              HasSubstr("is queued behind 0"));
}

TEST_F(OperatorCommands, WhyNamesAMissingExecutorAndRunner) {
  add("coder");
  EXPECT_THAT(why("coder"), HasSubstr("no live runner takes inbox work"));
  std::filesystem::create_directories(folder_.path() + "/defs/agents/coder");
  std::ofstream(folder_.path() + "/defs/agents/coder/config.yaml")
      << "name: coder\ntype: claude-code\nbrain: {model: m}\n";
  const Ran ran =
      run_program({.arguments = {"why", "coder", "--redis-url", redis_.url()},
                   .environment = {{"HOME", folder_.path()},
                                   {"AGENT_DEFINITIONS_PATH", folder_.path() + "/defs"}}});
  EXPECT_THAT(ran.out, HasSubstr("its executor 'claude-code' is not available"));
}

TEST_F(OperatorCommands, WhyNamesTheFaultOfADefinitionThatWasNeverGood) {
  const CannedHub hub(small_hub);
  folder_.write("config.yaml", "name: nobody\ntype: native\nbrain: {model: m}\ncache_ttl: soon\n");
  std::filesystem::create_directories(folder_.path() + "/defs/agents/nobody");
  std::filesystem::rename(folder_.path() + "/config.yaml",
                          folder_.path() + "/defs/agents/nobody/config.yaml");
  const Ran ran = run_program(
      {.arguments = {"why", "nobody", "--redis-url", redis_.url(), "--hub-url", hub.url()},
       .environment = {{"HOME", folder_.path()},
                       {"AGENT_DEFINITIONS_PATH", folder_.path() + "/defs"}}});
  EXPECT_EQ(ran.exit_code, 65);
  EXPECT_THAT(ran.err, HasSubstr("nobody/config.yaml:4:12 cache_ttl"));
}

TEST_F(OperatorCommands, WithoutRunnersThatIsSaid) {
  EXPECT_THAT(run({"runners"}).out, HasSubstr("botburrow runner"));
  EXPECT_EQ(array_field(ask({"runners"}), "runners").size(), 0u);
}

TEST_F(OperatorCommands, ClearingNeedsOneOrAll) {
  for (const std::string command : {"dead", "backoff"}) {
    const Ran ran = run({command, "clear"});
    EXPECT_EQ(ran.exit_code, 64);
    EXPECT_THAT(ran.err, HasSubstr("--all"));
  }
}

TEST_F(OperatorCommands, ARedisThatTakesNoWorkIsShownAsSuch) {
  EXPECT_THAT(run({"status"}).out, Not(HasSubstr("takes no work")));
  redis_.ask({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_THAT(run({"status"}).out, HasSubstr("redis     takes no work: "));
  EXPECT_THAT(run({"status"}).out, HasSubstr("raise maxmemory"));
  EXPECT_THAT(run({"why", "scribe"}).out, HasSubstr("But Redis takes no work now: "));
  redis_.ask({"CONFIG", "SET", "maxmemory", "0"});
  redis_.ask({"CONFIG", "SET", "requirepass", "pw"});
  const Ran refused = run({"why", "scribe"});
  EXPECT_EQ(refused.exit_code, 69);
  EXPECT_THAT(refused.err, HasSubstr("REDIS_URL"));
  EXPECT_THAT(refused.err, Not(HasSubstr("is the system up?"))) << "it is, and refuses";
}

TEST_F(OperatorCommands, StatusTellsAHubFromOtherServersAndFromOneThatCannotWrite) {
  std::string agents = R"({"agents":[]})";
  CannedHub::Answer ready{.status = 200, .body = R"({"status":"ready"})"};
  CannedHub hub([&](const CannedHub::Request& request) {
    return request.target == "/ready" ? ready : CannedHub::Answer{.status = 200, .body = agents};
  });
  const auto state = [&] { return run({"status", "--hub-url", hub.url()}).out; };
  EXPECT_THAT(state(), HasSubstr("answers\n"));
  ready = {.status = 503, .body = R"({"status":"not_ready","reason":"the disk is full"})"};
  EXPECT_THAT(state(), HasSubstr("answers, but is not ready: the disk is full"));
  agents = "<html>nginx</html>";
  EXPECT_THAT(state(), HasSubstr("is not a Hub"));
}

TEST_F(OperatorCommands, ARunnerThatWasNotHeardForLongIsShownAsSuch) {
  const auto beat = [&](const char* name, std::chrono::seconds ago) {
    redis_.ask({"SET", std::string("runner:heartbeat:") + name,
                R"({"runner_id":")" + std::string(name) + R"(","status":"idle","timestamp":")" +
                    to_rfc3339(system_clock().wall() - ago) + R"("})"});
  };
  beat("here", std::chrono::seconds(1));
  EXPECT_THAT(run({"status"}).out, Not(HasSubstr("heard")));
  beat("gone", std::chrono::seconds(40));
  EXPECT_THAT(run({"status"}).out, HasSubstr("idle, heard 4"));
}

TEST(OperatorCommandsAlone, WithoutRedisTheySayWhatToDo) {
  const Ran ran = run_program(
      {.arguments = {"why", "scribe", "--redis-url", "unix:///nonexistent/redis.sock"}});
  EXPECT_EQ(ran.exit_code, 69);
  EXPECT_THAT(ran.err, HasSubstr("is the system up?"));
}

}  // namespace
}  // namespace botburrow::cli
