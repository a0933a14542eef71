// Whole inbox activations.
#include "tests/agent/activation_world.hpp"

namespace botburrow::agent {
namespace {

using queue::HandBackReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class InboxTest : public ::testing::Test {
 protected:
  std::string mention(const std::string& text = "@ada what is a fence?") {
    return world.new_post(text);
  }
  std::string only_id() { return world.unread("ada").at(0).id; }
  void hub_says(std::string method, std::string part, HubFront::Act act) {
    world.front->rule(
        [=](const auto& exchange) { return exchange.is(method, part) ? act : HubFront::pass(); });
  }
  ActivationWorld world;
};

TEST_F(InboxTest, MentionIsAnsweredOnceAndMarkedInTheSameTransaction) {
  const auto post = mention();
  world.model->then(says("A number that only grows."));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "success");
  EXPECT_EQ(ran.ending.reason, "");
  const auto own = world.comments_by("ada", post);
  ASSERT_THAT(own, SizeIs(1));
  EXPECT_EQ(own[0].content, "A number that only grows.");
  EXPECT_THAT(world.unread("ada"), IsEmpty());
  EXPECT_EQ(world.front->count("POST", "/notifications/read"), 0u);
  EXPECT_EQ(ran.tally.comments, 1);
  EXPECT_EQ(ran.tally.processed, 1);
  EXPECT_EQ(ran.tally.iterations, 1);
  EXPECT_EQ(ran.tally.usage.input, 100);
  EXPECT_GT(ran.tally.cost_usd, 0);
  EXPECT_EQ(ran.tally.notification_begun, "");
  ASSERT_THAT(ran.tally.notes, SizeIs(1));
  EXPECT_EQ(ran.tally.notes[0].comment_id, own[0].id);

  EXPECT_EQ(world.inbox(6).ending.reason, "No unread notifications");
  EXPECT_THAT(world.comments_by("ada", post), SizeIs(1));
}

TEST_F(InboxTest, ModelSeesThreadAndTheWholeTextOfTheNotification) {
  const auto post = world.new_post("A root", "On roots");
  const auto words = "@ada " + std::string(700, 'x') + " the end";
  world.new_comment(post, words);
  world.model->then(says("ok"));
  world.inbox();
  const auto& messages = world.model->requests.at(0).messages;
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_THAT(messages[0].text, StartsWith("You are ada."));
  EXPECT_THAT(messages[0].text, HasSubstr("Left today: 5 posts, 50 comments"));
  EXPECT_THAT(messages[1].text, HasSubstr("### On roots\nA root"));
  EXPECT_THAT(messages[2].text, HasSubstr("the end\n[end of hub text]"));
}

TEST_F(InboxTest, CommentByHubPostIsTheAnswerAndTheFinalTextIsNotPostedToo) {
  const auto post = mention();
  world.model->then(calls({{"hub_post", {{"content", "by tool"}, {"reply_to", post}}}}));
  world.model->then(says("I have answered."));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "success");
  const auto own = world.comments_by("ada", post);
  ASSERT_THAT(own, SizeIs(1));
  EXPECT_EQ(own[0].content, "by tool");
  EXPECT_EQ(ran.tally.tool_calls, 1);
  EXPECT_EQ(ran.tally.notes.at(0).comment_id, own[0].id);
}

TEST_F(InboxTest, HubPostElsewhereDoesNotReplaceTheReply) {
  const auto post = mention();
  const auto other = world.new_post("elsewhere");
  world.model->then(calls({{"hub_post", {{"content", "by the way"}, {"reply_to", other}}}}));
  world.model->then(says("The answer."));
  EXPECT_EQ(world.inbox().tally.comments, 2);
  EXPECT_EQ(world.comments_by("ada", post).at(0).content, "The answer.");
}

TEST_F(InboxTest, SkipMarkersMarkReadWithoutAComment) {
  for (const auto* marker : {"SKIP", "No response needed.", "", "skip\n\nThey only said thanks."}) {
    const auto post = mention(fmt::format("@ada here is \"{}\"", marker));
    world.model->then(says(marker));
    const auto ran = world.inbox();
    EXPECT_EQ(ran.outcome(), "skipped") << marker;
    EXPECT_EQ(ran.ending.reason, "the agent decided that no answer is needed");
    EXPECT_THAT(world.unread("ada"), IsEmpty());
    EXPECT_THAT(world.comments_by("ada", post), IsEmpty());
    EXPECT_EQ(ran.tally.processed, 1);
  }
}

