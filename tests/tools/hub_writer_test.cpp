// HubWriter against our own Hub and a real Redis.
#include "tools/hub_writer.hpp"

#include "tests/tools/hub_world.hpp"

namespace botburrow::tools {
namespace {

using namespace std::chrono_literals;
using test::HubFront;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Kind = WriteRefusal::Kind;

class HubWriterTest : public ::testing::Test {
 protected:
  HubWriterTest() { world.agent("ada"); }

  HubWriter::Rules rules() {
    return {.limits = {.min_interval_seconds = 0},
            .grants = definitions::GrantSet({"hub:read", "hub:write"})};
  }
  HubWriter writer(HubWriter::Rules rules, std::string fence = "1.5") {
    return HubWriter(
        *world.hub, world.state, world.clock,
        {.id = AgentId("ada"), .name = "ada", .fence = std::move(fence)}, std::move(rules),
        [this] { return trusted; }, journal, world.log, world.metrics);
  }
  /// The owner mentions ada in a post; the notification.
  hubapi::Notification mention(const std::string& text = "@ada what is a fence?") {
    const auto post = world.new_post(text);
    const auto unread = world.unread("ada");
    return unread.back();
  }
  WriteOutcome comment(HubWriter& writer, std::string target, std::string content) {
    return world.run(writer.comment(std::move(target), std::move(content), Deadline::in(20s)));
  }
  WriteOutcome post(HubWriter& writer, std::string content) {
    return world.run(writer.post({.content = std::move(content)}, Deadline::in(20s)));
  }
  std::vector<std::string> keys_sent() const {
    std::vector<std::string> keys;
    for (const auto& exchange : world.front->seen) {
      const auto at = exchange.head.find("Idempotency-Key: ");
      if (at != std::string::npos) keys.push_back(exchange.head.substr(at + 17, 64));
    }
    return keys;
  }
  static std::string key(const std::string& scope, const std::string& slot) {
    return hubapi::effect_key(AgentId("ada"), scope, slot);
  }

  /// Kept in memory, and shown to the next writer as what an earlier run wrote down.
  class Notebook final : public EffectJournal {
   public:
    std::optional<PastEffect> take_past(const std::string& scope,
                                        const std::string& slot) override {
      const auto found = std::ranges::find_if(past, [&](const auto& one) {
        return one.effect.scope == scope && one.effect.slot == slot;
      });
      if (found == past.end()) return std::nullopt;
      auto taken = *found;
      past.erase(found);
      return taken;
    }
    Task<> intend(Effect effect) override {
      written.push_back({.effect = std::move(effect), .outcome = std::nullopt});
      co_return;
    }
    void record(const std::string&, const std::string& slot, const WriteOutcome& o) override {
      for (auto& one : written)
        if (one.effect.slot == slot && !one.outcome) one.outcome = o;
    }
    void next_run() { past = std::exchange(written, {}); }
    std::vector<PastEffect> past, written;
  };

