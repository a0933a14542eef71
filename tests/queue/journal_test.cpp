// The journal of a piece of work, on a real server.
#include "queue/journal.hpp"

#include "base/error.hpp"
#include "queue/redis_journal.hpp"
#include "tests/queue/queue_fixture.hpp"

namespace botburrow::queue {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class JournalTest : public QueueTest {
 protected:
  Claim begun(const std::string& agent = "ada") {
    enqueue(inbox(agent));
    return claim_now();
  }
  JournalLine line(const Claim& claim, JournalKind kind, json::object fields = {}) const {
    return {.n = size.lines,
            .at = "2026-01-01T00:00:00Z",
            .activation_id = claim.activation_id,
            .kind = kind,
            .fields = std::move(fields)};
  }
  JournalEntry entry(const Claim& claim, JournalKind kind, json::object fields = {}) {
    return encode(line(claim, kind, std::move(fields)), size);
  }
  void append(const Claim& claim, std::vector<JournalEntry> entries) {
    run(journal.append(ref_of(claim), std::move(entries)));
  }
  std::vector<std::string> kinds(const Claim& claim) {
    std::vector<std::string> out;
    for (const auto& one : run(journal.load(claim.work_id)).lines)
      out.emplace_back(name_of(one.kind));
    return out;
  }
  errc refused(const Claim& claim, std::vector<JournalEntry> entries) {
    try {
      append(claim, std::move(entries));
    } catch (const Error& error) {
      return error.code();
    }
    return errc::internal;
  }
  std::string ttl(const Claim& claim, const std::string& suffix = "") {
    return ask({"TTL", "journal:" + claim.work_id.str() + suffix});
  }

