#include "services_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <signal.h>

#include <algorithm>
#include <set>
#include <sstream>

namespace botburrow::e2e {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Two coordinators and runners of three modes, by the commands of the documentation.
class Cluster : public ServicesWorld {
 protected:
  static constexpr const char* kDiscovery = "  discovery: {enabled: true, frequency: staleness}\n";

  void SetUp() override { start_hub(); }

  void add_agents(int count, const AgentText& text) {
    for (int i = 0; i < count; ++i) {
      const auto name = fmt::format("agent-{}", i);
      define_agent(name, text);
      register_agent(name);
      names_.push_back(name);
    }
  }
  std::string mention_all() {
    std::string text = "Hello";
    for (const auto& name : names_)
      text += " @" + name;
    return post_as_owner(text + "!");
  }
  void await_answers(const std::string& id) {
    eventually("everybody answers", [&] {
      const auto now = look_at(id);
      return std::all_of(names_.begin(), names_.end(),
                         [&](const auto& name) { return !answers_of(now, name).empty(); });
    });
  }
  /// The value of an unlabelled or labelled sample of one service; nothing where it is absent.
  std::optional<double> metric(Program& service, const std::string& name) {
    std::istringstream lines(get(url_of(service) + "/metrics").body);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(name + " ") || line.starts_with(name + "{"))
        return std::stod(line.substr(line.rfind(' ') + 1));
    }
    return {};
  }
  std::set<std::string> tasks_claimed(Program& runner) {
    std::set<std::string> tasks;
    for (const auto& line : runner.events("work_claimed"))
      tasks.insert(text_of(line, "task_type"));
    return tasks;
  }

  std::vector<std::string> names_;
};

TEST_F(Cluster, OneLeaderOfTwo) {
  auto& one = start({"coordinator"}, {{"INSTANCE_ID", "coordinator-one"}});
  auto& two = start({"coordinator"}, {{"INSTANCE_ID", "coordinator-two"}});
  eventually("somebody leads", [&] { return !cli_line({"GET", "coordinator:leader"}).empty(); });
  const bool first = cli_line({"GET", "coordinator:leader"}) == "coordinator-one";
  auto& leader = first ? one : two;
  auto& follower = first ? two : one;
  await_event(leader, "became_leader");
  await_event(follower, "not_leader_skipping_poll");
  const auto ttl = std::stoi(cli_line({"TTL", "coordinator:leader"}));
  EXPECT_GE(ttl, 1);
  EXPECT_LE(ttl, 30);
  eventually("gauges are there",
             [&] { return metric(leader, "botburrow_queue_depth").has_value(); });
  EXPECT_EQ(metric(leader, "botburrow_coordinator_is_leader"), 1);
  EXPECT_EQ(metric(follower, "botburrow_coordinator_is_leader"), 0);
  EXPECT_EQ(metric(follower, "botburrow_queue_depth"), std::nullopt) << "followers omit them";
  EXPECT_THAT(follower.events("poll_completed"), IsEmpty());
  EXPECT_THAT(leader.events("became_leader"), SizeIs(1));

  // Graceful hand-over is immediate: well before the lease of three seconds.
  const auto begun = std::chrono::steady_clock::now();
  leader.signal(SIGTERM);
  await_event(follower, "became_leader");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2500ms);
  EXPECT_EQ(leader.wait(), 0);
  EXPECT_THAT(leader.events("released_leadership"), SizeIs(1));
  EXPECT_EQ(cli_line({"GET", "coordinator:leader"}), first ? "coordinator-two" : "coordinator-one");
}