  test::HubWorld world;
  bool trusted = true;
  Notebook journal;
};

TEST_F(HubWriterTest, FirstCommentOnTheOwnThreadIsTheReplyAndMarksTheNotification) {
  const auto notification = mention();
  auto w = writer(rules());
  w.begin_notification(notification);
  const auto outcome = comment(w, *notification.post_id, "A number that grows.");
  ASSERT_TRUE(outcome.done) << outcome.refusal->text;
  EXPECT_TRUE(outcome.notification_read);
  EXPECT_TRUE(w.replied());
  EXPECT_TRUE(w.notification_was_marked());
  EXPECT_EQ(w.reply_id(), outcome.id);
  EXPECT_THAT(world.unread("ada"), IsEmpty());
  EXPECT_THAT(keys_sent(), ElementsAre(key("n:" + notification.id, "reply")));
  EXPECT_EQ(world.used_today("ada").comments, 1);
}

TEST_F(HubWriterTest, FurtherWritesAreNumberedEffects) {
  const auto notification = mention();
  auto w = writer(rules());
  w.begin_notification(notification);
  const auto scope = "n:" + notification.id;
  ASSERT_TRUE(comment(w, *notification.post_id, "one").done);
  ASSERT_TRUE(comment(w, *notification.post_id, "two").done);
  ASSERT_TRUE(post(w, "three").done);
  EXPECT_THAT(keys_sent(),
              ElementsAre(key(scope, "reply"), key(scope, "effect:0"), key(scope, "effect:1")));
  EXPECT_EQ(w.comments_created(), 2);
  EXPECT_EQ(w.posts_created(), 1);
}

TEST_F(HubWriterTest, CommentElsewhereBeforeTheReplyLeavesTheReplySlotFree) {
  const auto notification = mention();
  const auto other = world.new_post("something else");
  auto w = writer(rules());
  w.begin_notification(notification);
  ASSERT_TRUE(comment(w, other, "by the way").done);
  EXPECT_FALSE(w.replied());
  ASSERT_TRUE(comment(w, *notification.post_id, "the answer").done);
  EXPECT_TRUE(w.replied());
  const auto scope = "n:" + notification.id;
  EXPECT_THAT(keys_sent(), ElementsAre(key(scope, "effect:0"), key(scope, "reply")));
}

TEST_F(HubWriterTest, WorkItemsHaveTheirOwnScope) {
  const auto target = world.new_post("anything?");
  auto w = writer(rules());
  w.begin_work(WorkId("w-1"));
  ASSERT_TRUE(comment(w, target, "yes").done);
  EXPECT_THAT(keys_sent(), ElementsAre(key("w:w-1", "effect:0")));
  EXPECT_FALSE(w.replied());
}

TEST_F(HubWriterTest, ReplyStandsBelowTheCommentItAnswers) {
  const auto thread = world.new_post("a thread");
  const auto asked = world.new_comment(thread, "@ada and you?");
  const auto notification = world.unread("ada").back();
  ASSERT_EQ(notification.comment_id, asked);
  auto w = writer(rules());
  w.begin_notification(notification);
  ASSERT_TRUE(comment(w, thread, "me too").done);
  const auto own = world.comments_by("ada", thread);
  ASSERT_THAT(own, SizeIs(1));
  EXPECT_EQ(own.front().parent_id, asked);
}

TEST_F(HubWriterTest, AnotherCommentOfTheThreadMayBeAnsweredByItsId) {
  const auto thread = world.new_post("a thread");
  const auto first = world.new_comment(thread, "first words");
  world.new_comment(thread, "@ada and you?");
  const auto notification = world.unread("ada").back();
  auto w = writer(rules());
  w.begin_notification(notification);
  ASSERT_TRUE(comment(w, first, "to the first").done);
  EXPECT_TRUE(w.replied()) << "it is the first comment on the notification's own post";
  EXPECT_EQ(world.comments_by("ada", thread).front().parent_id, first);
}

TEST_F(HubWriterTest, CommentOfAnUnreadThreadCountsAgainstThatThread) {
  const auto thread = world.new_post("a thread");
  const auto below = world.new_comment(thread, "words");
  auto limits = rules();
  limits.limits.max_responses_per_thread = 2;
  auto w = writer(limits);
  w.begin_work(WorkId("w-1"));
  ASSERT_TRUE(comment(w, below, "one").done);
  ASSERT_TRUE(comment(w, thread, "two").done);
  const auto third = comment(w, below, "three");
  ASSERT_FALSE(third.done);
  EXPECT_EQ(third.refusal->kind, Kind::thread_full);
  EXPECT_EQ(third.refusal->text, "Limit reached: max_responses_per_thread (2)");
  EXPECT_EQ(world.used_today("ada").comments, 2);
}

TEST_F(HubWriterTest, ThreadCapCountsAnswersOfEarlierRuns) {
  const auto thread = world.new_post("a thread");
  auto limits = rules();
  limits.limits.max_responses_per_thread = 1;
  auto first = writer(limits);
  first.begin_work(WorkId("w-1"));
  ASSERT_TRUE(comment(first, thread, "one").done);
  auto second = writer(limits, "1.6");
  second.begin_work(WorkId("w-2"));
  EXPECT_EQ(comment(second, thread, "two").refusal->kind, Kind::thread_full);
}

TEST_F(HubWriterTest, RerunOfAKilledRunKeepsTheFirstWordsAndIsNotChargedTwice) {
  const auto notification = mention();
  auto killed = writer(rules(), "1.5");
  killed.begin_notification(notification);
  ASSERT_TRUE(comment(killed, *notification.post_id, "first words").done);
  ASSERT_TRUE(post(killed, "a post").done);

  auto rerun = writer(rules(), "1.6");
  rerun.begin_notification(notification);
  const auto again = comment(rerun, *notification.post_id, "other words");
  ASSERT_TRUE(again.done);
  EXPECT_EQ(again.id, killed.reply_id());
  EXPECT_TRUE(rerun.replied());
  ASSERT_TRUE(post(rerun, "another post").done);

  const auto own = world.comments_by("ada", *notification.post_id);
  ASSERT_THAT(own, SizeIs(1));
  EXPECT_EQ(own.front().content, "first words");
  EXPECT_EQ(world.used_today("ada").comments, 1);
  EXPECT_EQ(world.used_today("ada").posts, 1);
}

TEST_F(HubWriterTest, WhatARerunGoesOverIsNotTakenForItsNextWrite) {
  const auto notification = mention();
  auto killed = writer(rules(), "1.5");
  killed.begin_notification(notification);
  const auto elsewhere = post(killed, "a post");
  const auto reply = comment(killed, *notification.post_id, "first words");
  const auto unheard = post(killed, "its answer was never shown");
  journal.next_run();

  auto rerun = writer(rules(), "1.6");
  rerun.begin_notification(notification);
  rerun.made_before(elsewhere.id);
  EXPECT_FALSE(rerun.replied());
  rerun.made_before("nobody's");
  rerun.made_before(reply.id);
  EXPECT_TRUE(rerun.replied());
  EXPECT_EQ(rerun.reply_id(), reply.id);
  EXPECT_EQ(post(rerun, "the same again, in other words").id, unheard.id);
  const auto next = comment(rerun, *notification.post_id, "further words");
  ASSERT_TRUE(next.done);
  EXPECT_NE(next.id, reply.id);
  EXPECT_THAT(world.comments_by("ada", *notification.post_id), SizeIs(2));
  EXPECT_EQ(world.used_today("ada").posts, 2);
}

TEST_F(HubWriterTest, LostAnswerIsThrownStaysChargedAndTheRerunFindsIt) {
  const auto notification = mention();
  auto w = writer(rules(), "1.5");
  w.begin_notification(notification);
  world.front->rule([](const auto& exchange) {
    // The generation too: a Hub that is not known to remember keys gets no second try.
    if (exchange.is("GET", "/system/generation")) return HubFront::answer(404);
    return exchange.is("POST", "/comments") ? HubFront::lose_answer() : HubFront::pass();
  });
  try {
    comment(w, *notification.post_id, "first words");
    FAIL() << "an unknown outcome must not look like an answer";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::http_unavailable) << error.message();
  }
  EXPECT_FALSE(w.replied());
  EXPECT_EQ(world.used_today("ada").comments, 1);

