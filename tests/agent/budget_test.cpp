#include "agent/budget.hpp"

#include "base/error.hpp"
#include "tests/tools/hub_world.hpp"

namespace botburrow::agent {
namespace {

using hubapi::Budget;
using hubapi::BudgetStatus;
using queue::TaskType;
using ::testing::HasSubstr;

TEST(BudgetRefusal, EveryStatusForEachKindOfWork) {
  for (const auto task : {TaskType::inbox, TaskType::discovery}) {
    EXPECT_FALSE(budget_refusal({.status = BudgetStatus::healthy}, task));
    EXPECT_FALSE(budget_refusal({.status = BudgetStatus::warning}, task));
    ASSERT_TRUE(budget_refusal({.status = BudgetStatus::critical}, task));
    EXPECT_TRUE(budget_refusal({.status = BudgetStatus::critical}, task)->all_work);
  }
  EXPECT_FALSE(budget_refusal({.status = BudgetStatus::throttle}, TaskType::inbox));
  ASSERT_TRUE(budget_refusal({.status = BudgetStatus::throttle}, TaskType::discovery));
  EXPECT_FALSE(budget_refusal({.status = BudgetStatus::throttle}, TaskType::discovery)->all_work);
}

TEST(BudgetRefusal, NamesTheLimit) {
  const auto reason = [](Budget budget) {
    budget.status = BudgetStatus::critical;
    return budget_refusal(budget, TaskType::inbox)->reason;
  };
  EXPECT_EQ(reason({.daily_limit = 1, .daily_used = 1}), "Daily budget exceeded");
  EXPECT_EQ(reason({.monthly_limit = 1, .monthly_used = 2}), "Monthly budget exceeded");
  EXPECT_EQ(reason({}), "Budget unhealthy");
}

TEST(BudgetLine, OnlyLimitsThatExist) {
  EXPECT_EQ(budget_line({}), "");
  EXPECT_EQ(budget_line({.daily_limit = 2, .daily_used = 0.5}),
            "Budget: today: $0.50 of $2.00 used");
  EXPECT_EQ(
      budget_line({.daily_limit = 2, .daily_used = 0.5, .monthly_limit = 10, .monthly_used = 3}),
      "Budget: today: $0.50 of $2.00 used; this month: $3.00 of $10.00 used");
}

class SpendingTest : public ::testing::Test {
 protected:
  SpendingTest() {
    test::HubWorld::redis_server().flush();
    redis.start();
  }
  ~SpendingTest() override { run(redis.stop()); }
  template <class T>
  T run(Task<T> task) {
    return test::run_task(ioc, std::move(task));
  }
  SpendingGuard guard(BudgetCaps caps) {
    return {state, clock, AgentId("ada"), caps, {.input = 3, .output = 15}};
  }
  queue::Usage today() { return run(state.usage(AgentId("ada"), clock.wall())).day; }
  boost::asio::io_context ioc;
  SeededRandom random{3};
  test::MovedClock clock;
  net::Redis redis{
      ioc.get_executor(), test::HubWorld::redis_server().address(), {}, Log::none(), random};
  queue::RedisAgentState state{redis, Log::none()};
};

TEST_F(SpendingTest, ReservationIsSettledToWhatItCost) {
  auto spending = guard({});
  run(spending.reserve(1000, 500));
  EXPECT_EQ(today().tokens, 1500);
  EXPECT_EQ(today().cost_micros, 3000 + 7500);
  run(spending.settle({.input = 900, .output = 100}, 0.0042));
  EXPECT_EQ(today().tokens, 1000);
  EXPECT_EQ(today().cost_micros, 4200);
  run(spending.settle({.input = 900, .output = 100}, 0.0042));
  EXPECT_EQ(today().tokens, 1000) << "nothing reserved, nothing done";
}

TEST_F(SpendingTest, CallThatFailedCostsNothing) {
  auto spending = guard({});
  run(spending.reserve(1000, 500));
  run(spending.settle({}, 0));
  EXPECT_EQ(today(), queue::Usage{});
}

TEST_F(SpendingTest, CrashKeepsTheReservation) {
  {
    auto crashed = guard({});
    run(crashed.reserve(1000, 500));
  }
  EXPECT_EQ(today().tokens, 1500);
}

TEST_F(SpendingTest, DailyTokensOnBothSides) {
  auto spending = guard({.daily_tokens = 1500});
  run(spending.reserve(1000, 500));
  run(spending.settle({.input = 1000, .output = 1}, 0));
  try {
    run(spending.reserve(1000, 500));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::budget_exceeded);
    EXPECT_EQ(error.message(),
              "Daily budget exceeded: 1001 of 1500 tokens used today (DAILY_TOKEN_LIMIT), and the "
              "next call takes 1100 or more");
  }
  EXPECT_EQ(today().tokens, 1001) << "a refused reservation takes nothing";
  clock.advance(std::chrono::hours(24));
  run(spending.reserve(1000, 500));
}

TEST_F(SpendingTest, AnAnswerMayBeAsLongAsTheDayAllows) {
  auto spending = guard({.daily_tokens = 100'000});
  EXPECT_EQ(run(spending.reserve(1000, 128'000)), 99'000) << "more than a day has";
  EXPECT_EQ(today().tokens, 100'000) << "never past the limit";
  run(spending.settle({.input = 900, .output = 98'900}, 0));
  EXPECT_EQ(run(spending.reserve(100, 500)), 100) << "the shortest";
  run(spending.settle({.input = 100, .output = 0}, 0));
  EXPECT_THROW(run(spending.reserve(1, 500)), Error);
  EXPECT_EQ(today().tokens, 99'900);
}

TEST_F(SpendingTest, MonthlyCost) {
  auto spending = guard({.monthly_cost_usd = 0.0105});
  run(spending.reserve(1000, 500));
  run(spending.settle({.input = 1000, .output = 500}, 0.0105));
  try {
    run(spending.reserve(1, 0));
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("Monthly budget exceeded: $0.01 of $0.01"));
    EXPECT_THAT(error.message(), HasSubstr("MONTHLY_COST_LIMIT"));
  }
}

TEST_F(SpendingTest, SettlementBelongsToTheDayOfItsReservation) {
  auto spending = guard({});
  run(spending.reserve(1000, 500));
  clock.advance(std::chrono::hours(24));
  run(spending.settle({.input = 10, .output = 1}, 0));
  EXPECT_EQ(today().tokens, 0);
}

TEST(Budget, WhatIsLeftIsThatOfTheTighterLimit) {
  EXPECT_EQ(budget_left_usd({}), 0);
  EXPECT_DOUBLE_EQ(budget_left_usd({.daily_limit = 2, .daily_used = 0.5}), 1.5);
  EXPECT_DOUBLE_EQ(
      budget_left_usd(
          {.daily_limit = 2, .daily_used = 0.5, .monthly_limit = 10, .monthly_used = 9}),
      1);
  // Nothing left is not the same as no limit.
  EXPECT_GT(budget_left_usd({.daily_limit = 2, .daily_used = 3}), 0);
  EXPECT_LT(budget_left_usd({.daily_limit = 2, .daily_used = 3}), 0.001);
}

}  // namespace
}  // namespace botburrow::agent
