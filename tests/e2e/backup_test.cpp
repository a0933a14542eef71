// Backups taken while everything is at work, and put back elsewhere: whatever had no answer when
// the backup was taken gets one, and one only.
#include "services_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <signal.h>

#include <filesystem>

namespace botburrow::e2e {
namespace {

using ::testing::HasSubstr;

class BackupUp : public World {
 protected:
  std::string file() { return folder_.file("backup"); }
  /// Everything that waits, runs or is put off by Redis of the running `up`.
  bool at_rest() {
    const auto url = text_of(ready_, "redis");
    for (const auto& words : std::vector<Words>{{"HLEN", "work:queued"}, {"HLEN", "work:leases"}})
      if (redis_line(url, words) != "0") return false;
    return true;
  }
};

TEST_F(BackupUp, TakenUnderLoadAndPutBackElsewhereEverythingIsAnsweredOnce) {
  use_model().script([](const auto&) {
    auto answer = test::LlmSimulator::Answer::say("A simulated answer.");
    answer.delay = 300ms;  // so that much is under way
    return answer;
  });
  const std::vector<std::string> agents = {"anna", "bert", "carl", "dora"};
  for (const auto& agent : agents)
    define_agent(agent);
  auto& first = up();
  struct Asked {
    std::string id, agent;
  };
  std::vector<Asked> asked;
  for (int i = 0; i < 16; ++i) {
    const auto& agent = agents[static_cast<std::size_t>(i) % agents.size()];
    asked.push_back({post(fmt::format("question {} for @{}", i, agent)), agent});
  }
  const auto made = ask({"backup", file(), "--data", data(), "--json"});
  const auto& census = made.at("redis").at("census").as_object();
  EXPECT_EQ(census.at("enqueued").as_int64(),
            census.at("waiting").as_int64() + census.at("leased").as_int64() +
                census.at("dead").as_int64() + census.at("done").as_int64());
  // It goes on meanwhile, and the first system is lost.
  const auto late = post("too late for the backup, @anna");
  eventually("that is answered there", [&] { return !answers_of(thread(late), "anna").empty(); });
  const auto lost = data();
  const auto busy = run({"restore", file(), "--data", lost, "--force"});
  EXPECT_NE(busy.code, 0);
  EXPECT_THAT(busy.err, HasSubstr("in use by process"));
  first.kill9();

  data_name_ = "elsewhere";
  const auto back = ask({"restore", file(), "--data", data(), "--json"});
  EXPECT_EQ(back.at("redis").at("census").at("leased").as_int64(), 0);
  const auto full = run({"restore", file(), "--data", data()});
  EXPECT_NE(full.code, 0);
  EXPECT_THAT(full.err, HasSubstr("--force"));
  auto& second = up();
  await_event(second, "generation_begun");
  for (const auto& one : asked) {
    eventually(
        one.id + " is answered", [&] { return !answers_of(thread(one.id), one.agent).empty(); },
        60s);
  }
  eventually("nothing is left to do", [&] { return at_rest(); });
  for (const auto& one : asked)
    EXPECT_EQ(answers_of(thread(one.id), one.agent).size(), 1u) << one.id;
  EXPECT_NE(run({"hub", "thread", "--data", data(), late, "--json"}).code, 0)
      << "what came later is not in it";
  // And new questions are answered.
  const auto fresh = post("are you there, @bert?");
  eventually("a new one is answered", [&] { return !answers_of(thread(fresh), "bert").empty(); });
}

class BackupApart : public ServicesWorld {
 protected:
  std::string file() { return folder_.file("backup"); }
  std::string database() { return data() + "/hub.db"; }
  void end(Program& service) {
    service.signal(SIGTERM);
    EXPECT_EQ(service.wait(), 0);
  }
};

TEST_F(BackupApart, MentionThatWaitedIsAnsweredOnceInTheRestoredSystem) {
  use_model();
  start_hub();
  define_agent("anna");
  register_agent("anna");
  auto& coordinator = start({"coordinator"});
  const auto id = post_as_owner("@anna are you there?");
  eventually("it waits", [&] { return cli_line({"LLEN", "work:queue:high"}) == "1"; });
  ask({"backup", file(), "--hub-database", database(), "--json"});
  auto& runner = start({"runner"});
  eventually("it is answered", [&] { return answers_of(look_at(id), "anna").size() == 1; });

  const auto served = run({"restore", file(), "--hub-database", database(), "--force"});
  EXPECT_NE(served.code, 0);
  EXPECT_THAT(served.err, HasSubstr("hub database"));
  // The runner stays: it must not write for what it held before.
  kill_hub();
  const auto kept = run({"restore", file(), "--hub-database", database()});
  EXPECT_NE(kept.code, 0);
  EXPECT_THAT(kept.err, HasSubstr("--force"));
  ask({"restore", file(), "--hub-database", database(), "--force", "--json"});
  restart_hub();
  eventually(
      "it is answered again", [&] { return answers_of(look_at(id), "anna").size() == 1; }, 60s);
  eventually("nothing is left to do", [&] { return at_rest(); });
  EXPECT_EQ(answers_of(look_at(id), "anna").size(), 1u);
  end(runner);
  end(coordinator);
}

TEST_F(BackupApart, OneBackupPutBackTwiceUnderServicesThatGoOnIsAnsweredEachTime) {
  use_model();
  start_hub();
  define_agent("anna");
  register_agent("anna");
  auto& coordinator = start({"coordinator"});
  const auto id = post_as_owner("@anna are you there?");
  eventually("it waits", [&] { return cli_line({"LLEN", "work:queue:high"}) == "1"; });
  ask({"backup", file(), "--hub-database", database(), "--json"});
  auto& runner = start({"runner"});
  for (const auto* time : {"first", "second"}) {
    kill_hub();
    ask({"restore", file(), "--hub-database", database(), "--force", "--json"});
    restart_hub();
    // The runner has seen fences of the time before, and must not take the new ones for theirs.
    eventually(
        fmt::format("it is answered, the {} time", time),
        [&] { return answers_of(look_at(id), "anna").size() == 1; }, 60s);
    eventually("nothing is left to do", [&] { return at_rest(); });
  }
  end(runner);
  end(coordinator);
}

TEST_F(BackupApart, QueueOfYesterdayUnderALiveHubAnswersNothingTwice) {
  use_model();
  start_hub();
  define_agent("anna");
  register_agent("anna");
  auto& coordinator = start({"coordinator"});
  const auto id = post_as_owner("@anna are you there?");
  eventually("it waits", [&] { return cli_line({"LLEN", "work:queue:high"}) == "1"; });
  ask({"backup", file(), "--only", "redis", "--json"});
  auto& runner = start({"runner"});
  eventually("it is answered", [&] { return answers_of(look_at(id), "anna").size() == 1; });
  eventually("and settled", [&] { return at_rest(); });

  // Under services that go on: the queue holds the item again.
  ask({"restore", file(), "--only", "redis", "--force", "--json"});
  await_event(coordinator, "lost_leadership");
  eventually("claims go on", [&] { return !cli_line({"GET", "work:generation"}).empty(); });
  const auto later = post_as_owner("@anna and now?");
  eventually("new ones are answered",
             [&] { return answers_of(look_at(later), "anna").size() == 1; });
  eventually("nothing is left to do", [&] { return at_rest(); });
  EXPECT_EQ(answers_of(look_at(id), "anna").size(), 1u);
  end(runner);
  end(coordinator);
}

}  // namespace
}  // namespace botburrow::e2e