  world.front->rule({});
  auto rerun = writer(rules(), "1.6");
  rerun.begin_notification(notification);
  ASSERT_TRUE(comment(rerun, *notification.post_id, "other words").done);
  EXPECT_THAT(world.comments_by("ada", *notification.post_id), SizeIs(1));
  EXPECT_EQ(world.used_today("ada").comments, 1);
}

TEST_F(HubWriterTest, HubThatIsNotThereIsThrownAndGivesTheChargeBack) {
  const auto notification = mention();
  auto limits = rules();
  limits.limits.min_interval_seconds = 60;
  hubapi::HubClient nowhere(*world.http, {.url = "http://127.0.0.1:1"}, world.random, world.log,
                            world.metrics);
  HubWriter w(
      nowhere, world.state, world.clock, {.id = AgentId("ada"), .name = "ada", .fence = "1.5"},
      limits, [] { return true; }, journal, world.log, world.metrics);
  w.begin_notification(notification);
  w.know_thread({.id = *notification.post_id});
  EXPECT_THROW(comment(w, *notification.post_id, "words"), Error);
  EXPECT_EQ(world.used_today("ada").comments, 0);
  EXPECT_EQ(world.run(world.state.action_wait(AgentId("ada"))), 0ms);
}

TEST_F(HubWriterTest, StaleFenceEndsTheRunAndChargesNothing) {
  const auto notification = mention();
  const auto other = world.new_post("elsewhere");
  auto newer = writer(rules(), "1.9");
  newer.begin_work(WorkId("w-9"));
  ASSERT_TRUE(comment(newer, other, "newer").done);

  auto stale = writer(rules(), "1.5");
  stale.begin_notification(notification);
  try {
    comment(stale, *notification.post_id, "too late");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::stale_fence);
  }
  EXPECT_THAT(world.comments_by("ada", *notification.post_id), IsEmpty());
  EXPECT_EQ(world.used_today("ada").comments, 1);
}

