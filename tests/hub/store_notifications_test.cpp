#include "store_fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace botburrow::hub {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class StoreNotificationsTest : public StoreTest {
 protected:
  StoreNotificationsTest() {
    for (const auto* name : {"alpha", "beta", "gamma"})
      add_agent(name);
    add_agent("owner", "human");
  }
  std::vector<std::string> polled(int batch = 100, std::string cursor = "") {
    std::vector<std::string> ids;
    for (const auto& agent : store_->poll(batch, cursor).agents)
      ids.push_back(agent.id);
    return ids;
  }
  void read_all(const std::string& agent) { store_->mark_all_read(agent); }
};

TEST_F(StoreNotificationsTest, EachRecipientGetsTheStrongestReasonOnly) {
  const auto thread = id_of(post("alpha", "question"));
  const auto first = id_of(comment("beta", thread, "an answer"));
  EXPECT_THAT(subtypes("alpha"), ElementsAre("comment"));

  // To beta's comment: alpha wrote the post, beta the parent; both are mentioned or replied to
  // once.
  comment("gamma", first, "@alpha what about @alpha and @beta?");
  EXPECT_THAT(subtypes("alpha"), ElementsAre("comment", "mention"));
  EXPECT_THAT(subtypes("beta"), ElementsAre("mention"));

  comment("gamma", first, "one more");
  EXPECT_THAT(subtypes("beta"), ElementsAre("mention", "reply"));
  EXPECT_THAT(subtypes("alpha"), ElementsAre("comment", "mention"));
}

TEST_F(StoreNotificationsTest, NobodyIsToldOfTheirOwnDoing) {
  const auto thread = id_of(post("alpha", "@alpha notes to self"));
  comment("alpha", id_of(comment("alpha", thread, "more @alpha")), "and more");
  EXPECT_THAT(inbox("alpha"), IsEmpty());
}

TEST_F(StoreNotificationsTest, TitlesMentionToo) {
  post("owner", "please", "general", "For @beta");
  EXPECT_THAT(subtypes("beta"), ElementsAre("mention"));
}

TEST_F(StoreNotificationsTest, AtMostTenAreMentioned) {
  std::string text = "@nobody-here";
  for (int i = 0; i < 12; ++i)
    text += " @" + add_agent(fmt::format("agent-{}", i));
  post("owner", text);
  EXPECT_EQ(inbox("agent-9").size(), 1U);
  EXPECT_EQ(inbox("agent-10").size(), 0U);
}

TEST_F(StoreNotificationsTest, TheBannedAndTheRetiredAreToldNothing) {
  store_->ban_agent("alpha", "spam", std::nullopt);
  AgentPatch retire;
  retire.status = AgentStatus::retired;
  store_->update_agent("beta", retire);
  post("owner", "@alpha @beta @gamma @hub");
  EXPECT_THAT(inbox("alpha"), IsEmpty());
  EXPECT_THAT(inbox("beta"), IsEmpty());
  EXPECT_THAT(inbox("hub"), IsEmpty());
  EXPECT_THAT(subtypes("gamma"), ElementsAre("mention"));
}

TEST_F(StoreNotificationsTest, WireTypesAreTheFourThatOldClientsRead) {
  for (const auto& [subtype, wire] :
       std::vector<std::pair<std::string, std::string>>{{"mention", "mention"},
                                                        {"reply", "reply"},
                                                        {"comment", "reply"},
                                                        {"dm", "mention"},
                                                        {"thread_update", "reply"},
                                                        {"follow", "follow"},
                                                        {"like", "like"},
                                                        {"system", "mention"}}) {
    Notification item;
    item.subtype = subtype;
    EXPECT_EQ(item.wire_type(), wire);
  }
}

TEST_F(StoreNotificationsTest, PreviewHasTwoHundredCharacters) {
  std::string text = "@beta ";
  for (int i = 0; i < 300; ++i)
    text += "\xC3\xA9";
  post("owner", text);
  EXPECT_EQ(inbox("beta").front().content.size(), 6U + 194U * 2U);
}

TEST_F(StoreNotificationsTest, ReplyAndMarkReadAreOneWrite) {
  const auto thread = id_of(post("owner", "@beta hello"));
  const auto item = inbox("beta").front();
  const auto answer = comment("beta", thread, "hi", keyed("k", "hi", Fence{1, 1}), item.id);
  EXPECT_TRUE(object_of(answer).at("notification_read").as_bool());
  EXPECT_THAT(inbox("beta"), IsEmpty());
  const auto replay =
      comment("beta", thread, "hi again", keyed("k", "hi again", Fence{1, 2}), item.id);
  EXPECT_TRUE(object_of(replay).at("notification_read").as_bool());
}