  JournalSize size;
  RedisJournal journal{redis};
};

TEST_F(JournalTest, LinesComeBackInOrderWithTheirFields) {
  const auto claim = begun();
  append(claim, {entry(claim, JournalKind::started, {{"attempt", 1}}),
                 entry(claim, JournalKind::model_call, {{"scope", "n:1"}})});
  append(claim, {entry(claim, JournalKind::model_answer, {{"answer", {{"text", "yes"}}}})});
  const auto read = run(journal.load(claim.work_id));
  ASSERT_THAT(read.lines, SizeIs(3));
  EXPECT_EQ(read.lines[2].n, 2);
  EXPECT_EQ(read.lines[2].kind, JournalKind::model_answer);
  EXPECT_EQ(read.lines[2].activation_id, claim.activation_id);
  EXPECT_EQ(read.lines[2].fields.at("answer").at("text"), "yes");
  EXPECT_EQ(read.size.lines, 3);
  complete(claim);
}

TEST_F(JournalTest, LargestFieldOfALongLineIsStoredApart) {
  const auto claim = begun();
  const std::string text(kJournalLineBytes, 'x');
  append(claim, {entry(claim, JournalKind::effect, {{"key", "k"}, {"body", text}})});
  EXPECT_THAT(list("journal:" + claim.work_id.str()).at(0), HasSubstr(R"("payload":"body")"));
  EXPECT_EQ(ask({"HSTRLEN", "journal:" + claim.work_id.str() + ":blobs", "0"}),
            std::to_string(text.size() + 2));
  const auto read = run(journal.load(claim.work_id));
  EXPECT_EQ(read.lines.at(0).fields.at("body"), json::value(text));
  EXPECT_EQ(read.lines.at(0).fields.at("key"), "k");
  EXPECT_EQ(read.size.payload_bytes, text.size() + 2);
  complete(claim);
}

TEST_F(JournalTest, RepeatWritesNothingTwice) {
  const auto claim = begun();
  const std::vector entries{entry(claim, JournalKind::started),
                            entry(claim, JournalKind::model_call)};
  append(claim, entries);
  append(claim, entries);
  EXPECT_THAT(kinds(claim), ElementsAre("started", "model_call"));
  complete(claim);
}

TEST_F(JournalTest, OnlyTheOwnerOfTheLeaseWrites) {
  const auto first = begun();
  append(first, {entry(first, JournalKind::started)});
  reap("ada");
  const auto second = claim_now();
  EXPECT_EQ(second.work_id, first.work_id);
  EXPECT_EQ(refused(first, {entry(first, JournalKind::model_answer)}), errc::stale_fence);
  EXPECT_THAT(kinds(second), ElementsAre("started"));
  complete(second);
}

TEST_F(JournalTest, EndOfAClaimWritesTheLastLinesAndLetsThemExpire) {
  const auto claim = begun();
  append(claim,
         {entry(claim, JournalKind::effect, {{"body", std::string(kJournalLineBytes, 'x')}})});
  EXPECT_EQ(ttl(claim), "-1");
  const auto done = entry(claim, JournalKind::effect_done).line;
  const auto ended = entry(claim, JournalKind::ended).line;
  run(queue.complete({.lease = ref_of(claim), .journal_end = done + "\n" + ended}));
  EXPECT_THAT(kinds(claim), ElementsAre("effect", "effect_done", "ended"));
  EXPECT_EQ(ttl(claim), "86400");
  EXPECT_EQ(ttl(claim, ":blobs"), "86400");
}

TEST_F(JournalTest, StaysForAsLongAsItsRunnerSaysWhoeverEndsTheWork) {
  RedisJournal short_lived(redis, std::chrono::hours(1));
  const auto claim = begun();
  run(short_lived.append(ref_of(claim), {entry(claim, JournalKind::effect,
                                               {{"body", std::string(kJournalLineBytes, 'x')}})}));
  EXPECT_EQ(reap("ada", 1, 1), ReapResult::dead);
  EXPECT_EQ(ttl(claim), "3600");
  EXPECT_EQ(ttl(claim, ":blobs"), "3600");
}

TEST_F(JournalTest, WorkThatNeverWroteHasNone) {
  const auto claim = begun();
  run(queue.complete({.lease = ref_of(claim), .journal_end = "{}"}));
  EXPECT_EQ(ttl(claim), "-2");
}

TEST_F(JournalTest, HandedBackWorkKeepsItsJournal) {
  const auto first = begun();
  append(first, {entry(first, JournalKind::model_call)});
  run(queue.hand_back({.lease = ref_of(first),
                       .reason = HandBackReason::drain,
                       .journal_end = entry(first, JournalKind::ended).line}));
  EXPECT_EQ(ttl(first), "-1");
  const auto second = claim_now();
  EXPECT_EQ(second.work_id, first.work_id);
  EXPECT_THAT(kinds(second), ElementsAre("model_call", "ended"));
  complete(second);
}

TEST_F(JournalTest, OfADeadItemExpiresAndOfARetriedOneStays) {
  const auto claim = begun();
  append(claim, {entry(claim, JournalKind::model_call)});
  EXPECT_EQ(reap("ada", 1, 1), ReapResult::dead);
  EXPECT_EQ(ttl(claim), "86400");
  run(view.retry_dead(claim.activation_id.str()));
  ask({"DEL", "work:backoff"});
  const auto again = claim_now();
  EXPECT_EQ(again.work_id, claim.work_id);
  append(again, {entry(again, JournalKind::model_answer)});
  EXPECT_EQ(ttl(again), "-1");
  complete(again);
}

TEST_F(JournalTest, OfADroppedItemExpires) {
  const auto claim = begun();
  append(claim, {entry(claim, JournalKind::model_call)});
  run(queue.hand_back({.lease = ref_of(claim), .reason = HandBackReason::drain}));
  EXPECT_TRUE(run(view.drop_waiting(AgentId("ada"))));
  EXPECT_EQ(ttl(claim), "86400");
}

TEST_F(JournalTest, WritesOnAServerThatIsOutOfMemory) {
  const auto claim = begun();
  ask({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_NO_THROW(append(claim, {entry(claim, JournalKind::model_answer)}));
  ask({"CONFIG", "SET", "maxmemory", "0"});
  complete(claim);
}

TEST_F(JournalTest, LinesOfALaterVersionAreLeftOut) {
  const auto claim = begun();
  ask({"RPUSH", "journal:" + claim.work_id.str(), R"({"n":0,"kind":"dreamt"})", "not JSON"});
  const auto read = run(journal.load(claim.work_id));
  EXPECT_THAT(read.lines, SizeIs(0));
  EXPECT_EQ(read.size.lines, 2) << "they take room all the same";
  complete(claim);
}

errc bound_of(JournalSize size, json::object fields) {
  try {
    encode({.kind = JournalKind::effect, .fields = std::move(fields)}, size);
  } catch (const Error& error) {
    return error.code();
  }
  return errc::internal;
}

TEST(JournalBounds, EachIsJournalFull) {
  const auto text = [](std::size_t bytes) {
    return json::object{{"body", std::string(bytes, 'x')}};
  };
  EXPECT_EQ(bound_of({.lines = kJournalLines - 1}, {}), errc::internal);
  EXPECT_EQ(bound_of({.lines = kJournalLines}, {}), errc::journal_full);
  EXPECT_EQ(bound_of({}, text(kJournalPayloadBytes - 2)), errc::internal);
  EXPECT_EQ(bound_of({}, text(kJournalPayloadBytes - 1)), errc::journal_full);
  const auto room = kJournalPayloadsBytes - 10'002;
  EXPECT_EQ(bound_of({.payload_bytes = room}, text(10'000)), errc::internal);
  EXPECT_EQ(bound_of({.payload_bytes = room + 1}, text(10'000)), errc::journal_full);
  const json::object two{{"a", std::string(kJournalLineBytes, 'x')},
                         {"b", std::string(kJournalLineBytes, 'y')}};
  EXPECT_EQ(bound_of({}, two), errc::journal_full) << "only one field is stored apart";
}

TEST_F(JournalTest, ServerCountsLinesToo) {
  const auto claim = begun();
  for (int i = 0; i < kJournalLines; ++i)
    ask({"RPUSH", "journal:" + claim.work_id.str(), "{}"});
  size.lines = kJournalLines - 1;
  auto late = entry(claim, JournalKind::started);
  late.n = kJournalLines;
  EXPECT_EQ(refused(claim, {late}), errc::journal_full);
  complete(claim);
}

}  // namespace
}  // namespace botburrow::queue