TEST_F(HubWriterTest, UntrustedLeaseWritesNothing) {
  const auto notification = mention();
  auto w = writer(rules());
  w.begin_notification(notification);
  trusted = false;
  EXPECT_THROW(comment(w, *notification.post_id, "words"), Error);
  EXPECT_THROW(post(w, "words"), Error);
  EXPECT_THAT(keys_sent(), IsEmpty());
  EXPECT_EQ(world.used_today("ada"), queue::Usage{});
}

TEST_F(HubWriterTest, TrustLostWhileWaitingForTheIntervalWritesNothing) {
  const auto notification = mention();
  auto limits = rules();
  limits.limits.min_interval_seconds = 1;
  auto w = writer(limits);
  w.begin_notification(notification);
  ASSERT_TRUE(comment(w, *notification.post_id, "one").done);
  int asked = 0;
  HubWriter second(
      *world.hub, world.state, world.clock, {.id = AgentId("ada"), .name = "ada", .fence = "1.6"},
      limits, [&] { return ++asked == 1; }, journal, world.log, world.metrics);
  second.begin_notification(notification);
  EXPECT_THROW(comment(second, *notification.post_id, "two"), Error);
  EXPECT_EQ(world.used_today("ada").comments, 1);
  EXPECT_THAT(world.comments_by("ada", *notification.post_id), SizeIs(1));
}

TEST_F(HubWriterTest, DailyLimitsHoldAndNameThemselves) {
  const auto notification = mention();
  auto limits = rules();
  limits.limits.max_daily_comments = 1;
  limits.limits.max_daily_posts = 0;
  auto w = writer(limits);
  w.begin_notification(notification);
  ASSERT_TRUE(comment(w, *notification.post_id, "one").done);
  const auto second = comment(w, *notification.post_id, "two");
  EXPECT_EQ(second.refusal->kind, Kind::daily_limit);
  EXPECT_EQ(second.refusal->text, "Limit reached: max_daily_comments (1)");
  EXPECT_EQ(post(w, "none").refusal->text, "Limit reached: max_daily_posts (0)");
  EXPECT_THAT(keys_sent(), SizeIs(1));
  EXPECT_EQ(world.lines->count("limit_reached"), 2u);
}

TEST_F(HubWriterTest, LimitsBeginAnewWithTheUtcDay) {
  const auto notification = mention();
  auto limits = rules();
  limits.limits.max_daily_comments = 1;
  auto w = writer(limits);
  w.begin_notification(notification);
  ASSERT_TRUE(comment(w, *notification.post_id, "one").done);
  ASSERT_FALSE(comment(w, *notification.post_id, "two").done);
  world.clock.advance(24h);
  EXPECT_TRUE(comment(w, *notification.post_id, "two").done);
}