TEST_F(InboxTest, FollowsAreMarkedReadWithoutAModelCall) {
  ASSERT_LT(world.call("POST", "/agents/ada/follow", world.owner_key).status, 300);
  ASSERT_THAT(world.unread("ada"), SizeIs(1));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "skipped");
  EXPECT_THAT(ran.notes(), ElementsAre("skipped: a follow needs no answer"));
  EXPECT_THAT(world.unread("ada"), IsEmpty());
  EXPECT_TRUE(world.model->requests.empty());
  EXPECT_EQ(world.models.asked, 0) << "an agent that only skips needs no key";
}

TEST_F(InboxTest, FlagsOfTheDefinitionSkip) {
  world.define("ada", "  respond_to_mentions: false\n");
  mention();
  EXPECT_EQ(world.inbox().ending.reason, "behavior.respond_to_mentions is false");
  EXPECT_THAT(world.unread("ada"), IsEmpty());
}

TEST_F(InboxTest, UnknownTypesAreWarnedAboutAndMarkedRead) {
  mention();
  const auto id = only_id();
  hub_says(
      "GET", "/notifications?",
      HubFront::answer(
          200,
          fmt::format(
              R"({{"notifications":[{{"id":"{}","type":"poke","from_agent":{{"id":"owner","name":"owner"}},"content":"x","created_at":"2026-01-01T00:00:00Z","read":false}}]}})",
              id)));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "skipped");
  EXPECT_EQ(world.lines->count("notification_type_unknown"), 1u);
  world.front->rule({});
  EXPECT_THAT(world.unread("ada"), IsEmpty());
}

TEST_F(InboxTest, DeletedPostIsSkipped) {
  const auto post = mention();
  // Our Hub takes the notification away with the post; others do not.
  hub_says("GET", "/posts/", HubFront::answer(404));
  EXPECT_EQ(world.inbox().ending.reason, "post " + post + " is gone");
  EXPECT_THAT(world.unread("ada"), IsEmpty());
}

TEST_F(InboxTest, FullThreadIsSkipped) {
  world.write("agents/ada/config.yaml",
              "name: ada\ntype: native\nbrain: {model: m}\ncapabilities: {grants: [hub:write]}\n"
              "behavior:\n  limits: {min_interval_seconds: 0, max_responses_per_thread: 1}\n");
  world.catalog.invalidate();
  const auto post = mention();
  world.model->then(says("one"));
  ASSERT_EQ(world.inbox().outcome(), "success");
  world.new_comment(post, "@ada and now?");
  const auto ran = world.inbox(6);
  EXPECT_EQ(ran.ending.reason, "Limit reached: max_responses_per_thread (1)");
  EXPECT_THAT(world.unread("ada"), IsEmpty());
  EXPECT_EQ(world.model->requests.size(), 1u);
}

TEST_F(InboxTest, AlreadyHandledIsMarkedReadOnAHubThatForgets) {
  const auto post = mention();
  world.run(world.state.set_handled(AgentId("ada"), only_id(), "c-1"));
  EXPECT_EQ(world.inbox().ending.reason, "already handled");
  EXPECT_THAT(world.unread("ada"), IsEmpty());
  EXPECT_THAT(world.comments_by("ada", post), IsEmpty());
}

TEST_F(InboxTest, HubThatDoesNotMarkGetsACallOfItsOwn) {
  const auto post = mention();
  world.front->rule([](const auto& exchange) {
    // What a minimal Hub answers; it knows no notification_id.
    return exchange.is("POST", "/comments") ? HubFront::answer(201, R"({"id":"c-9"})")
                                            : HubFront::pass();
  });
  world.model->then(says("hi"));
  EXPECT_EQ(world.inbox().outcome(), "success");
  EXPECT_EQ(world.front->count("POST", "/notifications/read"), 1u);
  EXPECT_EQ(world.run(world.state.find_handled(AgentId("ada"), "x")), std::nullopt);
  EXPECT_THAT(world.unread("ada"), IsEmpty());
}

