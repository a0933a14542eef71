// Small rules of the protocol: revisions, clocks, floods, the table of requests.
#include "mcp/call_clock.hpp"
#include "mcp/flood_guard.hpp"
#include "mcp/pending.hpp"
#include "mcp/revisions.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::mcp {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Next = ProbeVerdict::Next;

Message result(json::object fields) {
  return {.kind = Message::Kind::result, .id = 1, .result = std::move(fields)};
}
Message error(std::int64_t code, json::value data = nullptr) {
  return {.kind = Message::Kind::error,
          .id = 1,
          .error = {.code = code, .message = "no", .data = std::move(data)}};
}

TEST(Revisions, AModernServerNeedsNoHandshake) {
  const auto verdict = after_probe(result({{"supportedVersions", {"2025-11-25", "2026-07-28"}}}));

  EXPECT_EQ(verdict.next, Next::modern);
  EXPECT_EQ(verdict.revision, "2026-07-28");
}

TEST(Revisions, SilenceAndErrorsOfTheirOwnMeanTheOlderEra) {
  for (const auto& answer :
       {std::optional<Message>(), std::optional(error(-32601)), std::optional(error(-32602)),
        std::optional(error(-32000)), std::optional(result({}))}) {
    const auto verdict = after_probe(answer);
    EXPECT_EQ(verdict.next, Next::initialize);
    EXPECT_EQ(verdict.revision, "2025-11-25");
  }
}

TEST(Revisions, AServerThatNamesOlderRevisionsGetsTheNewestOfThem) {
  const auto verdict = after_probe(error(-32022, {{"supported", {"2024-11-05", "2025-06-18"}}}));

  EXPECT_EQ(verdict.next, Next::initialize);
  EXPECT_EQ(verdict.revision, "2025-06-18");
}

TEST(Revisions, AServerOfOtherRevisionsOnlyIsGivenUp) {
  const auto verdict = after_probe(error(-32022, {{"supported", {"2031-01-01"}}}));

  EXPECT_EQ(verdict.next, Next::give_up);
  EXPECT_THAT(verdict.fault, HasSubstr("2031-01-01"));
  EXPECT_EQ(after_probe(result({{"supportedVersions", {"2031-01-01"}}})).next, Next::give_up);
  EXPECT_EQ(after_probe(error(-32021)).next, Next::give_up);
}

TEST(Revisions, InitializeNeverAgreesOnARevisionWithoutIt) {
  EXPECT_FALSE(initialize_fault("2024-11-05"));
  EXPECT_FALSE(initialize_fault("2025-11-25"));
  EXPECT_TRUE(initialize_fault("2026-07-28"));
  EXPECT_TRUE(initialize_fault("1999-01-01"));
  EXPECT_TRUE(initialize_fault(""));
  EXPECT_EQ(answer_to_initialize("2025-03-26"), "2025-03-26");
  EXPECT_EQ(answer_to_initialize("2026-07-28"), "2025-11-25");
  EXPECT_EQ(answer_to_initialize("2031-01-01"), "2025-11-25");
}

Instant at(std::chrono::nanoseconds d) {
  return Instant(d);
}

TEST(CallClock, ProgressBeginsTheQuietTimeAnew) {
  CallClock clock({.quiet_max = 30s, .total_max = 120s}, at(100s));

  EXPECT_FALSE(clock.over(at(130s - 1ns)));
  EXPECT_TRUE(clock.over(at(130s)));
  clock.progressed(at(129s));
  EXPECT_FALSE(clock.over(at(159s - 1ns)));
  EXPECT_TRUE(clock.over(at(159s)));
}

TEST(CallClock, ButNeverPastItsHardEnd) {
  CallClock clock({.quiet_max = 30s, .total_max = 120s}, at(100s));
  for (auto t = 110s; t < 220s; t += 10s)
    clock.progressed(at(t));

  EXPECT_FALSE(clock.over(at(220s - 1ns)));
  EXPECT_TRUE(clock.over(at(220s)));
}

TEST(CallClock, AndNeverPastTheCallersDeadline) {
  CallClock clock({.quiet_max = 30s, .total_max = 120s, .deadline = Deadline::at(at(105s))},
                  at(100s));
  clock.progressed(at(104s));

  EXPECT_FALSE(clock.over(at(105s - 1ns)));
  EXPECT_TRUE(clock.over(at(105s)));
}

TEST(FloodGuard, CountsUntilAnAnswerComes) {
  FloodGuard guard({.messages_max = 3, .bytes_max = 100});
  EXPECT_TRUE(guard.unasked(1));
  EXPECT_TRUE(guard.unasked(1));
  EXPECT_TRUE(guard.unasked(1));
  EXPECT_FALSE(guard.unasked(1));

  guard.answered();
  EXPECT_TRUE(guard.unasked(100));
  EXPECT_FALSE(guard.unasked(1));
}

TEST(Pending, TellsUsedIdsFromUnknownOnes) {
  struct Waiter {};
  Pending<Waiter> pending;
  Waiter first, second;
  pending.add(1, first);
  pending.add(2, second);
  pending.note(3);
  pending.remove(1);

  using Known = Pending<Waiter>::Known;
  EXPECT_EQ(pending.known(1), Known::used);
  EXPECT_EQ(pending.known(2), Known::waiting);
  EXPECT_EQ(pending.known(3), Known::used);
  EXPECT_EQ(pending.known(4), Known::unknown);
  EXPECT_EQ(pending.known(0), Known::unknown);
  EXPECT_EQ(pending.known(-1), Known::unknown);
  EXPECT_EQ(pending.find(2), &second);
  EXPECT_EQ(pending.find(1), nullptr);
  EXPECT_EQ(pending.only(), &second);
}

}  // namespace
}  // namespace botburrow::mcp