TEST_F(HubWriterTest, ShortIntervalIsWaitedForLongOneRefused) {
  const auto notification = mention();
  auto limits = rules();
  limits.limits.min_interval_seconds = 1;
  auto w = writer(limits);
  w.begin_notification(notification);
  ASSERT_TRUE(comment(w, *notification.post_id, "one").done);
  EXPECT_TRUE(comment(w, *notification.post_id, "two").done);

  world.ask({"SET", "agent:last_action:ada", "1", "PX", "45000"});
  const auto refused = comment(w, *notification.post_id, "three");
  ASSERT_FALSE(refused.done);
  EXPECT_EQ(refused.refusal->kind, Kind::interval);
  EXPECT_EQ(refused.refusal->wait, 45s);
  EXPECT_EQ(refused.refusal->text,
            "Limit reached: min_interval_seconds (1); the next write is allowed in 45 seconds");
  EXPECT_EQ(world.used_today("ada").comments, 2);
}

TEST_F(HubWriterTest, IntervalThatEndsBehindTheDeadlineIsRefusedAtOnce) {
  const auto notification = mention();
  auto limits = rules();
  limits.limits.min_interval_seconds = 20;
  auto w = writer(limits);
  w.begin_notification(notification);
  world.ask({"SET", "agent:last_action:ada", "1", "PX", "20000"});
  const auto refused = world.run(w.comment(*notification.post_id, "one", Deadline::in(5s)), 3s);
  EXPECT_EQ(refused.refusal->kind, Kind::interval);
}

TEST_F(HubWriterTest, MissingGrantAndForbiddenPostsAreRefused) {
  const auto notification = mention();
  auto none = rules();
  none.grants = definitions::GrantSet({"hub:read"});
  auto reader = writer(none);
  reader.begin_notification(notification);
  EXPECT_EQ(comment(reader, *notification.post_id, "x").refusal->text, "missing grant hub:write");
  EXPECT_EQ(world.lines->count("grant_denied"), 1u);
  EXPECT_THAT(world.metrics.expose(),
              HasSubstr("botburrow_grant_denied_total{grant=\"hub:write\"} 1"));

  auto replies = rules();
  replies.can_create_posts = false;
  auto w = writer(replies);
  w.begin_notification(notification);
  EXPECT_THAT(post(w, "x").refusal->text, HasSubstr("behavior.can_create_posts"));
  EXPECT_EQ(world.lines->count("grant_denied"), 2u);
  EXPECT_THAT(world.metrics.expose(),
              HasSubstr("botburrow_grant_denied_total{grant=\"behavior.can_create_posts\"} 1"));
  EXPECT_TRUE(comment(w, *notification.post_id, "x").done);
}

TEST_F(HubWriterTest, GateIsAskedBeforeEachWriteAndGoneWithTheNextScope) {
  const auto notification = mention();
  auto w = writer(rules());
  w.begin_notification(notification);
  w.set_gate([] { return std::optional<std::string>("not now"); });
  EXPECT_EQ(comment(w, *notification.post_id, "x").refusal->text, "not now");
  EXPECT_EQ(post(w, "x").refusal->text, "not now");
  w.begin_notification(notification);
  EXPECT_TRUE(comment(w, *notification.post_id, "x").done);
}

TEST_F(HubWriterTest, OneItemHasThreeEffectsAcrossItsNotifications) {
  const auto first = mention("@ada one");
  const auto second = mention("@ada two");
  auto w = writer(rules());
  w.begin_notification(first);
  ASSERT_TRUE(post(w, "1").done);
  ASSERT_TRUE(post(w, "2").done);
  w.begin_notification(second);
  ASSERT_TRUE(post(w, "3").done);
  EXPECT_EQ(post(w, "4").refusal->kind, Kind::not_allowed);
  EXPECT_TRUE(comment(w, *second.post_id, "the reply is no effect").done);
}

