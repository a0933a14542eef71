#include "services_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <signal.h>

#include <algorithm>
#include <array>

namespace botburrow::e2e {
namespace {

using Answer = test::LlmSimulator::Answer;

/// kill -9 of each part in the middle of an activation: afterwards every mention has one answer.
///
/// The model takes its time with every answer until told otherwise.
void use_slow_model(test::LlmSimulator& model, const bool& slow) {
  model.script([&model, &slow](const auto&) {
    auto answer = Answer::say(fmt::format("Answer number {}.", model.requests()));
    if (slow) answer.delay = 4s;
    return answer;
  });
}

class Kill9OfUp : public World {
 protected:
  void SetUp() override {
    for (const auto* name : kNames)
      define_agent(name);
    use_slow_model(use_model(), slow_);
  }

  std::string redis_url() { return text_of(ready_, "redis"); }
  bool at_rest() {
    const auto status = ask({"status", "--data", data(), "--json"});
    const auto& queues = status.at("queues");
    return queues.at("high").at("length") == 0 && queues.at("normal").at("length") == 0 &&
           status.at("deferred") == 0 && status.at("active").as_object().empty();
  }

  void expect_one_answer_each(const std::string& id) {
    eventually("every mention is answered", [&] {
      const auto now = thread(id);
      return std::all_of(kNames.begin(), kNames.end(),
                         [&](const auto* name) { return !answers_of(now, name).empty(); });
    });
    eventually("the system is at rest", [&] { return at_rest(); });
    const auto now = thread(id);
    for (const auto* name : kNames) {
      EXPECT_EQ(answers_of(now, name).size(), 1u) << name << ": " << to_json(now);
      const auto inbox = ask({"hub", "inbox", "--data", data(), "--as", name, "--json"});
      EXPECT_EQ(inbox.at("unread_count"), 0) << name;
    }
  }

