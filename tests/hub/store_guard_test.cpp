// Fences, idempotency keys, repeated content and generations.

#include "store_fixture.hpp"

#include <gmock/gmock.h>

namespace botburrow::hub {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class StoreGuardTest : public StoreTest {
 protected:
  StoreGuardTest() {
    add_agent("scribe");
    add_agent("quiz");
    thread_ = id_of(post("quiz", "a question"));
    changes_.clear();
  }
  std::int64_t comments() { return store_->find_post(thread_, {})->comment_count; }
  std::string thread_;
};

TEST_F(StoreGuardTest, ARepeatedKeyAnswersTheFirstBody) {
  const auto first = comment("scribe", thread_, "hello", keyed("k1", "hello"));
  const auto again = comment("scribe", thread_, "hello", keyed("k1", "hello"));

  EXPECT_EQ(first.kind, WriteKind::done);
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(again.kind, WriteKind::replayed);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(comments(), 1);
}

TEST_F(StoreGuardTest, AReplaySurvivesARestart) {
  const auto first = comment("scribe", thread_, "hello", keyed("k1", "hello"));
  reopen();
  EXPECT_EQ(comment("scribe", thread_, "hello", keyed("k1", "hello")).body, first.body);
  EXPECT_EQ(store_->find_answer("scribe", "k1")->body, first.body);
}

TEST_F(StoreGuardTest, AnotherBodyWithoutAFenceIsAMismatch) {
  comment("scribe", thread_, "one", keyed("k1", "one"));
  EXPECT_EQ(comment("scribe", thread_, "two", keyed("k1", "two")).kind, WriteKind::key_mismatch);
  EXPECT_EQ(comments(), 1);
}

TEST_F(StoreGuardTest, AnotherBodyFromTheSameFenceIsAMismatch) {
  comment("scribe", thread_, "one", keyed("k1", "one", Fence{1, 5}));
  EXPECT_EQ(comment("scribe", thread_, "two", keyed("k1", "two", Fence{1, 5})).kind,
            WriteKind::key_mismatch);
}

TEST_F(StoreGuardTest, AnotherBodyFromANewFenceGetsTheOriginal) {
  const auto first = comment("scribe", thread_, "one", keyed("k1", "one", Fence{1, 5}));
  const auto rerun = comment("scribe", thread_, "two", keyed("k1", "two", Fence{1, 6}));
  EXPECT_EQ(rerun.kind, WriteKind::replayed);
  EXPECT_EQ(rerun.body, first.body);
  const auto next_generation =
      comment("scribe", thread_, "three", keyed("k1", "three", Fence{2, 1}));
  EXPECT_EQ(next_generation.body, first.body);
  EXPECT_EQ(comments(), 1);
}

TEST_F(StoreGuardTest, ALowerFenceChangesNothingAndReplaysNothing) {
  comment("scribe", thread_, "one", keyed("k1", "one", Fence{1, 5}));
  comment("scribe", thread_, "two", keyed("k2", "two", Fence{1, 6}));

  const auto replay = comment("scribe", thread_, "one", keyed("k1", "one", Fence{1, 5}));
  const auto fresh = comment("scribe", thread_, "late", keyed("k3", "late", Fence{1, 5}));

  EXPECT_EQ(replay.kind, WriteKind::stale_fence);
  EXPECT_EQ(fresh.kind, WriteKind::stale_fence);
  EXPECT_TRUE(replay.body.empty());
  EXPECT_EQ(comments(), 2);
  EXPECT_EQ(store_->generation().fence, (Fence{1, 6}));
}

TEST_F(StoreGuardTest, AnEqualFenceAndNoFencePass) {
  EXPECT_EQ(comment("scribe", thread_, "one", keyed("k1", "one", Fence{1, 5})).kind,
            WriteKind::done);
  EXPECT_EQ(comment("scribe", thread_, "two", keyed("k2", "two", Fence{1, 5})).kind,
            WriteKind::done);
  EXPECT_EQ(comment("scribe", thread_, "three", keyed("k3", "three")).kind, WriteKind::done);
}

TEST_F(StoreGuardTest, FencesAreKeptForEachAgent) {
  comment("scribe", thread_, "one", keyed("k1", "one", Fence{1, 9}));
  EXPECT_EQ(comment("quiz", thread_, "two", keyed("k2", "two", Fence{1, 5})).kind, WriteKind::done);
  EXPECT_EQ(store_->generation().fence, (Fence{1, 9}));
}

TEST_F(StoreGuardTest, AFenceIsRememberedEvenWhenTheWriteIsRefused) {
  EXPECT_EQ(comment("scribe", "nowhere", "one", keyed("k1", "one", Fence{1, 9})).kind,
            WriteKind::not_found);
  reopen();
  EXPECT_EQ(comment("scribe", thread_, "old", keyed("k2", "old", Fence{1, 8})).kind,
            WriteKind::stale_fence);
}

TEST_F(StoreGuardTest, AKeyBelongsToItsAgent) {
  comment("scribe", thread_, "one", keyed("k1", "one"));
  EXPECT_EQ(comment("quiz", thread_, "two", keyed("k1", "two")).kind, WriteKind::done);
}

TEST_F(StoreGuardTest, OnlySuccessIsKept) {
  EXPECT_EQ(comment("scribe", "nowhere", "one", keyed("k1", "one")).kind, WriteKind::not_found);
  EXPECT_FALSE(store_->find_answer("scribe", "k1"));
  EXPECT_EQ(comment("scribe", thread_, "other", keyed("k1", "other")).kind, WriteKind::done);
}

TEST_F(StoreGuardTest, AKeyIsForgottenAfterADay) {
  comment("scribe", thread_, "one", keyed("k1", "one"));
  clock_.advance(hours(23));
  EXPECT_TRUE(store_->find_answer("scribe", "k1"));
  clock_.advance(hours(2));
  EXPECT_FALSE(store_->find_answer("scribe", "k1"));
  EXPECT_EQ(comment("scribe", thread_, "two", keyed("k1", "two")).kind, WriteKind::done);
}

TEST_F(StoreGuardTest, AJumpOfTheWallClockForgetsNoKey) {
  const auto first = comment("scribe", thread_, "one", keyed("k1", "one", Fence{1, 1}));
  for (const auto jump : {hours(48), hours(-24 * 365)}) {
    clock_.set_wall(clock_.wall() + jump);
    store_->purge_expired();
    EXPECT_TRUE(store_->find_answer("scribe", "k1"));
    EXPECT_EQ(comment("scribe", thread_, "two", keyed("k1", "two", Fence{1, 2})).body, first.body);
    reopen();
  }
  EXPECT_EQ(comments(), 1);
}

TEST_F(StoreGuardTest, KeysAreKeptForADayOfRunningOverRestarts) {
  comment("scribe", thread_, "one", keyed("k1", "one"));
  clock_.advance(hours(20));
  comment("scribe", thread_, "two", keyed("k2", "two"));
  reopen();
  clock_.advance(hours(3));
  EXPECT_TRUE(store_->find_answer("scribe", "k1"));
  clock_.advance(hours(2));
  EXPECT_FALSE(store_->find_answer("scribe", "k1"));
  EXPECT_TRUE(store_->find_answer("scribe", "k2"));
  store_->purge_expired();
  clock_.advance(hours(20));
  store_->purge_expired();
  EXPECT_FALSE(store_->find_answer("scribe", "k2"));
}

TEST_F(StoreGuardTest, RefusedByTheRateOnlyWhenItWouldReallyWrite) {
  comment("scribe", thread_, "one", keyed("k1", "one"));
  auto nothing_left = keyed("k1", "one");
  nothing_left.admitted = false;
  EXPECT_EQ(comment("scribe", thread_, "one", nothing_left).kind, WriteKind::replayed);

  auto fresh = keyed("k2", "two");
  fresh.admitted = false;
  EXPECT_EQ(comment("scribe", thread_, "two", fresh).kind, WriteKind::refused);
  EXPECT_EQ(comment("scribe", "nowhere", "two", fresh).kind, WriteKind::not_found);
  EXPECT_EQ(comments(), 1);
  fresh.admitted = true;
  EXPECT_EQ(comment("scribe", thread_, "two", fresh).kind, WriteKind::done);
}

TEST_F(StoreGuardTest, ThreeSameCommentsWithoutAKeyAreOneCommentAndOneNotification) {
  const auto first = comment("scribe", thread_, "hello");
  clock_.advance(seconds(30));
  const auto second = comment("scribe", thread_, "hello");
  clock_.advance(seconds(149));
  const auto third = comment("scribe", thread_, "hello");

  EXPECT_EQ(second.kind, WriteKind::replayed);
  EXPECT_EQ(third.body, first.body);
  EXPECT_EQ(comments(), 1);
  EXPECT_EQ(inbox("quiz").size(), 1U);

  clock_.advance(seconds(2));
  EXPECT_EQ(comment("scribe", thread_, "hello").kind, WriteKind::done);
}

TEST_F(StoreGuardTest, OtherTextTargetOrAuthorIsNoRepeat) {
  comment("scribe", thread_, "hello");
  EXPECT_EQ(comment("scribe", thread_, "hello!").kind, WriteKind::done);
  EXPECT_EQ(comment("quiz", thread_, "hello").kind, WriteKind::done);
  const auto other = id_of(post("quiz", "another question"));
  EXPECT_EQ(comment("scribe", other, "hello").kind, WriteKind::done);
}

TEST_F(StoreGuardTest, ARepeatedPostIsOnePost) {
  const auto first = post("scribe", "news", "general", "title");
  EXPECT_EQ(post("scribe", "news", "m/general", "title").body, first.body);
  EXPECT_EQ(post("scribe", "news", "general", "other title").kind, WriteKind::done);
  EXPECT_EQ(post("scribe", "news", "swarm-updates", "title").kind, WriteKind::done);
}

TEST_F(StoreGuardTest, AClockSetBackDoesNotStretchTheWindow) {
  comment("scribe", thread_, "hello");
  clock_.set_wall(clock_.wall() - hours(5));
  EXPECT_EQ(comment("scribe", thread_, "hello").kind, WriteKind::done);
}

TEST_F(StoreGuardTest, GenerationAdvancesByCompareAndSet) {
  const auto first = store_->generation();
  EXPECT_EQ(first.dataset, "");
  EXPECT_EQ(first.generation, 0);
  EXPECT_FALSE(first.fence);

  const auto changed = store_->advance_generation("set-a", first);
  EXPECT_TRUE(changed.changed);
  EXPECT_EQ(changed.now.dataset, "set-a");
  EXPECT_EQ(changed.now.generation, 1);

  const auto late = store_->advance_generation("set-b", first);
  EXPECT_FALSE(late.changed);
  EXPECT_EQ(late.now.dataset, "set-a");
  reopen();
  EXPECT_EQ(store_->generation().generation, 1);
}

TEST_F(StoreGuardTest, VotesAndMarkReadAreFencedToo) {
  comment("scribe", thread_, "@quiz hi", keyed("k1", "x", Fence{1, 5}));
  comment("quiz", thread_, "@scribe hi", keyed("k1", "x", Fence{1, 9}));
  MarkRead mark;
  mark.owner = "quiz";
  mark.ids = {inbox("quiz").front().id};
  mark.guard.fence = Fence{1, 8};
  EXPECT_EQ(store_->mark_read(mark).kind, WriteKind::stale_fence);
  mark.owner = "";
  EXPECT_EQ(store_->mark_read(mark).kind, WriteKind::stale_fence);
  EXPECT_EQ(inbox("quiz").size(), 1U);
  mark.guard.fence = Fence{1, 9};
  EXPECT_EQ(store_->mark_read(mark).body, R"({"success":true,"marked":1})");

  NewVote vote;
  vote.actor = "scribe";
  vote.id = thread_;
  vote.value = 1;
  vote.guard.fence = Fence{1, 4};
  EXPECT_EQ(store_->vote(vote).kind, WriteKind::stale_fence);
  EXPECT_EQ(store_->find_post(thread_, {})->upvotes, 0);
}

TEST_F(StoreGuardTest, PurgeKeepsWhatIsStillPromised) {
  comment("scribe", thread_, "one", keyed("k1", "one"));
  clock_.advance(hours(23));
  store_->purge_expired();
  EXPECT_TRUE(store_->find_answer("scribe", "k1"));
  clock_.advance(hours(2));
  store_->purge_expired();
  EXPECT_FALSE(store_->find_answer("scribe", "k1"));
}

}  // namespace
}  // namespace botburrow::hub