TEST_F(HubWriterTest, RateLimitOfTheHubIsARefusalThatNamesTheWait) {
  auto options = test::HubWorld::quiet();
  options.rates.posts = "1/30m";
  test::HubWorld limited(options);
  limited.agent("ada");
  HubWriter w(
      *limited.hub, limited.state, limited.clock,
      {.id = AgentId("ada"), .name = "ada", .fence = "1.5"}, rules(), [] { return true; }, journal,
      limited.log, limited.metrics);
  w.begin_work(WorkId("w-1"));
  ASSERT_TRUE(limited.run(w.post({.content = "one"}, Deadline::in(10s))).done);
  const auto refused = limited.run(w.post({.content = "two"}, Deadline::in(10s)));
  ASSERT_FALSE(refused.done);
  EXPECT_EQ(refused.refusal->kind, Kind::rate_limit);
  EXPECT_EQ(refused.refusal->text, "the Hub's rate limit is reached; try again in 30 minutes");
  EXPECT_GT(refused.refusal->wait, 29min);
  EXPECT_EQ(limited.used_today("ada").posts, 1);
}

TEST_F(HubWriterTest, PostThatIsGoneAndThreadThatIsLockedAreRefusals) {
  auto w = writer(rules());
  w.begin_work(WorkId("w-1"));
  const auto gone = comment(w, "0b5ad1f4-9f8e-4c7e-9d0e-111111111111", "x");
  EXPECT_EQ(gone.refusal->kind, Kind::gone);
  const auto locked = world.new_post("closed");
  ASSERT_LT(world.call("POST", "/posts/" + locked + "/lock", world.owner_key).status, 300);
  const auto refused = comment(w, locked, "x");
  EXPECT_EQ(refused.refusal->kind, Kind::locked);
  EXPECT_THAT(refused.refusal->text, StartsWith("409"));
  EXPECT_EQ(world.used_today("ada").comments, 0);
}

TEST_F(HubWriterTest, RefusedEffectLeavesItsNumberToTheNext) {
  const auto locked = world.new_post("closed");
  ASSERT_LT(world.call("POST", "/posts/" + locked + "/lock", world.owner_key).status, 300);
  auto w = writer(rules());
  w.begin_work(WorkId("w-1"));
  ASSERT_FALSE(comment(w, locked, "x").done);
  ASSERT_TRUE(post(w, "y").done);
  EXPECT_THAT(keys_sent(), ElementsAre(key("w:w-1", "effect:0"), key("w:w-1", "effect:0")));
}

TEST_F(HubWriterTest, ForbiddenIsARefusalInTheHubsWords) {
  const auto notification = mention();
  auto w = writer(rules());
  w.begin_notification(notification);
  world.front->rule([](const auto& exchange) {
    return exchange.is("POST", "/comments") ? HubFront::answer(403, R"({"detail":"banned"})")
                                            : HubFront::pass();
  });
  const auto refused = comment(w, *notification.post_id, "x");
  EXPECT_EQ(refused.refusal->kind, Kind::rejected);
  EXPECT_EQ(refused.refusal->text, "403 Forbidden: banned");
}

TEST_F(HubWriterTest, EffectIsWrittenDownBeforeTheHubHearsOfIt) {
  const auto notification = mention();
  auto w = writer(rules());
  w.begin_notification(notification);
  std::size_t written_then = 0;
  world.front->rule([&](const auto& exchange) {
    if (exchange.is("POST", "/comments")) written_then = journal.written.size();
    return HubFront::pass();
  });
  const auto done = comment(w, *notification.post_id, "words");
  EXPECT_EQ(written_then, 1u);
  ASSERT_EQ(journal.written.size(), 1u);
  EXPECT_EQ(journal.written[0].effect.slot, "reply");
  EXPECT_EQ(journal.written[0].effect.key, key("n:" + notification.id, "reply"));
  ASSERT_TRUE(journal.written[0].outcome);
  EXPECT_EQ(journal.written[0].outcome->id, done.id);
}

TEST_F(HubWriterTest, EffectThatIsKnownIsNotSentAgain) {
  const auto notification = mention();
  auto first = writer(rules());
  first.begin_notification(notification);
  const auto done = comment(first, *notification.post_id, "words");
  journal.next_run();
  world.front->seen.clear();
  auto second = writer(rules(), "1.6");
  second.begin_notification(notification);
  const auto again = comment(second, *notification.post_id, "other words");
  EXPECT_TRUE(again.done);
  EXPECT_EQ(again.id, done.id);
  EXPECT_TRUE(second.replied());
  EXPECT_EQ(world.front->count("POST", "/comments"), 0u);
  EXPECT_EQ(world.front->count("GET", "/idempotency/"), 0u);
  EXPECT_EQ(world.used_today("ada").comments, 1) << "charged once";
}

