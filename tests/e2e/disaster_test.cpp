// The procedures of docs/operations/disaster-recovery.md, as an operator goes through them: what is
// lost is what the page says, and after each of them every mention has one answer.
#include "services_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace botburrow::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Disaster : public ServicesWorld {
 protected:
  void SetUp() override {
    use_model();
    start_hub();
    for (const auto* agent : {"anna", "bert"}) {
      define_agent(agent);
      register_agent(agent);
    }
    coordinator_ = &start({"coordinator"});
    runner_ = &start({"runner"});
    first_ = post_as_owner("@anna are you there?");
    expect_one_answer(first_);
    eventually("settled", [&] { return at_rest(); });
  }
  std::string database() { return data() + "/hub.db"; }
  std::string backup() { return folder_.file("backup"); }
  void expect_one_answer(const std::string& id, const std::string& agent = "anna") {
    eventually("it is answered", [&] { return answers_of(look_at(id), agent).size() == 1; }, 60s);
  }
  // A mention that nobody has answered, because all are paused.
  std::string ask_while_paused() {
    ask({"agents", "pause", "--all", "--json"});
    return post_as_owner("@bert and you?");
  }
  // How long it takes until the system answers again: for the page's figures, asserted by nobody.
  void note_time(const std::string& what, std::chrono::steady_clock::time_point since) {
    const auto took = std::chrono::steady_clock::now() - since;
    RecordProperty(what, fmt::format("{} ms", took / 1ms));
    fmt::print("{}: {} ms\n", what, took / 1ms);
  }
  void expect_still_one(const std::string& id, const std::string& agent = "anna") {
    eventually("nothing is left to do", [&] { return at_rest(); });
    EXPECT_EQ(answers_of(look_at(id), agent).size(), 1u);
  }

  Program* coordinator_ = nullptr;
  Program* runner_ = nullptr;
  std::string first_;
};

TEST_F(Disaster, AnEmptiedRedisLosesPausesAndHistoryAndNoMention) {
  const auto waiting = ask_while_paused();
  const auto since = std::chrono::steady_clock::now();
  cli({"FLUSHALL"});
  await_event(*coordinator_, "generation_begun",
              [&](const auto&) { return !cli_line({"GET", "work:generation"}).empty(); });
  expect_one_answer(waiting, "bert");
  note_time("emptied Redis to answer", since);
  expect_still_one(waiting, "bert");
  expect_still_one(first_);
  EXPECT_EQ(cli_line({"SCARD", "work:paused"}), "0") << "the page says that pauses are gone";
}

TEST_F(Disaster, ADamagedHubDatabaseIsReplacedByTheBackupUnderARedisThatGoesOn) {
  ask({"backup", backup(), "--only", "hub", "--hub-database", database(), "--json"});
  const auto lost = post_as_owner("@anna after the backup");
  expect_one_answer(lost);
  kill_hub();
  for (const auto* end : {"-wal", "-shm"})
    fs::remove(database() + end);
  std::ofstream(database(), std::ios::binary | std::ios::trunc) << std::string(100'000, '?');
  // What an operator sees, and what the page says to do.
  auto& broken = start({"hub", "--hub-port", "0", "--data", data()});
  eventually("it says so", [&] {
    return broken.out().find("malformed") != std::string::npos ||
           broken.out().find("not a database") != std::string::npos || broken.ended();
  });
  broken.kill9();

  const auto since = std::chrono::steady_clock::now();
  ask({"restore", backup(), "--only", "hub", "--hub-database", database(), "--force", "--json"});
  restart_hub();
  const auto id = post_as_owner("@anna back again?");
  expect_one_answer(id);
  note_time("Hub restored to answer", since);
  expect_still_one(id);
  expect_still_one(first_);
  EXPECT_NE(run({"hub", "thread", lost}).code, 0) << "written after the backup";
}

TEST_F(Disaster, AHubVolumeThatWasSetBackWithoutUsIsNoticedAndAnswersEachOnce) {
  // A snapshot of the volume, as storage makes it: the stopped Hub's file.
  kill_hub();
  const auto snapshot = folder_.file("snapshot");
  fs::create_directories(snapshot);
  for (const auto* name : {"hub.db", "hub.db-wal", "hub.db-shm"}) {
    if (fs::exists(data() + "/" + name)) fs::copy_file(data() + "/" + name, snapshot + "/" + name);
  }
  restart_hub();
  const auto lost = post_as_owner("@anna after the snapshot");
  expect_one_answer(lost);
  eventually("settled", [&] { return at_rest(); });
  kill_hub();
  for (const auto* name : {"hub.db", "hub.db-wal", "hub.db-shm"}) {
    fs::remove(data() + "/" + name);
    if (fs::exists(snapshot + "/" + name))
      fs::copy_file(snapshot + "/" + name, data() + "/" + name);
  }
  restart_hub();
  const auto id = post_as_owner("@anna and now?");
  expect_one_answer(id);
  expect_still_one(id);
  expect_still_one(first_);
}

TEST_F(Disaster, TheBackupOfAnotherSystemInOurRedisIsEmptiedAway) {
  // Another house, with an agent of its own at work.
  const auto waiting = ask_while_paused();
  test::PrivateRedis other({.appendonly = true, .tcp = true, .password = {}, .extra = {}});
  for (const auto& words :
       std::vector<Words>{{"SET", "work:generation", "11111111-2222-4333-8444-555555555555:7"},
                          {"LPUSH", "work:queue:high",
                           R"({"agent_id":"stranger","task_type":"inbox","priority":"high"})"}})
    other.ask(words);
  ask({"backup", backup(), "--only", "redis", "--redis-url", other.tcp_url(), "--json"});
  ask({"restore", backup(), "--only", "redis", "--force", "--json"});
  // The wrong one: what it holds is nobody's here.
  cli({"FLUSHALL"});
  expect_one_answer(waiting, "bert");
  expect_still_one(waiting, "bert");
  expect_still_one(first_);
  EXPECT_EQ(cli_line({"HEXISTS", "work:queued", "stranger"}), "0");
}

TEST_F(Disaster, BothGoneTheBackupBringsBackAMentionThatWaitedAndItIsAnsweredOnce) {
  const auto waiting = ask_while_paused();
  ask({"backup", backup(), "--hub-database", database(), "--json"});
  runner_->signal(SIGKILL);
  kill_hub();
  cli({"FLUSHALL"});
  for (const auto* end : {"", "-wal", "-shm"})
    fs::remove(database() + end);

  const auto since = std::chrono::steady_clock::now();
  ask({"restore", backup(), "--hub-database", database(), "--json"});
  restart_hub();
  start({"runner"});
  EXPECT_EQ(cli_line({"SISMEMBER", "work:paused", "*"}), "1") << "pauses are in the backup";
  ask({"agents", "resume", "--all", "--json"});
  expect_one_answer(waiting, "bert");
  note_time("both restored to answer", since);
  expect_still_one(waiting, "bert");
  expect_still_one(first_);
}

}  // namespace
}  // namespace botburrow::e2e