TEST_F(InboxTest, DailyLimitLeavesUnreadAndHoldsOff) {
  world.write("agents/ada/config.yaml",
              "name: ada\ntype: native\nbrain: {model: m}\ncapabilities: {grants: [hub:write]}\n"
              "behavior:\n  limits: {min_interval_seconds: 0, max_daily_comments: 1}\n");
  world.catalog.invalidate();
  world.run(world.state.charge(AgentId("ada"), {.comments = 1}, {}, world.clock.wall()));
  mention("@ada one");
  mention("@ada two");
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "skipped");
  EXPECT_EQ(ran.ending.reason, "Limit reached: max_daily_comments (1)");
  EXPECT_GE(ran.ending.hold_off, 60s);
  EXPECT_LE(ran.ending.hold_off, 3600s);
  EXPECT_THAT(world.unread("ada"), SizeIs(2));
  EXPECT_THAT(ran.tally.notes, SizeIs(1)) << "the rest would fare alike";
  EXPECT_TRUE(world.model->requests.empty());
}

TEST_F(InboxTest, NoCommentsAllowedAtAllMarksRead) {
  world.write("agents/ada/config.yaml",
              "name: ada\ntype: native\nbrain: {model: m}\ncapabilities: {grants: [hub:write]}\n"
              "behavior:\n  limits: {max_daily_comments: 0}\n");
  world.catalog.invalidate();
  mention();
  EXPECT_EQ(world.inbox().ending.reason, "behavior.limits.max_daily_comments is 0");
  EXPECT_THAT(world.unread("ada"), IsEmpty());
}

TEST_F(InboxTest, LongIntervalLeavesUnread) {
  world.write("agents/ada/config.yaml",
              "name: ada\ntype: native\nbrain: {model: m}\ncapabilities: {grants: [hub:write]}\n"
              "behavior:\n  limits: {min_interval_seconds: 600}\n");
  world.catalog.invalidate();
  mention("@ada one");
  mention("@ada two");
  world.model->then(says("hi"));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "success");
  EXPECT_THAT(ran.notes(),
              ElementsAre("answered", "left: Limit reached: min_interval_seconds (600)"));
  EXPECT_GE(ran.ending.hold_off, 590s);
  EXPECT_THAT(world.unread("ada"), SizeIs(1));
}

TEST_F(InboxTest, MissingWriteGrantThinksButPostsNothing) {
  world.define("ada", "", "[hub:read]");
  const auto post = mention();
  world.model->then(says("my answer"));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.ending.reason, "the answer was not posted: missing grant hub:write");
  EXPECT_EQ(world.lines->count("grant_denied"), 1u);
  EXPECT_THAT(world.metrics.expose(),
              HasSubstr("botburrow_grant_denied_total{grant=\"hub:write\"} 1"));
  EXPECT_THAT(world.comments_by("ada", post), IsEmpty());
}

TEST_F(InboxTest, AgentsFaultCountsTriesAndIsBuriedAtTheThird) {
  const auto post = mention();
  const auto id = only_id();
  auto refused = says("");
  refused.stop = llm::StopReason::refusal;
  world.model->always(refused);
  for (int i = 1; i <= 2; ++i) {
    const auto ran = world.inbox(4 + i);
    EXPECT_EQ(ran.outcome(), "failure");
    EXPECT_EQ(ran.ending.reason, "The model refused to answer");
    EXPECT_EQ(world.tries(id), std::to_string(i));
    EXPECT_THAT(world.unread("ada"), SizeIs(1));
  }
  const auto third = world.inbox(7);
  EXPECT_EQ(third.outcome(), "skipped");
  EXPECT_THAT(third.ending.reason, HasSubstr("given up after 3 tries"));
  EXPECT_THAT(world.unread("ada"), IsEmpty());
  EXPECT_EQ(world.lines->count("notification_poisoned"), 1u);
  EXPECT_EQ(world.ask({"LLEN", "work:dead"}), "1");
}

TEST_F(InboxTest, RunsThatNeverEndedAreBuriedWithoutAnother) {
  mention();
  const auto id = only_id();
  for (int i = 0; i < 3; ++i)
    world.run(world.state.begin_notification(AgentId("ada"), id));
  const auto ran = world.inbox();
  EXPECT_THAT(ran.ending.reason, HasSubstr("its runs kept breaking off"));
  EXPECT_TRUE(world.model->requests.empty());
  EXPECT_THAT(world.unread("ada"), IsEmpty());
}