TEST_F(HubWriterTest, EffectOfUnknownOutcomeIsLookedUpFirst) {
  const auto notification = mention();
  auto first = writer(rules());
  first.begin_notification(notification);
  world.front->rule([](const auto& exchange) {
    return exchange.is("POST", "/comments") ? HubFront::lose_answer() : HubFront::pass();
  });
  EXPECT_THROW(world.run(first.comment(*notification.post_id, "words", Deadline::in(500ms))),
               Error);
  world.front->rule(nullptr);
  journal.next_run();
  world.front->seen.clear();
  auto second = writer(rules(), "1.6");
  second.begin_notification(notification);
  EXPECT_TRUE(comment(second, *notification.post_id, "words").done);
  EXPECT_EQ(world.front->count("GET", "/idempotency/"), 1u);
  EXPECT_EQ(world.front->count("POST", "/comments"), 0u);
  EXPECT_THAT(world.comments_by("ada", *notification.post_id), SizeIs(1));
  EXPECT_EQ(world.used_today("ada").comments, 1);
}

TEST_F(HubWriterTest, EffectThatNeverCameThereIsSentUnderItsKey) {
  const auto notification = mention();
  auto first = writer(rules());
  first.begin_notification(notification);
  journal.written.push_back({.effect = {.scope = "n:" + notification.id, .slot = "reply"}});
  journal.next_run();
  auto second = writer(rules(), "1.6");
  second.begin_notification(notification);
  EXPECT_TRUE(comment(second, *notification.post_id, "words").done);
  EXPECT_THAT(keys_sent(), ElementsAre(key("n:" + notification.id, "reply")));
  EXPECT_EQ(world.used_today("ada").comments, 0) << "the run that wrote it down was charged";
}

TEST_F(HubWriterTest, EffectThatNeverLeftIsMadeAnewAndChargedAnew) {
  const auto notification = mention();
  hubapi::HubClient nowhere(*world.http, {.url = "http://127.0.0.1:1"}, world.random, world.log,
                            world.metrics);
  HubWriter first(
      nowhere, world.state, world.clock, {.id = AgentId("ada"), .name = "ada", .fence = "1.5"},
      rules(), [] { return true; }, journal, world.log, world.metrics);
  first.begin_notification(notification);
  first.know_thread({.id = *notification.post_id});
  EXPECT_THROW(comment(first, *notification.post_id, "words"), Error);
  journal.next_run();
  auto second = writer(rules(), "1.6");
  second.begin_notification(notification);
  EXPECT_TRUE(comment(second, *notification.post_id, "words").done);
  EXPECT_EQ(world.front->count("GET", "/idempotency/"), 0u);
  EXPECT_EQ(world.used_today("ada").comments, 1);
}

TEST_F(HubWriterTest, RefusalIsKnownToo) {
  const auto notification = mention();
  auto first = writer(rules());
  first.begin_notification(notification);
  world.front->rule([](const auto& exchange) {
    return exchange.is("POST", "/comments") ? HubFront::answer(403, R"({"detail":"banned"})")
                                            : HubFront::pass();
  });
  ASSERT_FALSE(comment(first, *notification.post_id, "x").done);
  world.front->rule(nullptr);
  journal.next_run();
  auto second = writer(rules(), "1.6");
  second.begin_notification(notification);
  const auto again = comment(second, *notification.post_id, "x");
  ASSERT_TRUE(again.refusal);
  EXPECT_EQ(again.refusal->text, "403 Forbidden: banned");
  EXPECT_TRUE(comment(second, *notification.post_id, "y").done) << "the next is a new one";
}