TEST_F(Cluster, RunnersTakeTheWorkOfTheirMode) {
  use_model();
  add_agents(4, {.behavior = kDiscovery});
  start({"coordinator"}, {{"INSTANCE_ID", "one"}});
  start({"coordinator"}, {{"INSTANCE_ID", "two"}});
  auto& exploration = start({"runner", "--mode", "exploration"}, {{"RUNNER_ID", "explorer"}});
  // Nobody here takes inbox work yet: mentions wait, discovery runs.
  eventually("discovery has run",
             [&] { return exploration.events("activation_completed").size() >= 4; });
  const auto id = mention_all();
  eventually("four mentions wait", [&] { return cli_line({"LLEN", "work:queue:high"}) == "4"; });
  EXPECT_EQ(tasks_claimed(exploration), std::set<std::string>{"discovery"});

  auto& notification = start({"runner", "--mode", "notification"}, {{"RUNNER_ID", "notifier"}});
  await_answers(id);
  EXPECT_EQ(tasks_claimed(notification), std::set<std::string>{"inbox"});
  EXPECT_EQ(tasks_claimed(exploration), std::set<std::string>{"discovery"});

  auto& hybrid = start({"runner"}, {{"RUNNER_ID", "both"}});
  await_event(hybrid, "runner_started");
  notification.signal(SIGTERM);
  EXPECT_EQ(notification.wait(), 0);
  const auto again = mention_all();
  await_answers(again);
  EXPECT_THAT(tasks_claimed(hybrid), ::testing::Contains("inbox"));
  EXPECT_EQ(tasks_claimed(exploration), std::set<std::string>{"discovery"});

  eventually("the system is at rest", [&] { return at_rest(); });
  for (const auto& post : {id, again})
    for (const auto& name : names_)
      EXPECT_THAT(answers_of(look_at(post), name), SizeIs(1)) << name;
  for (const auto& line : cli({"LRANGE", "activation:results", "0", "-1"})) {
    const auto result = parse_json(line, "result");
    const auto runner = text_of(result, "runner_id"), task = text_of(result, "task_type");
    if (runner == "notifier") EXPECT_EQ(task, "inbox");
    if (runner == "explorer") EXPECT_EQ(task, "discovery");
  }
}

TEST_F(Cluster, EachMentionGoesToOneOfManyRunners) {
  use_model();
  add_agents(8, {});
  start({"coordinator"}, {{"INSTANCE_ID", "one"}});
  start({"coordinator"}, {{"INSTANCE_ID", "two"}});
  std::vector<Program*> runners;
  for (const auto* name : {"r1", "r2", "r3"}) {
    runners.push_back(&start({"runner", "--concurrency", "2"}, {{"RUNNER_ID", name}}));
    await_event(*runners.back(), "runner_started");
  }
  std::vector<std::string> posts;
  for (int round = 0; round < 5; ++round)
    posts.push_back(mention_all());
  for (const auto& post : posts)
    await_answers(post);
  eventually("the system is at rest", [&] { return at_rest(); });
  for (const auto& post : posts) {
    const auto now = look_at(post);
    for (const auto& name : names_)
      EXPECT_THAT(answers_of(now, name), SizeIs(1)) << name;
  }
  EXPECT_EQ(model().requests(), 40u);
  EXPECT_EQ(cli_line({"LLEN", "work:dead"}), "0");
}

/// The lines of the operators' guide and what they show (R1 to R10, R16 to R20).
class RedisLines : public ServicesWorld {
 protected:
  void SetUp() override {
    start_hub();
    for (const auto* name : {"anna", "bert", "carl"}) {
      define_agent(name);
      register_agent(name);
      // Who was never active is sent to look around at once; here only mentions are to wait.
      ASSERT_EQ(admin("POST", fmt::format("/agents/{}/activated", name), json::object{}).status,
                200);
    }
    coordinator_ = &start({"coordinator", "--poll-interval", "1"}, {{"INSTANCE_ID", "pod-0"}});
    await_event(*coordinator_, "became_leader");
  }
  Program* coordinator_ = nullptr;
};