TEST_F(InboxTest, DependencysFaultCountsNoTryAndLeavesTheRestAlone) {
  mention("@ada one");
  mention("@ada two");
  const auto id = only_id();
  for (const auto code :
       {errc::model_unavailable, errc::model_rate_limited, errc::model_auth, errc::timeout}) {
    world.model->then(Error(code, "scripted: away"));
    const auto ran = world.inbox();
    EXPECT_EQ(ran.outcome(), "failure");
    EXPECT_EQ(ran.ending.reason, "LLM error: scripted: away");
    EXPECT_THAT(ran.notes(), ElementsAre("failed: LLM error: scripted: away"));
    EXPECT_EQ(world.tries(id), "(nil)");
  }
  EXPECT_THAT(world.unread("ada"), SizeIs(2));
  EXPECT_EQ(world.lines->count("llm_auth_error"), 1u);
}

TEST_F(InboxTest, MissingKeyIsLoggedAndFails) {
  mention();
  world.models.failure = Error(errc::model_auth, "anthropic: no key; set ANTHROPIC_API_KEY");
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "failure");
  EXPECT_THAT(world.lines->find("llm_auth_error"),
              HasSubstr("Invalid API key (anthropic): anthropic: no key; set ANTHROPIC_API_KEY"));
  EXPECT_THAT(world.unread("ada"), SizeIs(1));
  EXPECT_EQ(world.tries(only_id()), "(nil)");
}

TEST_F(InboxTest, WrongProviderOfTheDefinitionFailsWithoutATry) {
  mention();
  world.models.failure = Error(errc::definition_invalid, "brain.api_base is required");
  EXPECT_EQ(world.inbox().ending.reason, "brain.api_base is required");
  EXPECT_EQ(world.tries(only_id()), "(nil)");
}

TEST_F(InboxTest, OneFailureDoesNotStopTheOthers) {
  mention("@ada one");
  const auto second = mention("@ada two");
  world.model->then(Error(errc::model_refused_request, "too long"));
  world.model->then(says("two it is"));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "success");
  EXPECT_THAT(ran.notes(), ElementsAre("failed: LLM error: too long", "answered"));
  EXPECT_THAT(world.unread("ada"), SizeIs(1));
  EXPECT_THAT(world.comments_by("ada", second), SizeIs(1));
  EXPECT_EQ(world.lines->count("notification_processing_error"), 1u);
}

TEST_F(InboxTest, AtMostTenOldestFirst) {
  std::vector<std::string> posts;
  for (int i = 0; i < 12; ++i)
    posts.push_back(mention(fmt::format("@ada number {}", i)));
  world.model->always(says("ok"));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.tally.processed, 10);
  EXPECT_EQ(world.unread("ada").size(), 2u);
  EXPECT_THAT(world.comments_by("ada", posts[0]), SizeIs(1));
  EXPECT_THAT(world.comments_by("ada", posts[11]), IsEmpty());
  EXPECT_THAT(world.asked(0), HasSubstr("number 0"));
  EXPECT_EQ(world.inbox(6).tally.processed, 2);
}

TEST_F(InboxTest, TokenLimitOfTheActivationLeavesTheRestUnread) {
  world.settings.tokens_max = 120;  // one answer
  mention("@ada one");
  mention("@ada two");
  world.model->always(says("ok"));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "success");
  EXPECT_THAT(ran.notes(), ElementsAre("answered", "left: Token limit reached"));
  EXPECT_EQ(world.model->requests.size(), 1u);
  EXPECT_THAT(world.unread("ada"), SizeIs(1));
}

TEST_F(InboxTest, LocalCapEndsTheActivationWithoutATry) {
  world.settings.caps.daily_tokens = 1;
  mention();
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "over_budget");
  EXPECT_THAT(ran.ending.reason, StartsWith("Daily budget exceeded: "));
  EXPECT_EQ(ran.ending.hold_off, 300s);
  EXPECT_EQ(world.tries(only_id()), "(nil)");
  EXPECT_THAT(world.unread("ada"), SizeIs(1));
  EXPECT_TRUE(world.model->requests.empty());
}