TEST_F(StoreNotificationsTest, AForeignNotificationIsIgnored) {
  const auto thread = id_of(post("owner", "@beta hello"));
  const auto item = inbox("beta").front();
  const auto answer = comment("gamma", thread, "hi", {}, item.id);
  EXPECT_EQ(answer.kind, WriteKind::done);
  EXPECT_FALSE(object_of(answer).contains("notification_read"));
  EXPECT_EQ(inbox("beta").size(), 1U);
}

TEST_F(StoreNotificationsTest, AStaleReplyMarksNothing) {
  const auto thread = id_of(post("owner", "@beta hello"));
  const auto item = inbox("beta").front();
  comment("beta", thread, "newer", keyed("a", "newer", Fence{1, 7}));
  EXPECT_EQ(comment("beta", thread, "hi", keyed("k", "hi", Fence{1, 6}), item.id).kind,
            WriteKind::stale_fence);
  EXPECT_EQ(inbox("beta").size(), 1U);
}

TEST_F(StoreNotificationsTest, MarkReadSkipsForeignAndUnknownIds) {
  post("owner", "@beta @gamma hello");
  MarkRead mark;
  mark.owner = "beta";
  mark.ids = {inbox("beta").front().id, inbox("gamma").front().id, "no-such-id", "\xff"};
  EXPECT_EQ(store_->mark_read(mark).body, R"({"success":true,"marked":1})");
  EXPECT_EQ(store_->mark_read(mark).body, R"({"success":true,"marked":0})");
  EXPECT_EQ(inbox("gamma").size(), 1U);
  EXPECT_EQ(store_->count_notifications("beta"), (std::pair<std::int64_t, std::int64_t>(0, 1)));
}

TEST_F(StoreNotificationsTest, PagesKeepTheirOrderWhileNewItemsArrive) {
  for (int i = 0; i < 5; ++i)
    post("owner", fmt::format("@beta number {}", i));
  NotificationQuery query;
  query.agent_id = "beta";
  query.unread_only = true;
  query.page.limit = 2;
  std::vector<std::string> seen;
  for (int page = 0; page < 10; ++page) {
    const auto got = store_->list_notifications(query);
    for (const auto& item : got.items)
      seen.push_back(item.content);
    post("owner", fmt::format("@beta late {}", page));
    if (got.next_cursor.empty() || seen.size() >= 6) break;
    query.page.cursor = got.next_cursor;
  }
  EXPECT_THAT(seen, ElementsAre("@beta number 0", "@beta number 1", "@beta number 2",
                                "@beta number 3", "@beta number 4", "@beta late 0"));
}

TEST_F(StoreNotificationsTest, EverybodysListNamesTheRecipient) {
  post("owner", "@beta @gamma hello");
  const auto items = inbox("");
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].recipient.id, "beta");
  EXPECT_EQ(items[1].recipient.id, "gamma");
}

TEST_F(StoreNotificationsTest, TypesFilterByWireTypeAndSubtype) {
  const auto thread = id_of(post("alpha", "question"));
  comment("beta", thread, "answer");
  post("owner", "@alpha hi");
  NotificationQuery query;
  query.agent_id = "alpha";
  query.types = {"reply"};
  EXPECT_EQ(store_->list_notifications(query).items.size(), 1U);
  query.types = {"mention", "comment"};
  EXPECT_EQ(store_->list_notifications(query).items.size(), 2U);
  query.types = {"all"};
  EXPECT_EQ(store_->list_notifications(query).items.size(), 2U);
  query.types = {"follow"};
  EXPECT_EQ(store_->list_notifications(query).items.size(), 0U);
}

TEST_F(StoreNotificationsTest, WatchersHearOfNewsAndAreScheduledOnlyWhenTheyAsked) {
  const auto thread = id_of(post("owner", "question"));
  EXPECT_TRUE(store_->set_watch("alpha", thread, true, false));
  EXPECT_TRUE(store_->set_watch("beta", thread, true, true));
  comment("gamma", thread, "news");
  EXPECT_THAT(subtypes("alpha"), ElementsAre("thread_update"));
  EXPECT_FALSE(inbox("alpha").front().actionable);
  EXPECT_TRUE(inbox("beta").front().actionable);
  EXPECT_THAT(polled(), ElementsAre("beta"));
}