TEST_F(RedisLines, Queues) {
  for (const auto* queue : {"work:queue:high", "work:queue:normal", "work:queue:low"})
    EXPECT_EQ(cli_line({"LLEN", queue}), "0") << "R1 to R3: empty or absent";
  // Several mentions of one agent wait as one element.
  post_as_owner("@anna first");
  post_as_owner("@anna and @bert second");
  eventually("both wait", [&] { return cli_line({"LLEN", "work:queue:high"}) == "2"; });
  const auto elements = cli({"LRANGE", "work:queue:high", "0", "-1"});
  ASSERT_THAT(elements, SizeIs(2));
  const auto newest = parse_json(elements.front(), "item");
  EXPECT_EQ(text_of(newest, "agent_id"), "bert") << "R5: newest first";
  std::vector<std::string> fields;
  for (const auto& entry : newest.as_object())
    fields.emplace_back(entry.key());
  EXPECT_THAT(fields, ::testing::ElementsAre("agent_id", "agent_name", "task_type", "priority",
                                             "inbox_count", "created_at"));
  EXPECT_EQ(text_of(newest, "task_type"), "inbox");
  EXPECT_EQ(text_of(newest, "priority"), "high");
  EXPECT_EQ(text_of(parse_json(elements.back(), "item"), "agent_id"), "anna");
  // R4: falls while runners are idle and eligible.
  use_model();
  start({"runner"});
  eventually("the queue falls to 0", [&] { return cli_line({"LLEN", "work:queue:high"}) == "0"; });
}

TEST_F(RedisLines, ActiveWorkAndForceStop) {
  use_model().script([](const auto&) {
    return test::LlmSimulator::Answer::broken(test::LlmSimulator::Fault::silence);
  });
  auto& runner = start({"runner"}, {{"RUNNER_ID", "runner-pod-0"}});
  const auto id = post_as_owner("@anna think");
  eventually("anna runs", [&] { return cli_line({"HLEN", "work:active"}) == "1"; });  // R9
  EXPECT_THAT(cli({"HGETALL", "work:active"}),
              ::testing::ElementsAre("anna", "runner-pod-0"));  // R18
  const auto shown = parse_json(cli_line({"GET", "agent:activation:anna"}), "R19");
  const auto activation = text_of(shown, "activation_id");
  EXPECT_EQ(text_of(shown, "runner_id"), "runner-pod-0");
  EXPECT_EQ(text_of(shown, "task_type"), "inbox");
  EXPECT_EQ(cli_line({"GET", "activation:" + activation}),
            cli_line({"GET", "agent:activation:anna"}));

  EXPECT_EQ(cli_line({"DEL", "activation:" + activation}), "1");  // R10
  const auto cancelled = await_event(runner, "activation_cancelled", {}, 5s);
  EXPECT_EQ(text_of(cancelled, "activation_id"), activation);
  eventually("anna is free", [&] { return cli_line({"HLEN", "work:active"}) == "0"; }, 5s);
  EXPECT_EQ(cli_line({"HGET", "work:failures", "anna"}), "") << "no failure";
  const auto until = std::stod(cli_line({"HGET", "work:backoff", "anna"}));  // R6
  const auto now = std::stod(cli_line({"TIME"}));
  EXPECT_NEAR(until - now, 60, 6);
  EXPECT_EQ(cli_line({"HLEN", "work:backoff"}), "1");  // R7
  EXPECT_THAT(answers_of(look_at(id), "anna"), IsEmpty());

  // R8: everybody is free again, without a restart, within one poll interval.
  model().script([](const auto&) { return test::LlmSimulator::Answer::say("Here I am."); });
  EXPECT_EQ(cli_line({"DEL", "work:backoff"}), "1");
  EXPECT_EQ(cli_line({"DEL", "work:backoff"}), "0");
  eventually("anna answers after all", [&] { return answers_of(look_at(id), "anna").size() == 1; });

  // R20, newest first.
  eventually("the result is noted",
             [&] { return cli_line({"LLEN", "activation:results"}) == "2"; });
  const auto results = cli({"LRANGE", "activation:results", "0", "9"});
  EXPECT_EQ(text_of(parse_json(results.front(), "R20"), "status"), "success");
  EXPECT_EQ(text_of(parse_json(results.back(), "R20"), "status"), "cancelled");
  EXPECT_EQ(cli_line({"HLEN", "work:active"}), "0");
}

