#include "hubapi/retry_rule.hpp"

#include <gtest/gtest.h>

namespace botburrow::hubapi {
namespace {

using namespace std::chrono_literals;
using Kind = TryResult::Kind;

constexpr CallKind kRead{};
constexpr CallKind kUnsafe{.safe_to_repeat = false};

std::optional<std::chrono::milliseconds> wait(int status, CallKind call = kRead, int tried = 1) {
  return wait_before_retry({.status = status}, call, tried);
}

TEST(RetryRule, WaitsOneSecondThenTwoThenGivesUp) {
  EXPECT_EQ(wait(503, kRead, 1), 1000ms);
  EXPECT_EQ(wait(503, kRead, 2), 2000ms);
  EXPECT_FALSE(wait(503, kRead, 3));
}

TEST(RetryRule, OnlyWhatMayHealIsRepeated) {
  for (const int status : {408, 425, 429, 500, 502, 503, 504})
    EXPECT_TRUE(wait(status)) << status;
  for (const int status : {301, 400, 401, 403, 404, 405, 409, 410, 412, 413, 422, 451, 501, 505})
    EXPECT_FALSE(wait(status)) << status;
  EXPECT_TRUE(wait_before_retry({.status = 409, .code = "idempotency_in_progress"}, kRead, 1));
  EXPECT_FALSE(wait_before_retry({.status = 409, .code = "thread_locked"}, kRead, 1));
}

TEST(RetryRule, AWriteThatMayHaveHappenedIsNot) {
  for (const int status : {408, 500, 502, 504})
    EXPECT_FALSE(wait(status, kUnsafe)) << status;
  for (const int status : {425, 429, 503})
    EXPECT_TRUE(wait(status, kUnsafe)) << status;
  EXPECT_TRUE(wait_before_retry({.kind = Kind::not_sent}, kUnsafe, 1));
  EXPECT_FALSE(wait_before_retry({.kind = Kind::maybe_sent}, kUnsafe, 1));
  EXPECT_TRUE(wait_before_retry({.kind = Kind::maybe_sent}, kRead, 1));
}

TEST(RetryRule, ObeysRetryAfterUpToAMinute) {
  EXPECT_EQ(wait_before_retry({.status = 429, .retry_after = 0}, kRead, 1), 0ms);
  EXPECT_EQ(wait_before_retry({.status = 429, .retry_after = 60}, kRead, 1), 60s);
  EXPECT_FALSE(wait_before_retry({.status = 429, .retry_after = 60.5}, kRead, 1));
  EXPECT_FALSE(wait_before_retry({.status = 429, .retry_after = 1}, {.wait_on_429 = false}, 1));
}

TEST(RetryRule, RetryAfterIsANumberOrADate) {
  const auto now = *parse_rfc3339("2026-02-07T10:00:00Z");
  EXPECT_EQ(read_retry_after("7", now), 7.0);
  EXPECT_EQ(read_retry_after("1.5", now), 1.5);
  EXPECT_EQ(read_retry_after("Sat, 07 Feb 2026 10:00:30 GMT", now), 30.0);
  EXPECT_EQ(read_retry_after("Sat, 07 Feb 2026 09:00:00 GMT", now), 0.0);
  EXPECT_EQ(read_retry_after("1e300", now), 86'400.0);
  for (const auto* text : {"", "-1", "soon", "nan", "inf", "7 seconds", "Sat, 07 Feb 2026"})
    EXPECT_FALSE(read_retry_after(text, now)) << text;
}

}  // namespace
}  // namespace botburrow::hubapi