TEST_F(InboxTest, CapReachedAfterAnAnswerIsASuccessThatHoldsOff) {
  world.settings.caps.daily_tokens = 6'000;
  mention("@ada one");
  mention("@ada two");
  auto dear = says("ok");
  dear.usage = {.input = 5'000, .output = 500};
  world.model->always(dear);
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "success");
  EXPECT_EQ(ran.ending.hold_off, 300s);
  EXPECT_EQ(ran.tally.processed, 1);
  EXPECT_THAT(world.unread("ada"), SizeIs(1));
}

TEST_F(InboxTest, SpendingIsSettledToWhatWasUsed) {
  mention();
  world.model->then(says("ok"));
  world.inbox();
  EXPECT_EQ(world.used_today("ada").tokens, 120);
}

TEST_F(InboxTest, HubAwayWhileReadingHandsBack) {
  mention();
  hub_says("GET", "/notifications?", HubFront::answer(401));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "handed back: hub_away");
  EXPECT_EQ(ran.ending.defer, 30s);
}

TEST_F(InboxTest, HubAwayAtTheReplyHandsBackWithoutATryAndTheRerunAnswersOnce) {
  const auto post = mention();
  const auto id = only_id();
  world.front->rule([](const auto& exchange) {
    if (exchange.is("GET", "/system/generation")) return HubFront::answer(404);
    return exchange.is("POST", "/comments") ? HubFront::lose_answer() : HubFront::pass();
  });
  world.model->then(says("first words"));
  const auto ran = world.inbox(5);
  EXPECT_EQ(ran.outcome(), "handed back: hub_away");
  EXPECT_EQ(world.tries(id), "(nil)");
  EXPECT_EQ(ran.tally.notification_begun, "");
  EXPECT_EQ(ran.tally.usage.output, 20) << "what was spent is told";

  world.front->rule({});
  world.model->always(says("other words"));
  world.inbox(6);
  ASSERT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_EQ(world.comments_by("ada", post)[0].content, "first words");
  EXPECT_THAT(world.unread("ada"), IsEmpty());
}

TEST_F(InboxTest, HubAwayAtAHubPostEndsTheRunInsteadOfTryingAgain) {
  const auto post = mention();
  hub_says("POST", "/posts", HubFront::answer(500));
  world.model->always(calls({{"hub_post", {{"content", "x"}}}}));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "handed back: hub_away");
  EXPECT_EQ(world.model->requests.size(), 1u);
}

TEST_F(InboxTest, StaleFenceAbandons) {
  mention();
  hub_says("POST", "/comments", HubFront::answer(412, R"({"code":"stale_fence"})"));
  world.model->then(says("x"));
  EXPECT_EQ(world.inbox().outcome(), "abandoned");
  EXPECT_THAT(world.unread("ada"), SizeIs(1));
}

TEST_F(InboxTest, UntrustedLeaseAbandonsBeforeWriting) {
  const auto post = mention();
  world.model->then([&](const auto&) -> Task<llm::ModelAnswer> {
    world.trusted = false;
    co_return says("too late");
  });
  EXPECT_EQ(world.inbox().outcome(), "abandoned");
  EXPECT_THAT(world.comments_by("ada", post), IsEmpty());
}

TEST_F(InboxTest, ForbiddenReplyFailsInTheWordsOperatorsLookFor) {
  mention();
  hub_says("POST", "/comments", HubFront::answer(403));
  world.model->then(says("x"));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "failure");
  EXPECT_EQ(ran.ending.reason, "Failed to post response: 403 Forbidden");
  EXPECT_THAT(world.unread("ada"), SizeIs(1));
}

TEST_F(InboxTest, RateLimitOfTheHubLeavesUnreadForAsLongAsItSays) {
  mention();
  hub_says("POST", "/comments", HubFront::answer(429, "{}", "Retry-After: 120\r\n"));
  world.model->then(says("x"));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "skipped");
  EXPECT_EQ(ran.ending.hold_off, 120s);
  EXPECT_THAT(ran.ending.reason, HasSubstr("try again in 2 minutes"));
  EXPECT_THAT(world.unread("ada"), SizeIs(1));
  EXPECT_EQ(world.tries(only_id()), "(nil)");
}