TEST_F(RedisLines, LeaderAndCache) {
  EXPECT_EQ(cli_line({"GET", "coordinator:leader"}), "pod-0");  // R17
  const auto ttl = std::stoi(cli_line({"TTL", "coordinator:leader"}));
  EXPECT_TRUE(ttl >= 1 && ttl <= 30) << ttl;
  // R16: the key of the guide does not exist; the real one does.
  EXPECT_EQ(cli_line({"GET", "config:anna"}), "");
  EXPECT_EQ(cli_line({"TTL", "config:anna"}), "-2");
  eventually("anna is in the cache",
             [&] { return cli_line({"EXISTS", "cache:agent:anna"}) == "1"; });
  const auto cached = parse_json(cli_line({"GET", "cache:agent:anna"}), "cache");
  EXPECT_EQ(text_of(cached, "name"), "anna");
  const auto left = std::stoi(cli_line({"TTL", "cache:agent:anna"}));
  EXPECT_TRUE(left >= 1 && left <= 300) << left;
}

TEST_F(RedisLines, FailingAgentIsHeldOff) {
  use_model().script([](const auto&) { return test::LlmSimulator::Answer::error(500); });
  auto& runner = start({"runner"}, {{"RUNNER_ID", "runner-pod-0"}, {"LLM_MAX_RETRIES", "0"}});
  const auto id = post_as_owner("@anna hello");
  eventually("anna is held off",
             [&] { return !cli_line({"HGET", "work:backoff", "anna"}).empty(); });
  EXPECT_EQ(cli_line({"HGET", "work:failures", "anna"}), "5") << "the fifth in a row trips it";
  EXPECT_THAT(runner.events("agent_circuit_breaker"), SizeIs(1));
  const auto until = std::stod(cli_line({"HGET", "work:backoff", "anna"}));
  EXPECT_NEAR(until - std::stod(cli_line({"TIME"})), 60, 6);
  EXPECT_EQ(cli_line({"HLEN", "work:backoff"}), "1");
  EXPECT_EQ(cli_line({"HLEN", "work:active"}), "0");
  // The emergency line sets it free; success clears the count.
  model().script([](const auto&) { return test::LlmSimulator::Answer::say("Well again."); });
  cli({"DEL", "work:backoff"});
  eventually("anna answers", [&] { return answers_of(look_at(id), "anna").size() == 1; });
  eventually("the count is cleared", [&] { return cli_line({"HLEN", "work:failures"}) == "0"; });
}

TEST_F(RedisLines, ForeignProducerIsServed) {
  use_model();
  const auto id = post_as_owner("@anna hello");
  eventually("anna waits", [&] { return cli_line({"LLEN", "work:queue:high"}) == "1"; });
  // Somebody else's program takes it away and puts another in its own form.
  EXPECT_EQ(cli_line({"DEL", "work:queue:high"}), "1");
  cli({"LPUSH", "work:queue:high",
       R"({"agent_id": "anna", "agent_name": "anna", "task_type": "inbox", "extra": 1})"});
  cli({"LPUSH", "work:queue:high", "this is no item"});
  start({"runner"});
  eventually("anna answers", [&] { return answers_of(look_at(id), "anna").size() == 1; });
  eventually("the unreadable one is kept", [&] { return cli_line({"LLEN", "work:dead"}) == "1"; });
  EXPECT_EQ(text_of(parse_json(cli_line({"LINDEX", "work:dead", "0"}), "dead"), "kind"),
            "unreadable");
  EXPECT_EQ(cli_line({"LLEN", "work:queue:high"}), "0");
}

}  // namespace
}  // namespace botburrow::e2e
