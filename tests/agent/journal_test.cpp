// Activations that go on where an earlier claim of the same work stopped, on our Hub and a real
// Redis.
#include "tests/agent/activation_world.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

namespace botburrow::agent {
namespace {

using queue::TaskType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class JournaledActivationTest : public ::testing::Test {
 protected:
  /// Runs it until `until`, and then it is as if its process had died.
  void die(queue::Claim claim, const std::function<bool()>& until) {
    Activation activation(world.services(), world.settings, std::move(claim),
                          {.may_write = [] { return true; }}, world.log);
    boost::asio::cancellation_signal signal;
    bool ended = false;
    boost::asio::co_spawn(world.ioc, test::detail::cancellable(activation.run(Deadline::in(20s))),
                          boost::asio::bind_cancellation_slot(
                              signal.slot(), [&](std::exception_ptr, Ending) { ended = true; }));
    ASSERT_TRUE(test::run_until(world.ioc, [&] { return ended || until(); }));
    // From within the loop: a signal on its way while the coroutine ends would reach what is gone.
    bool told = false;
    boost::asio::post(world.ioc, [&] {
      if (!ended) signal.emit(boost::asio::cancellation_type::all);
      told = true;
    });
    ASSERT_TRUE(test::run_until(world.ioc, [&] { return ended && told; }));
  }
  /// Ends the claim as a supervisor does, as far as the journal goes.
  void hand_back(Activation& activation, const Ending& ending) {
    const auto lines = activation.closing_lines(ending);
    for (std::size_t at = 0; at < lines.size();) {
      const auto end = std::min(lines.find('\n', at), lines.size());
      world.ask({"RPUSH", "journal:w-1", lines.substr(at, end - at)});
      at = end + 1;
    }
  }
  /// All of one piece of work.
  queue::Claim claim(std::int64_t counter, TaskType type = TaskType::inbox) {
    return world.claim(type, counter, "w-1");
  }
  static ScriptedModel::Step hang() {
    return [](const auto&) -> Task<llm::ModelAnswer> {
      co_await sleep_for(1h);
      co_return llm::ModelAnswer{};
    };
  }
  std::size_t posts_sent() const { return world.front->count("POST", "/comments"); }

  ActivationWorld world;
};

TEST_F(JournaledActivationTest, AnsweredModelCallIsNotPaidForAgain) {
  const auto post = world.new_post("@ada hello");
  world.model->then(says("the first answer"));
  // Dies before the Hub has heard of the answer.
  world.front->rule([](const auto& exchange) {
    return exchange.is("POST", "/comments") ? HubFront::answer(503) : HubFront::pass();
  });
  die(claim(5), [&] { return posts_sent() > 0; });
  world.front->rule(nullptr);
  const auto ran = world.activate(claim(6));
  EXPECT_EQ(ran.outcome(), "success") << ran.ending.reason;
  EXPECT_EQ(world.model->requests.size(), 1u);
  ASSERT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_EQ(world.comments_by("ada", post)[0].content, "the first answer");
  EXPECT_THAT(world.unread("ada"), IsEmpty());
  EXPECT_EQ(ran.tally.usage.input, 0) << "the run before paid";
  EXPECT_EQ(ran.tally.comments, 1);
  EXPECT_EQ(world.used_today("ada").comments, 1);
}

TEST_F(JournaledActivationTest, NoSecretIsWrittenDownOrPosted) {
  world.scrubber.add(Secret("hunter2-hunter2"));
  const auto post = world.new_post("@ada hello, is it hunter2-hunter2?");
  world.model->then(calls({{"Write", {{"file_path", "x"}, {"content", "hunter2-hunter2"}}}}));
  world.model->then(says("yes, hunter2-hunter2, or 68756e746572322d68756e74657232"));
  EXPECT_EQ(world.activate(claim(5)).outcome(), "success");
  ASSERT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_EQ(world.comments_by("ada", post)[0].content,
            "yes, [secret removed], or [secret removed]");
  std::string lines;
  const auto reply = world.run(world.redis.command({"LRANGE", "journal:w-1", "0", "-1"}));
  for (const auto& line : reply.array())
    lines += line.str();
  EXPECT_THAT(lines, HasSubstr("[secret removed]"));
  EXPECT_THAT(lines, testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(lines, testing::Not(HasSubstr("68756e746572322d")));
  EXPECT_EQ(world.lines->count("secret_kept_from_post"), 1U);
}

TEST_F(JournaledActivationTest, AReasonHoldsNoSecret) {
  world.scrubber.add(Secret("hunter2-hunter2"));
  world.new_post("@ada hello");
  world.model->always(Error(errc::model_refused_request, "no such key: hunter2-hunter2"));
  const auto ran = world.activate(claim(5));
  EXPECT_THAT(ran.ending.reason, HasSubstr("[secret removed]"));
  EXPECT_THAT(ran.ending.reason, testing::Not(HasSubstr("hunter2")));
}

TEST_F(JournaledActivationTest, PostOfUnknownOutcomeIsLookedUp) {
  const auto post = world.new_post("@ada hello");
  world.model->then(says("the answer"));
  world.front->rule([](const auto& exchange) {
    return exchange.is("POST", "/comments") ? HubFront::lose_answer() : HubFront::pass();
  });
  die(claim(5), [&] { return posts_sent() > 0; });
  world.front->rule(nullptr);
  world.front->seen.clear();
  const auto ran = world.activate(claim(6));
  EXPECT_EQ(ran.outcome(), "success") << ran.ending.reason;
  EXPECT_EQ(posts_sent(), 0u);
  EXPECT_EQ(world.front->count("GET", "/idempotency/"), 1u);
  EXPECT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_THAT(ran.notes(), ElementsAre("answered"));
}

TEST_F(JournaledActivationTest, EffectOfAToolIsNotRepeatedAndTheModelGoesOn) {
  const auto post = world.new_post("@ada hello");
  world.model->then(calls({{"hub_post", {{"content", "a new post"}}}}));
  world.model->then(hang());
  die(claim(5), [&] { return world.model->requests.size() == 2; });
  world.model->then(says("done"));
  world.front->seen.clear();
  const auto ran = world.activate(claim(6));
  EXPECT_EQ(ran.outcome(), "success") << ran.ending.reason;
  EXPECT_EQ(world.model->requests.size(), 3u) << "only what was not answered is asked again";
  EXPECT_EQ(world.front->count("POST", "/posts?") + world.front->count("POST", "/posts HTTP"), 0u);
  EXPECT_EQ(
      world.call("GET", "/search?q=new", world.owner_key).body.at("results").as_array().size(), 1u);
  const auto& resumed = world.model->requests[2].messages;
  ASSERT_THAT(resumed, SizeIs(5)) << "system, two of the user, answer, result";
  EXPECT_THAT(resumed[4].tool_results.at(0).content, HasSubstr("Post created successfully. ID: "));
  EXPECT_EQ(resumed[1].text, world.model->requests[1].messages[1].text);
  ASSERT_THAT(world.comments_by("ada", post), SizeIs(1));
}

TEST_F(JournaledActivationTest, AWriteBehindARoundThatIsGoneOverIsAnother) {
  world.new_post("@ada hello");
  world.model->then(calls({{"hub_post", {{"content", "of apples"}}}}));
  world.model->then(hang());
  die(claim(5), [&] { return world.model->requests.size() == 2; });
  world.model->then(calls({{"hub_post", {{"content", "of pears"}}}}));
  world.model->then(says("done"));
  const auto ran = world.activate(claim(6));
  EXPECT_EQ(ran.outcome(), "success") << ran.ending.reason;
  EXPECT_EQ(
      world.call("GET", "/search?q=apples", world.owner_key).body.at("results").as_array().size(),
      1u);
  EXPECT_EQ(
      world.call("GET", "/search?q=pears", world.owner_key).body.at("results").as_array().size(),
      1u);
}

TEST_F(JournaledActivationTest, ToolOfARoundThatBrokeOffFindsItsEffect) {
  const auto post = world.new_post("@ada hello");
  world.model->then(calls({{"hub_post", {{"content", "to the thread"}, {"reply_to", post}}}}));
  world.front->rule([](const auto& exchange) {
    return exchange.is("POST", "/comments") ? HubFront::lose_answer() : HubFront::pass();
  });
  die(claim(5), [&] { return posts_sent() > 0; });
  world.front->rule(nullptr);
  world.model->then(says("SKIP"));
  const auto ran = world.activate(claim(6));
  EXPECT_EQ(ran.outcome(), "success") << ran.ending.reason;
  ASSERT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_EQ(world.model->requests.size(), 2u);
}

TEST_F(JournaledActivationTest, AnAwayHubIsResumedAtThePost) {
  const auto post = world.new_post("@ada hello");
  world.model->then(says("the answer"));
  world.front->rule([](const auto& exchange) {
    return exchange.is("POST", "/comments") ? HubFront::answer(503) : HubFront::pass();
  });
  Activation first(world.services(), world.settings, claim(5), {.may_write = [] { return true; }},
                   world.log);
  const auto ending = world.run(first.run(Deadline::in(2s)));
  ASSERT_EQ(ending.way, Ending::Way::hand_back) << ending.reason;
  hand_back(first, ending);
  world.front->rule(nullptr);
  bool reported = false;
  Activation second(
      world.services(), world.settings, claim(6),
      {.may_write = [] { return true; }, .on_unreported = [&](const auto&) { reported = true; }},
      world.log);
  EXPECT_EQ(world.run(second.run(Deadline::in(20s))).outcome, queue::Outcome::success);
  EXPECT_EQ(world.model->requests.size(), 1u);
  EXPECT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_FALSE(reported) << "who handed back said what it spent";
}

TEST_F(JournaledActivationTest, WhatADeadRunSpentIsReportedInItsName) {
  world.new_post("@ada hello");
  world.model->then(calls({{"hub_search", {{"query", "x"}}}}));
  world.model->then(hang());
  die(claim(5), [&] { return world.model->requests.size() == 2; });
  world.model->then(says("done"));
  std::vector<UnreportedRun> dead;
  Activation second(world.services(), world.settings, claim(6),
                    {.may_write = [] { return true; },
                     .on_unreported = [&](const auto& run) { dead.push_back(run); }},
                    world.log);
  world.run(second.run(Deadline::in(20s)));
  ASSERT_THAT(dead, SizeIs(1));
  EXPECT_EQ(dead[0].activation_id.str(), "a-5");
  EXPECT_EQ(dead[0].usage.input, 100);
  EXPECT_EQ(dead[0].model, "scripted-1");
  EXPECT_EQ(second.tally().usage.input, 100);
}

TEST_F(JournaledActivationTest, SettledNotificationsAreDoneAndTheRestGoesOn) {
  const auto one = world.new_post("@ada one");
  const auto two = world.new_post("@ada two");
  world.model->then(says("to one"));
  world.model->then(hang());
  die(claim(5), [&] { return world.model->requests.size() == 2; });
  world.model->then(says("to two"));
  const auto ran = world.activate(claim(6));
  EXPECT_THAT(ran.notes(), ElementsAre("answered", "answered"));
  EXPECT_EQ(world.model->requests.size(), 3u);
  EXPECT_THAT(world.comments_by("ada", one), SizeIs(1));
  EXPECT_THAT(world.comments_by("ada", two), SizeIs(1));
  EXPECT_EQ(ran.tally.processed, 2);
}

TEST_F(JournaledActivationTest, BegunNotificationIsFinishedAlsoWhenItIsRead) {
  const auto post = world.new_post("@ada hello");
  const auto id = world.unread("ada").at(0).id;
  world.model->then(calls({{"hub_post", {{"content", "to the thread"}, {"reply_to", post}}},
                           {"hub_post", {{"content", "and a post"}}}}));
  world.front->rule([](const auto& exchange) {
    return exchange.is("POST", "/posts") && !exchange.is("POST", "/comments")
               ? HubFront::answer(503)
               : HubFront::pass();
  });
  die(claim(5), [&] { return world.front->count("POST", "/posts") > posts_sent(); });
  ASSERT_THAT(world.unread("ada"), IsEmpty());
  world.front->rule(nullptr);
  world.model->then(says("SKIP"));
  const auto ran = world.activate(claim(6));
  EXPECT_THAT(ran.notes(), ElementsAre("answered"));
  EXPECT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_EQ(ran.tally.posts, 1) << "what was begun is not lost";
}

TEST_F(JournaledActivationTest, FailedNotificationBeginsAnew) {
  world.new_post("@ada one");
  world.new_post("@ada two");
  world.model->then(Error(errc::model_refused_request, "400: no"));
  world.model->then(hang());
  die(claim(5), [&] { return world.model->requests.size() == 2; });
  world.model->always(says("fine"));
  const auto ran = world.activate(claim(6));
  EXPECT_THAT(ran.notes(), ElementsAre("answered", "answered"));
}

TEST_F(JournaledActivationTest, DiscoveryGoesOnToo) {
  world.define("ada",
               "  discovery: {enabled: true, frequency: staleness, respond_to_questions: true, "
               "respond_to_discussions: true, min_confidence: 0.7}\n");
  const auto post = world.new_post("How do fences work?");
  world.clock.advance(1h);
  world.model->then(
      calls({{"hub_post", {{"content", "indeed"}, {"reply_to", post}}}}, "Confidence: 0.9"));
  world.front->rule([](const auto& exchange) {
    return exchange.is("POST", "/comments") ? HubFront::answer(503) : HubFront::pass();
  });
  die(claim(5, TaskType::discovery), [&] { return posts_sent() > 0; });
  ASSERT_EQ(world.model->requests.size(), 1u);
  world.front->rule(nullptr);
  world.model->then(says("said"));
  const auto ran = world.activate(claim(6, TaskType::discovery));
  EXPECT_EQ(ran.outcome(), "success") << ran.ending.reason;
  EXPECT_EQ(world.model->requests.size(), 2u);
  EXPECT_THAT(world.comments_by("ada", post), SizeIs(1));
}

TEST_F(JournaledActivationTest, FullJournalFailsTheActivation) {
  const auto post = world.new_post("@ada hello");
  for (int i = 0; i < queue::kJournalLines - 1; ++i)
    world.ask({"RPUSH", "journal:w-1", "{}"});
  const auto ran = world.activate(claim(5));
  EXPECT_EQ(ran.outcome(), "failure");
  EXPECT_THAT(ran.ending.reason, HasSubstr("more than 512 lines"));
  EXPECT_EQ(world.lines->count("journal_full"), 1u);
  EXPECT_THAT(world.comments_by("ada", post), IsEmpty());
}

TEST_F(JournaledActivationTest, WhoLostItsLeaseWritesNothing) {
  const auto post = world.new_post("@ada hello");
  world.model->then([&](const auto&) -> Task<llm::ModelAnswer> {
    co_await world.redis.command({"HDEL", "work:processing", "ada"});
    co_return says("too late");
  });
  EXPECT_EQ(world.activate(claim(5)).outcome(), "abandoned");
  EXPECT_THAT(world.comments_by("ada", post), IsEmpty());
}

TEST_F(JournaledActivationTest, DeathAtAnyCallToTheHubPaysForTheModelOnce) {
  for (int cut = 1; cut <= 8; ++cut) {
    const auto post = world.new_post(fmt::format("@ada round {}", cut));
    world.model->always(says("an answer"));
    world.model->requests.clear();
    world.front->seen.clear();
    const auto work = fmt::format("w-{}", cut);
    die(world.claim(TaskType::inbox, 10 * cut, work),
        [&] { return world.front->seen.size() >= static_cast<std::size_t>(cut); });
    world.activate(world.claim(TaskType::inbox, 10 * cut + 1, work));
    EXPECT_THAT(world.comments_by("ada", post), SizeIs(1)) << cut;
    EXPECT_THAT(world.unread("ada"), IsEmpty()) << cut;
    EXPECT_EQ(world.model->requests.size(), 1u) << cut;
  }
}

}  // namespace
}  // namespace botburrow::agent