  static constexpr std::array kNames = {"anna", "bert", "carl"};
  bool slow_ = true;
};

TEST_F(Kill9OfUp, Whole) {
  auto& program = up();
  const auto id = post("@anna @bert @carl what do you think?");
  eventually("all three ask the model", [&] { return model().requests() == 3; });
  program.kill9();
  slow_ = false;
  up();
  expect_one_answer_each(id);
  EXPECT_EQ(model().requests(), 6u) << "each once more, no more";
}

TEST_F(Kill9OfUp, WholeAgainAndAgain) {
  std::vector<std::string> ids;
  for (std::size_t round = 1; round <= 2; ++round) {
    auto& program = up();
    ids.push_back(post(fmt::format("@anna @bert @carl round {}?", round)));
    eventually("the model is asked", [&] { return model().requests() >= 3 * round; });
    program.kill9();
  }
  slow_ = false;
  up();
  for (const auto& id : ids)
    expect_one_answer_each(id);
}

TEST_F(Kill9OfUp, Redis) {
  auto& program = up();
  const auto id = post("@anna @bert @carl what do you think?");
  eventually("all three ask the model", [&] { return model().requests() == 3; });
  int redis = 0;
  for (const auto& line : redis_cli(redis_url(), {"INFO", "server"}))
    if (line.starts_with("process_id:")) redis = std::stoi(line.substr(11));
  ASSERT_GT(redis, 0);
  slow_ = false;
  ::kill(redis, SIGKILL);
  await_event(program, "redis_exited");
  expect_one_answer_each(id);
  EXPECT_FALSE(program.ended()) << "only settings end a service";
  // And it goes on.
  expect_one_answer_each(post("@anna @bert @carl still there?"));
}

class Kill9OfServices : public ServicesWorld {
 protected:
  void SetUp() override {
    define_agent("anna");
    use_slow_model(use_model(), slow_);
    start_hub();
    register_agent("anna");
  }
  void expect_one_answer(const std::string& id) {
    eventually("anna answers", [&] { return !answers_of(look_at(id), "anna").empty(); });
    eventually("the system is at rest", [&] { return at_rest(); });
    EXPECT_EQ(answers_of(look_at(id), "anna").size(), 1u);
  }
  bool slow_ = true;
};

TEST_F(Kill9OfServices, Runner) {
  start({"coordinator"});
  auto& first = start({"runner"}, {{"RUNNER_ID", "first"}});
  const auto id = post_as_owner("@anna what do you think?");
  eventually("the model is asked", [&] { return model().requests() == 1; });
  EXPECT_EQ(cli_line({"HGET", "work:active", "anna"}), "first");
  first.kill9();
  slow_ = false;
  auto& second = start({"runner"}, {{"RUNNER_ID", "second"}});
  expect_one_answer(id);
  EXPECT_EQ(model().requests(), 2u);
  EXPECT_EQ(second.events("work_claimed").size(), 1u);
  EXPECT_EQ(cli_line({"HLEN", "work:failures"}), "0") << "one crash is no failure yet";
}

TEST_F(Kill9OfServices, RunnerUnderItsOldName) {
  start({"coordinator"});
  auto& first = start({"runner"}, {{"RUNNER_ID", "the-one"}});
  const auto id = post_as_owner("@anna what do you think?");
  eventually("the model is asked", [&] { return model().requests() == 1; });
  first.kill9();
  slow_ = false;
  start({"runner"}, {{"RUNNER_ID", "the-one"}});
  expect_one_answer(id);
}

TEST_F(Kill9OfServices, RunnerThatOnlySleptWritesNothingMore) {
  start({"coordinator"});
  auto& sleeper = start({"runner"}, {{"RUNNER_ID", "sleeper"}});
  const auto id = post_as_owner("@anna what do you think?");
  eventually("the model is asked", [&] { return model().requests() == 1; });
  sleeper.signal(SIGSTOP);
  slow_ = false;
  start({"runner"}, {{"RUNNER_ID", "second"}});
  expect_one_answer(id);
  const auto answer = text_of(answers_of(look_at(id), "anna").front(), "id");
  // It wakes up with its model's answer in hand, long after its lease.
  sleeper.signal(SIGCONT);
  await_event(sleeper, "lease_trust_ended");
  await_event(sleeper, "activation_handed_back");
  const auto after = answers_of(look_at(id), "anna");
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(text_of(after.front(), "id"), answer);
  // And is as good a runner as any.
  expect_one_answer(post_as_owner("@anna and now?"));
  EXPECT_EQ(cli_line({"HLEN", "work:failures"}), "0");
}

TEST_F(Kill9OfServices, RunnerByTheSameItemAgainAndAgain) {
  start({"coordinator"}, {{"MAX_CRASH_ATTEMPTS", "2"}});
  post_as_owner("@anna what do you think?");
  for (const std::size_t attempt : {1, 2}) {
    auto& runner = start({"runner"}, {{"RUNNER_ID", fmt::format("victim-{}", attempt)}});
    eventually("the model is asked", [&] { return model().requests() == attempt; });
    runner.kill9();
  }
  eventually("the item is a dead letter", [&] { return cli_line({"LLEN", "work:dead"}) == "1"; });
  const auto letter = parse_json(cli_line({"LINDEX", "work:dead", "0"}), "work:dead");
  EXPECT_EQ(text_of(letter, "kind"), "item");
  EXPECT_EQ(text_of(letter, "agent_id"), "anna");
  const auto& history = letter.at("history").as_array();
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(text_of(history.front(), "runner_id"), "victim-1");
  EXPECT_EQ(text_of(history.back(), "runner_id"), "victim-2");
  EXPECT_EQ(cli_line({"HGET", "work:failures", "anna"}), "5");
  EXPECT_NE(cli_line({"HGET", "work:backoff", "anna"}), "")
      << "held back, so that it kills no more";
  EXPECT_TRUE(at_rest());
}

TEST_F(Kill9OfServices, Coordinator) {
  auto& first = start({"coordinator"}, {{"INSTANCE_ID", "first"}});
  start({"runner"});
  const auto id = post_as_owner("@anna what do you think?");
  eventually("the model is asked", [&] { return model().requests() == 1; });
  first.kill9();
  auto& second = start({"coordinator"}, {{"INSTANCE_ID", "second"}});
  await_event(second, "became_leader");
  // What was mentioned while nobody led is found, too.
  const auto other = post_as_owner("@anna and this?");
  slow_ = false;
  expect_one_answer(id);
  expect_one_answer(other);
  EXPECT_EQ(model().requests(), 2u);
}

TEST_F(Kill9OfServices, Redis) {
  auto& coordinator = start({"coordinator"});
  auto& runner = start({"runner"});
  const auto id = post_as_owner("@anna what do you think?");
  eventually("the model is asked", [&] { return model().requests() == 1; });
  slow_ = false;
  redis_.kill9();
  await_event(runner, "redis_connection_lost", {}, 10s);
  redis_.start();
  expect_one_answer(id);
  expect_one_answer(post_as_owner("@anna still there?"));
  EXPECT_FALSE(coordinator.ended());
  EXPECT_FALSE(runner.ended());
}

TEST_F(Kill9OfServices, Hub) {
  start({"coordinator"});
  auto& runner = start({"runner"});
  const auto id = post_as_owner("@anna what do you think?");
  eventually("the model is asked", [&] { return model().requests() == 1; });
  kill_hub();
  slow_ = false;
  restart_hub();
  expect_one_answer(id);
  expect_one_answer(post_as_owner("@anna still there?"));
  EXPECT_FALSE(runner.ended());
}

}  // namespace
}  // namespace botburrow::e2e