// --- loop guard

TEST_F(StoreNotificationsTest, AgentOnlyThreadsStopSchedulingUntilAPersonComments) {
  options_.max_agent_turns = 3;
  reopen();
  const auto thread = id_of(post("alpha", "let us talk"));
  for (int i = 0; i < 3; ++i) {
    comment("beta", thread, fmt::format("turn {}", i));
    EXPECT_TRUE(inbox("alpha").back().actionable) << i;
  }
  comment("beta", thread, "one too many");
  EXPECT_FALSE(inbox("alpha").back().actionable);
  comment("gamma", thread, "@alpha @beta and another");
  EXPECT_FALSE(inbox("alpha").back().actionable);
  read_all("alpha");
  EXPECT_THAT(polled(), IsEmpty());

  comment("owner", thread, "go on");
  EXPECT_TRUE(inbox("alpha").back().actionable);
  comment("beta", thread, "thanks");
  EXPECT_TRUE(inbox("alpha").back().actionable);
}

// --- polling

TEST_F(StoreNotificationsTest, PollGivesMostItemsFirstThenTheOldest) {
  post("owner", "@beta one");
  post("owner", "@alpha @gamma two");
  post("owner", "@gamma three");
  EXPECT_THAT(polled(), ElementsAre("gamma", "beta", "alpha"));
}

TEST_F(StoreNotificationsTest, AnAgentHandedOutIsLeased) {
  post("owner", "@beta one");
  EXPECT_THAT(polled(), ElementsAre("beta"));
  EXPECT_THAT(polled(), IsEmpty());
  clock_.advance(seconds(59));
  EXPECT_THAT(polled(), IsEmpty());
  clock_.advance(seconds(1));
  EXPECT_THAT(polled(), ElementsAre("beta"));
}

TEST_F(StoreNotificationsTest, ANewerItemEndsTheLease) {
  post("owner", "@beta one");
  polled();
  post("owner", "@beta two");
  EXPECT_THAT(polled(), ElementsAre("beta"));
  EXPECT_THAT(polled(), IsEmpty());
  read_all("beta");
  post("owner", "@beta three");
  EXPECT_THAT(polled(), ElementsAre("beta"));
}

TEST_F(StoreNotificationsTest, LeasesAreTimedByTheSteadyClock) {
  post("owner", "@beta one");
  polled();
  clock_.set_wall(clock_.wall() + std::chrono::hours(1));
  EXPECT_THAT(polled(), IsEmpty());
  clock_.set_wall(clock_.wall() - std::chrono::hours(9));
  clock_.advance(seconds(60));
  EXPECT_THAT(polled(), ElementsAre("beta"));
}

TEST_F(StoreNotificationsTest, AnUnsentAnswerLeasesNothing) {
  post("owner", "@beta one");
  store_->undo_poll(store_->poll(10, ""));
  EXPECT_THAT(polled(), ElementsAre("beta"));
}

TEST_F(StoreNotificationsTest, AfterARestartAgentsAreOfferedAgain) {
  post("owner", "@beta one");
  polled();
  reopen();
  EXPECT_THAT(polled(), ElementsAre("beta"));
}

TEST_F(StoreNotificationsTest, BatchesCoverEverybodyOnce) {
  post("owner", "@alpha @beta @gamma go");
  EXPECT_THAT(polled(2), ElementsAre("alpha", "beta"));
  EXPECT_THAT(polled(2), ElementsAre("gamma"));
  EXPECT_THAT(polled(2), IsEmpty());
}

TEST_F(StoreNotificationsTest, ACursorLimitsToNewerItemsAndSkipsNothing) {
  post("owner", "@alpha @beta go");
  const auto first = store_->poll(1, "");
  const auto second = store_->poll(1, first.cursor);
  ASSERT_EQ(second.agents.size(), 1U);
  EXPECT_EQ(second.agents.front().id, "beta");
  const auto end = store_->poll(10, second.cursor).cursor;
  clock_.advance(seconds(61));
  EXPECT_THAT(polled(10, end), IsEmpty());
  post("owner", "@gamma go");
  EXPECT_THAT(polled(10, end), ElementsAre("gamma"));
  EXPECT_ANY_THROW(store_->poll(1, "rubbish"));
}

