#include "tests/runner/runner_fixture.hpp"

namespace botburrow::runner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(RunnerTest, WhatActivationsCountIsThereWithZeroBeforeTheFirstOne) {
  const auto text = node(place()).metrics.expose();
  for (const char* line :
       {"botburrow_llm_requests_total{provider=\"_other\",model=\"_other\","
        "outcome=\"timeout\"} 0",
        "botburrow_tool_calls_total{tool=\"_other\",outcome=\"error\"} 0",
        "botburrow_journal_answers_reused_total 0", "botburrow_journal_effects_reused_total 0",
        "# TYPE botburrow_grant_denied_total counter", "# TYPE botburrow_budget_used_usd gauge",
        "# TYPE botburrow_budget_reserved_usd gauge"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST_F(RunnerTest, AnIdleRunnerTakesNewWorkAtOnce) {
  const auto post = mention("ada");
  auto& one = node(place());
  ASSERT_TRUE(until([&] { return one.spy.claims >= 1 && one.redis.connected(); }));
  pass(500ms);
  const auto claims = one.spy.claims;
  EXPECT_LE(claims, 3) << "it waits and does not ask again and again";
  std::vector<double> latencies;
  for (int i = 0; i < 5; ++i) {
    const auto name = fmt::format("nobody-{}", i);
    const auto begun = BootClock::now();
    enqueue(name);
    ASSERT_TRUE(until([&] { return one.lines->count("work_claimed", name) == 1; }, 2s));
    latencies.push_back(std::chrono::duration<double>(BootClock::now() - begun).count());
  }
  std::ranges::sort(latencies);
  EXPECT_LT(latencies[2], 0.1);
  enqueue("ada");
  ASSERT_TRUE(until([&] { return !results().empty() && results()[0].success; }));
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
  EXPECT_EQ(hub().unread("ada"), 0U);
  EXPECT_EQ(one.lines->count("activation_starting", "\"agent_id\":\"ada\""), 1U);
  EXPECT_EQ(one.lines->count("activation_completed", "\"status\":\"success\""), 1U);
  EXPECT_FALSE(one.runner.not_ready());
  EXPECT_FALSE(one.runner.unhealthy());
}

TEST_F(RunnerTest, SlotsBoundWhatRunsAndOneBringsTheNext) {
  std::vector<std::string> posts;
  for (int i = 0; i < 5; ++i) {
    posts.push_back(mention(fmt::format("ada-{}", i)));
    enqueue(fmt::format("ada-{}", i));
  }
  think_for(200ms);
  auto options = quick_options();
  options.slots = 2;
  auto& one = node(place(), options);
  bool too_many = false;
  ASSERT_TRUE(until([&] {
    too_many = too_many || one.runner.active() > 2 || integer({"HLEN", "work:active"}) > 2;
    return results().size() == 5;
  }));
  EXPECT_FALSE(too_many);
  EXPECT_EQ(llm.waiting_max(), 2U);
  for (int i = 0; i < 5; ++i)
    EXPECT_THAT(hub().answers(posts[static_cast<std::size_t>(i)]),
                ElementsAre(fmt::format("ada-{}", i)));
  EXPECT_EQ(one.spy.claims_with_complete, 5);
  EXPECT_TRUE(until([&] { return one.runner.active() == 0; }));
  EXPECT_EQ(integer({"HLEN", "work:active"}), 0);
}

TEST_F(RunnerTest, AnOperatorStopsAnActivation) {
  const auto post = mention("ada");
  think_for(20s);
  auto& one = node(place());
  enqueue("ada");
  ASSERT_TRUE(until([&] { return llm.requests() == 1; }));
  EXPECT_EQ(integer({"DEL", "activation:" + activation_of("ada")}), 1);
  ASSERT_TRUE(until([&] { return !active("ada"); }, 1s));
  ASSERT_TRUE(until([&] { return one.lines->count("activation_cancelled") == 1; }));
  EXPECT_THAT(hub().answers(post), ElementsAre());
  EXPECT_EQ(hub().unread("ada"), 1U);
  EXPECT_EQ(results().at(0).status, "cancelled");
  EXPECT_EQ(integer({"HEXISTS", "work:failures", "ada"}), 0);
  EXPECT_NEAR(std::stod(ask({"HGET", "work:backoff", "ada"})), to_unix(system_clock().wall()) + 60,
              3);
  EXPECT_EQ(enqueue("ada"), queue::EnqueueResult::backoff);
}

TEST_F(RunnerTest, DrainingLetsRunningWorkFinish) {
  const auto post = mention("ada");
  const auto later = mention("bob");
  think_for(600ms);
  auto& one = node(place());
  enqueue("ada");
  ASSERT_TRUE(until([&] { return llm.requests() == 1; }));
  enqueue("bob");
  run(one.runner.drain(10s));
  EXPECT_EQ(one.runner.not_ready(), "draining");
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
  EXPECT_THAT(hub().answers(later), ElementsAre()) << "nothing new is begun";
  EXPECT_EQ(ask({"HGET", "work:queued", "bob"}), "high:inbox");
  EXPECT_EQ(integer({"EXISTS", "runner:heartbeat:r-1"}), 0);
  EXPECT_EQ(integer({"HLEN", "work:outbox"}), 0) << "what was spent is reported before it ends";
  EXPECT_EQ(one.runner.active(), 0);
}

TEST_F(RunnerTest, WhatDoesNotFinishInTimeGoesBackUncounted) {
  const auto post = mention("ada");
  think_for(30s);
  auto& one = node(place());
  enqueue("ada");
  ASSERT_TRUE(until([&] { return llm.requests() == 1; }));
  const auto begun = BootClock::now();
  run(one.runner.drain(300ms));
  EXPECT_LT(BootClock::now() - begun, 2s);
  EXPECT_GE(BootClock::now() - begun, 300ms);
  EXPECT_EQ(integer({"HLEN", "work:active"}), 0);
  EXPECT_EQ(integer({"LLEN", "work:queue:high"}), 1);
  EXPECT_EQ(one.lines->count("work_requeued", "\"reason\":\"drain\""), 1U);
  llm.script([](const auto&) { return test::LlmSimulator::Answer::say("Now."); });
  auto& second = node(place(), quick_options("r-2"));
  ASSERT_TRUE(until([&] { return !results().empty(); }));
  EXPECT_EQ(second.lines->count("work_claimed", "\"attempt\":1"), 1U);
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
}

TEST_F(RunnerTest, DrainsCostAMentionNoTries) {
  const auto post = mention("ada");
  think_for(30s);
  enqueue("ada");
  for (int deploy = 0; deploy < 4; ++deploy) {
    auto& one = node(place(), quick_options(fmt::format("r-{}", deploy)));
    ASSERT_TRUE(until([&] { return llm.requests() == static_cast<std::size_t>(deploy) + 1; }));
    run(one.runner.drain(20ms));
  }
  llm.script([](const auto&) { return test::LlmSimulator::Answer::say("At last."); });
  node(place(), quick_options("r-last"));
  ASSERT_TRUE(until([&] { return !results().empty(); }));
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
  EXPECT_EQ(integer({"LLEN", "work:dead"}), 0);
}

TEST_F(RunnerTest, HurryEndsTheDrainNow) {
  mention("ada");
  think_for(30s);
  auto& one = node(place());
  enqueue("ada");
  ASSERT_TRUE(until([&] { return llm.requests() == 1; }));
  boost::asio::steady_timer soon(ioc, 300ms);
  soon.async_wait([&](auto) { one.runner.hurry(); });
  const auto begun = BootClock::now();
  run(one.runner.drain(60s));
  EXPECT_LT(BootClock::now() - begun, 2s);
  EXPECT_EQ(integer({"LLEN", "work:queue:high"}), 1);
}

TEST_F(RunnerTest, TimeOverIsAFailure) {
  mention("ada");
  think_for(30s);
  auto options = quick_options();
  options.activation_timeout = 1s;
  auto& one = node(place(), options);
  enqueue("ada");
  ASSERT_TRUE(until([&] { return !results().empty(); }));
  EXPECT_EQ(results()[0].status, "timeout");
  EXPECT_EQ(results()[0].error, "Execution timed out after 1 seconds");
  EXPECT_EQ(ask({"HGET", "work:failures", "ada"}), "1");
  EXPECT_EQ(one.lines->count("activation_timeout"), 1U);
}

TEST_F(RunnerTest, ModesTakeOnlyTheirWork) {
  auto options = quick_options("explorer");
  options.mode = queue::RunnerMode::exploration;
  define("ada");
  define("bob");
  hub().agent("ada");
  hub().agent("bob");
  enqueue("ada");
  enqueue("bob", queue::TaskType::discovery);
  auto& explorer = node(place(), options);
  ASSERT_TRUE(until([&] { return results().size() == 1; }));
  pass(300ms);
  EXPECT_EQ(results()[0].agent_id.str(), "bob");
  EXPECT_EQ(explorer.lines->count("work_claimed"), 1U);
  options = quick_options("reader");
  options.mode = queue::RunnerMode::notification;
  node(place(), options);
  enqueue("bob", queue::TaskType::discovery);
  ASSERT_TRUE(until([&] { return results().size() >= 2; }));
  EXPECT_TRUE(until([&] {
    const auto all = results();
    return std::ranges::any_of(all, [](const auto& one) {
      return one.agent_id.str() == "ada" && one.runner_id.str() == "reader";
    });
  }));
}

TEST_F(RunnerTest, AgentsOfOtherExecutorsAreLeftForOtherRunners) {
  define("coder", "claude-code");
  hub().agent("coder");
  const auto post = mention("ada");
  auto& one = node(place());
  enqueue("coder");
  ASSERT_TRUE(until([&] {
    return one.lines->count("executor_error", "Executor 'claude-code' not available") == 1;
  }));
  enqueue("ada");
  ASSERT_TRUE(until([&] { return results().size() == 1; }));
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
  pass(1200ms);
  EXPECT_EQ(one.lines->count("work_claimed", "\"agent_id\":\"coder\""), 1U)
      << "passed over for a minute";
  EXPECT_EQ(ask({"HGET", "work:queued", "coder"}), "high:inbox");
  EXPECT_EQ(ask({"LINDEX", "work:queue:high", "0"}).find("\"attempt\": 1"), std::string::npos)
      << "no attempt was counted";
}

TEST_F(RunnerTest, TwoOfOneNameAreWarnedOf) {
  auto& one = node(place());
  ASSERT_TRUE(until([&] { return integer({"EXISTS", "runner:heartbeat:r-1"}) == 1; }));
  auto& other = node(place());
  const auto warned = [&] {
    return one.lines->count("runner_id_shared") + other.lines->count("runner_id_shared");
  };
  ASSERT_TRUE(until([&] { return warned() >= 1; }, 40s));
  EXPECT_TRUE(until([&] { return !other.runner.not_ready(); })) << "a warning, no refusal";
}

TEST_F(RunnerTest, WhatAKilledOneLeftUnderTheNameIsNoOther) {
  ask({"SET", "runner:heartbeat:r-1",
       R"({"runner_id":"r-1","status":"idle","timestamp":"2026-01-01T00:00:00Z","incarnation":"x"})"});
  auto& one = node(place());
  ASSERT_TRUE(until([&] {
    return ask({"GET", "runner:heartbeat:r-1"}).find("2026-01-01") == std::string::npos;
  }));
  EXPECT_FALSE(until([&] { return one.lines->count("runner_id_shared") > 0; }, 1s));
}

TEST_F(RunnerTest, TwoOfOneNameWorkSideBySide) {
  const auto first = mention("ada");
  const auto second = mention("bob");
  think_for(1s);
  auto options = quick_options();
  options.lease = 600ms;
  auto& one = node(place(), options);
  options.incarnation = system_random().uuid4();
  auto& other = node(place(), options);
  enqueue("ada");
  enqueue("bob");
  ASSERT_TRUE(until([&] { return one.runner.active() == 1 && other.runner.active() == 1; }));
  EXPECT_NE(activation_of("ada"), activation_of("bob"));
  ASSERT_TRUE(until([&] { return results().size() == 2; }));
  for (const auto& result : results())
    EXPECT_EQ(result.status, "success");
  EXPECT_THAT(hub().answers(first), ElementsAre("ada"));
  EXPECT_THAT(hub().answers(second), ElementsAre("bob"));
  EXPECT_EQ(one.lines->count("lease_trust_ended") + other.lines->count("lease_trust_ended"), 0U);
  EXPECT_EQ(llm.requests(), 2U);
}

// Claiming, renewing and completing ask nobody who leads.
TEST_F(RunnerTest, WithoutALeaderWorkGoesOn) {
  ask({"DEL", "coordinator:epoch", "coordinator:term", "coordinator:leader"});
  const auto post = mention("ada");
  think_for(900ms);
  auto options = quick_options();
  options.lease = 500ms;
  auto& one = node(place(), options);
  enqueue("ada");
  ASSERT_TRUE(until([&] { return !results().empty(); }));
  EXPECT_THAT(hub().answers(post), ElementsAre("ada"));
  EXPECT_EQ(one.lines->count("lease_trust_ended"), 0U) << "renewed beyond its length";
  EXPECT_EQ(integer({"HLEN", "work:active"}), 0);
}

TEST_F(RunnerTest, TheHeartbeatSaysWhatTheRunnerDoes) {
  mention("ada");
  think_for(30s);
  auto options = quick_options();
  options.slots = 3;
  auto& one = node(place(), options);
  ASSERT_TRUE(until([&] { return integer({"EXISTS", "runner:heartbeat:r-1"}) == 1; }));
  const auto beat = queue::decode_heartbeat(ask({"GET", "runner:heartbeat:r-1"})).value();
  EXPECT_EQ(beat.runner_id.str(), "r-1");
  EXPECT_EQ(beat.status, queue::RunnerStatus::idle);
  EXPECT_EQ(beat.mode, queue::RunnerMode::hybrid);
  EXPECT_EQ(beat.capacity, 3);
  EXPECT_EQ(beat.active, 0);
  EXPECT_EQ(beat.incarnation, options.incarnation);
  EXPECT_FALSE(beat.version.empty());
  EXPECT_GT(integer({"TTL", "runner:heartbeat:r-1"}), 50);
  EXPECT_EQ(run(one.heartbeats.live()).size(), 1U);
}

TEST_F(RunnerTest, MetricsAreThere) {
  mention("ada");
  auto& one = node(place());
  enqueue("ada");
  enqueue("nobody");
  const auto shows = [&](const char* what) {
    return one.metrics.expose().find(what) != std::string::npos;
  };
  ASSERT_TRUE(until([&] {
    return results().size() == 2 &&
           shows("botburrow_runner_slots{runner_id=\"r-1\",state=\"busy\"} 0");
  }));
  ASSERT_TRUE(until([&] { return shows("botburrow_runner_heartbeat_timestamp_seconds{"); }));
  const auto text = one.metrics.expose();
  for (const auto* line :
       {"botburrow_activations_total{agent_id=\"ada\",task_type=\"inbox\",status=\"success\"} 1",
        "botburrow_activations_total{agent_id=\"nobody\",task_type=\"inbox\",status=\"failure\"} 1",
        "botburrow_activation_total{agent_id=\"ada\",tool_type=\"native\",status=\"success\"} 1",
        "botburrow_activation_failures_total{agent_id=\"nobody\",task_type=\"inbox\",reason="
        "\"failure\"} 1",
        "botburrow_activation_duration_seconds_count{agent_id=\"ada\",task_type=\"inbox\"} 1",
        "botburrow_activations_in_progress{runner_id=\"r-1\"} 0",
        "botburrow_runner_info{runner_id=\"r-1\",mode=\"hybrid\",version=\"",
        "botburrow_runner_heartbeat{runner_id=\"r-1\"} ",
        "botburrow_runner_slots{runner_id=\"r-1\",state=\"busy\"} 0",
        "botburrow_runner_slots{runner_id=\"r-1\",state=\"free\"} 1",
        "botburrow_tokens_consumed_total{agent_id=\"ada\",model=\"gpt-4o\",direction=\"input\"} 11",
        "botburrow_tokens_consumed_total{agent_id=\"ada\",model=\"gpt-4o\",direction=\"output\"} 7",
        "botburrow_tokens_used{agent_id=\"ada\",model=\"gpt-4o\"} 18",
        "botburrow_tokens_total{agent_id=\"ada\",tool_type=\"native\",direction=\"output\"} 7",
        "botburrow_activation_cost_usd_total{agent_id=\"ada\",model=\"gpt-4o\"} ",
        "botburrow_queue_wait_seconds_count{agent_id=\"ada\",priority=\"high\"} 1"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + line));
  }
  EXPECT_EQ(text.find("model=\"\""), std::string::npos)
      << "no series for an activation that asked no model";
}

TEST_F(RunnerTest, AForeignHubIsServedOnce) {
  auto& there = foreign_hub();
  define("ada");
  const auto id = there.add_agent("ada");
  const auto post = there.add_post(there.add_agent("author"), "hello @ada");
  there.notify(id, "mention", post);
  there.notify(id, "zap", post);
  auto& one = node(foreign_place());
  enqueue(id, queue::TaskType::inbox, "ada");
  ASSERT_TRUE(until([&] { return !results().empty(); }));
  EXPECT_EQ(results()[0].status, "success");
  ASSERT_EQ(there.comments().size(), 1U);
  EXPECT_EQ(there.comments()[0].author_id, id);
  EXPECT_TRUE(until([&] { return there.unread(id) == 0; }));
  EXPECT_TRUE(until([&] {
    return there.consumption().size() == 1 &&
           there.count("POST", "/agents/" + id + "/activated") == 1;
  }));
  EXPECT_EQ(one.lines->count("notification_type_unknown"), 1U);
}

TEST_F(RunnerTest, AReportTheHubDidNotTakeIsSentLaterOnce) {
  auto& there = foreign_hub();
  define("ada");
  const auto id = there.add_agent("ada");
  there.notify(id, "mention", there.add_post(id, "hello"));
  there.fail("/system/consumption", 503, 1'000);
  auto& one = node(foreign_place());
  enqueue(id, queue::TaskType::inbox, "ada");
  ASSERT_TRUE(until([&] { return there.count("POST", "/system/consumption") >= 3; }));
  EXPECT_EQ(integer({"HLEN", "work:outbox"}), 1);
  EXPECT_EQ(there.consumption().size(), 0U);
  // Another runner finds it, also when this one is gone.
  run(one.stop());
  auto& other = node(foreign_place(), quick_options("r-2"));
  there.forgive();
  ASSERT_TRUE(until([&] { return integer({"HLEN", "work:outbox"}) == 0; }));
  pass(1200ms);
  EXPECT_EQ(there.consumption().size(), 1U);
  EXPECT_TRUE(until([&] { return other.lines->count("reported_consumption") == 1; }));
}

// Started and stopped at any moment: a task that is left would stop the program, an item that is
// left would stand in work:active.
TEST_F(RunnerTest, StartAndStopAtAnyMoment) {
  for (int i = 0; i < 8; ++i)
    mention(fmt::format("ada-{}", i));
  think_for(40ms);
  SeededRandom random(5);
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 8; ++i)
      enqueue(fmt::format("ada-{}", i));
    auto options = quick_options();
    options.slots = 1 + static_cast<int>(random.unit() * 3);
    Node one(ioc, place(), options);
    if (random.unit() < 0.95) one.start();
    pass(std::chrono::microseconds(static_cast<int>(random.unit() * random.unit() * 150'000)));
    if (random.unit() < 0.3) one.runner.hurry();
    run(one.stop(std::chrono::milliseconds(static_cast<int>(random.unit() * 60))));
    ASSERT_EQ(one.runner.active(), 0);
    ASSERT_EQ(one.http.active(), 0U);
    ASSERT_EQ(integer({"HLEN", "work:active"}), 0) << "round " << round << "\n" << one.lines->all();
  }
  queue::OperatorView view(hand().redis, Log::none());
  EXPECT_TRUE(run(view.census()).closes());
}

}  // namespace
}  // namespace botburrow::runner