TEST_F(HubWriterTest, HubWithoutAMemoryShowsTheCommentInItsThread) {
  const auto notification = mention();
  auto first = writer(rules());
  first.begin_notification(notification);
  const auto forgetful = [](const auto& exchange) {
    const bool memory =
        exchange.is("GET", "/idempotency/") || exchange.is("GET", "/system/generation");
    return memory ? HubFront::answer(404) : HubFront::pass();
  };
  world.front->rule([&](const auto& exchange) {
    return exchange.is("POST", "/comments") ? HubFront::lose_answer() : forgetful(exchange);
  });
  EXPECT_THROW(world.run(first.comment(*notification.post_id, "words", Deadline::in(500ms))),
               Error);
  world.front->rule(forgetful);
  journal.next_run();
  world.front->seen.clear();
  auto second = writer(rules(), "1.6");
  second.begin_notification(notification);
  EXPECT_TRUE(comment(second, *notification.post_id, "words").done);
  EXPECT_EQ(world.front->count("POST", "/comments"), 0u);
}

TEST_F(HubWriterTest, LimitsLeftAreForThePrompt) {
  const auto notification = mention();
  auto limits = rules();
  limits.limits.max_daily_posts = 2;
  limits.limits.max_daily_comments = 3;
  auto w = writer(limits);
  w.begin_notification(notification);
  ASSERT_TRUE(comment(w, *notification.post_id, "x").done);
  EXPECT_EQ(world.run(w.limits_left()),
            "Left today: 2 posts, 2 comments; at most 3 answers in one thread.");
}

TEST(RefusalOf, SortsEveryStatus) {
  const auto of = [](errc code, int status, std::string detail = "") {
    Error error(code, "POST /posts/x/comments: words");
    error.with_status(status).with_detail(detail);
    const auto refusal = refusal_of(error);
    return refusal ? std::optional(refusal->kind) : std::nullopt;
  };
  EXPECT_EQ(of(errc::http_status, 400), Kind::rejected);
  EXPECT_EQ(of(errc::hub_auth, 401), std::nullopt);
  EXPECT_EQ(of(errc::hub_auth, 403), Kind::rejected);
  EXPECT_EQ(of(errc::http_status, 404), Kind::gone);
  EXPECT_EQ(of(errc::http_status, 408), std::nullopt);
  EXPECT_EQ(of(errc::http_status, 409), Kind::locked);
  EXPECT_EQ(of(errc::http_status, 409, "idempotency_in_progress"), std::nullopt);
  EXPECT_EQ(of(errc::stale_fence, 412), std::nullopt);
  EXPECT_EQ(of(errc::http_status, 413), Kind::rejected);
  EXPECT_EQ(of(errc::http_status, 422), Kind::rejected);
  EXPECT_EQ(of(errc::http_status, 425), std::nullopt);
  EXPECT_EQ(of(errc::http_status, 429), Kind::rate_limit);
  EXPECT_EQ(of(errc::http_status, 500), std::nullopt);
  EXPECT_EQ(of(errc::http_status, 503), std::nullopt);
  EXPECT_EQ(of(errc::http_unavailable, 0), std::nullopt);
  EXPECT_EQ(of(errc::timeout, 0), std::nullopt);
}

TEST(SurelyNotWritten, OnlyWhereNothingCanHaveHappened) {
  const auto of = [](errc code, int status, std::string detail = "") {
    Error error(code, "words");
    error.with_status(status).with_detail(detail);
    return surely_not_written(error);
  };
  EXPECT_TRUE(of(errc::http_unavailable, 0, "not_sent"));
  EXPECT_FALSE(of(errc::http_unavailable, 0, "maybe_sent"));
  EXPECT_TRUE(of(errc::timeout, 0, "not_sent"));
  EXPECT_FALSE(of(errc::timeout, 0, "maybe_sent"));
  EXPECT_TRUE(of(errc::stale_fence, 412));
  EXPECT_TRUE(of(errc::hub_auth, 401));
  EXPECT_TRUE(of(errc::http_status, 503));
  EXPECT_FALSE(of(errc::http_status, 500));
  EXPECT_FALSE(of(errc::http_status, 504));
  EXPECT_FALSE(of(errc::bad_input, 0));
}

}  // namespace
}  // namespace botburrow::tools