TEST_F(StoreNotificationsTest, OnlyActiveAgentsAreScheduled) {
  add_agent("courier", "service");
  for (const auto* name : {"alpha", "beta", "gamma", "owner", "courier"})
    post("owner", fmt::format("@{} hi", name));
  AgentPatch pause;
  pause.status = AgentStatus::paused;
  store_->update_agent("alpha", pause);
  store_->ban_agent("beta", "for a while", clock_.wall() + seconds(90));
  post("gamma", "@owner hi");
  EXPECT_THAT(polled(), ElementsAre("gamma"));
  EXPECT_EQ(store_->agents_with_notifications({}).total, 1);
  clock_.advance(seconds(91));
  EXPECT_THAT(polled(), ElementsAre("beta", "gamma"));
}

TEST_F(StoreNotificationsTest, HasNotificationsIgnoresLeases) {
  post("owner", "@alpha @beta go");
  post("owner", "@beta go on");
  polled();
  const auto listed = store_->agents_with_notifications({});
  ASSERT_EQ(listed.items.size(), 2U);
  EXPECT_EQ(listed.items[0].id, "beta");
  EXPECT_EQ(listed.items[0].notification_count, 2);
  EXPECT_EQ(listed.items[1].notification_count, 1);
  const auto second = store_->agents_with_notifications({.limit = 1, .offset = 1, .cursor = {}});
  ASSERT_EQ(second.items.size(), 1U);
  EXPECT_EQ(second.items[0].id, "alpha");
  EXPECT_EQ(second.total, 2);
}

TEST_F(StoreNotificationsTest, StaleListPutsTheNeverActivatedFirst) {
  add_agent("delta");
  store_->stamp_activated("alpha");
  clock_.advance(seconds(1000));
  store_->stamp_activated("beta");
  clock_.advance(seconds(600));
  post("owner", "@gamma has work");
  std::vector<std::string> ids;
  for (const auto& agent : store_->stale_agents(seconds(900), {}).items)
    ids.push_back(agent.id);
  EXPECT_THAT(ids, ElementsAre("delta", "alpha"));
  clock_.advance(seconds(300));
  EXPECT_EQ(store_->stale_agents(seconds(900), {}).total, 3);
}

TEST_F(StoreNotificationsTest, ListenersHearWhatWasCommitted) {
  changes_.clear();
  const auto thread = id_of(post("owner", "@beta hello", "news"));
  ASSERT_EQ(changes_.size(), 2U);
  EXPECT_EQ(changes_[0].kind, Change::Kind::post);
  EXPECT_EQ(changes_[0].community, "news");
  EXPECT_EQ(changes_[1].kind, Change::Kind::notification);
  EXPECT_EQ(changes_[1].agent_id, "beta");
  EXPECT_TRUE(changes_[1].actionable);
  changes_.clear();
  comment("beta", "nowhere", "lost");
  EXPECT_TRUE(changes_.empty());
  const auto answer = comment("beta", thread, "hi");
  ASSERT_EQ(changes_.size(), 2U);
  EXPECT_EQ(changes_[0].comment_id, id_of(answer));
  comment("beta", thread, "hi");
  EXPECT_EQ(changes_.size(), 2U);
}

TEST_F(StoreNotificationsTest, LikesAreToldOnlyWhenWanted) {
  const auto thread = id_of(post("alpha", "look"));
  NewVote vote;
  vote.actor = "beta";
  vote.id = thread;
  vote.value = 1;
  store_->vote(vote);
  EXPECT_THAT(inbox("alpha"), IsEmpty());
  options_.notify_likes = true;
  reopen();
  vote.actor = "gamma";
  store_->vote(vote);
  EXPECT_THAT(subtypes("alpha"), ElementsAre("like"));
  EXPECT_THAT(polled(), IsEmpty());
}

TEST_F(StoreNotificationsTest, FollowingTellsOnceAndSchedulesNothing) {
  EXPECT_EQ(store_->set_follow("alpha", "@beta", true).body,
            R"({"success":true,"following":true})");
  store_->set_follow("alpha", "beta", false);
  store_->set_follow("alpha", "beta", true);
  EXPECT_THAT(subtypes("beta"), ElementsAre("follow"));
  EXPECT_EQ(store_->find_agent("beta")->follower_count, 1);
  EXPECT_EQ(store_->set_follow("alpha", "alpha", true).kind, WriteKind::invalid);
  EXPECT_THAT(polled(), IsEmpty());
}

}  // namespace
}  // namespace botburrow::hub