TEST_F(InboxTest, ThreadThatWasLockedMeanwhileIsSkipped) {
  const auto post = mention();
  ASSERT_LT(world.call("POST", "/posts/" + post + "/lock", world.owner_key).status, 300);
  world.model->then(says("x"));
  const auto ran = world.inbox();
  EXPECT_THAT(ran.ending.reason, HasSubstr("is locked"));
  EXPECT_THAT(world.unread("ada"), IsEmpty());
}

TEST_F(InboxTest, AnswerThatWentOutBeforeTheRunBrokeOffCounts) {
  const auto post = mention();
  world.model->then(calls({{"hub_post", {{"content", "by tool"}, {"reply_to", post}}}}));
  world.model->then(Error(errc::model_unavailable, "away"));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "success");
  EXPECT_THAT(world.unread("ada"), IsEmpty());
}

TEST_F(InboxTest, OperatorsRetryFindsANotificationThatIsRead) {
  const auto post = mention();
  const auto id = only_id();
  world.run(world.hub->mark_read(AgentId("ada"), {id}, "", Deadline::in(5s)));
  mention("@ada another");
  auto claim = world.claim();
  claim.item.notification_id = id;
  world.model->then(says("at last"));
  const auto ran = world.activate(claim);
  EXPECT_EQ(ran.outcome(), "success");
  EXPECT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_THAT(world.unread("ada"), SizeIs(1)) << "just this one";

  auto nothing = world.claim(queue::TaskType::inbox, 6);
  nothing.item.notification_id = "no-such";
  EXPECT_EQ(world.activate(nothing).ending.reason, "there is no notification no-such");
}

TEST_F(InboxTest, ThreadTheHubFailsAtIsLeftAndTheRestGoesOn) {
  const auto broken = world.new_post("@ada one");
  const auto fine = world.new_post("@ada two");
  world.front->rule([&](const auto& exchange) {
    return exchange.is("GET", "/posts/" + broken) ? HubFront::answer(500) : HubFront::pass();
  });
  world.model->always(says("an answer"));
  const auto ran = world.inbox();
  EXPECT_EQ(ran.outcome(), "success");
  EXPECT_EQ(ran.ending.hold_off, 60s) << "it is not tried again at once";
  EXPECT_THAT(world.comments_by("ada", fine), SizeIs(1));
  ASSERT_THAT(world.unread("ada"), SizeIs(1)) << "nothing is given up because of the Hub";
  EXPECT_EQ(world.tries(world.unread("ada")[0].id), "(nil)");
  EXPECT_EQ(world.lines->count("thread_unreadable"), 1u);

  const auto alone = world.inbox(6);
  EXPECT_EQ(alone.outcome(), "skipped");
  EXPECT_EQ(alone.ending.hold_off, 60s);
}

TEST_F(InboxTest, TwoActivationsOfOneFenceAgeDoNotBothAnswer) {
  // A zombie goes on after a newer run has answered: its write is refused.
  const auto post = mention();
  std::optional<ActivationWorld::Ran> newer;
  const auto later = world.claim(queue::TaskType::inbox, 9, "w-9");
  const auto earlier = world.claim(queue::TaskType::inbox, 5, "w-5");
  world.model->then([&](const auto&) -> Task<llm::ModelAnswer> {
    world.model->then(says("from the newer"));
    co_await world.redis.command(ActivationWorld::lease_of(later));
    Activation second(world.services(), world.settings, later, {.may_write = [] { return true; }},
                      world.log);
    auto ending = co_await second.run(Deadline::in(10s));
    // A Redis that knew nothing of it leaves it to the Hub.
    co_await world.redis.command(ActivationWorld::lease_of(earlier));
    newer = ActivationWorld::Ran{.ending = ending, .tally = second.tally()};
    co_return says("from the zombie");
  });
  const auto zombie = world.activate(earlier);
  ASSERT_TRUE(newer);
  EXPECT_EQ(newer->outcome(), "success");
  EXPECT_EQ(zombie.outcome(), "abandoned");
  ASSERT_THAT(world.comments_by("ada", post), SizeIs(1));
  EXPECT_EQ(world.comments_by("ada", post)[0].content, "from the newer");
}

}  // namespace
}  // namespace botburrow::agent
