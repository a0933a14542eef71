#include "queue/completions.hpp"

#include "base/error.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

namespace botburrow::queue {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;
using testing::SizeIs;

/// Completions over a server that answers when the test says so. Nothing here waits on a clock.
class CompletionsTest : public testing::Test {
 protected:
  struct Call {
    std::vector<std::string> agents;
    std::vector<bool> retries;
    std::exception_ptr failure;
    std::shared_ptr<asio::steady_timer> gate;
    bool open = false;
  };
  struct Caller {
    std::optional<CompleteAnswer> answer;
    std::exception_ptr failure;
    asio::cancellation_signal cancel;
    bool ended = false;
  };

  Task<std::vector<CompleteAnswer>> serve(Completions::Together together) {
    auto call = std::make_shared<Call>();
    for (const Completion* one : together) {
      call->agents.push_back(one->lease.agent_id.str());
      call->retries.push_back(one->next && one->next->retry);
    }
    if (refused_ && together.size() > 1) call->failure = refusal();
    if (refused_ && call->agents.front() == *refused_) call->failure = refusal();
    call->gate = std::make_shared<asio::steady_timer>(ioc, asio::steady_timer::time_point::max());
    calls.push_back(call);
    while (!call->open) {
      boost::system::error_code ignored;
      co_await call->gate->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    if (call->failure) std::rethrow_exception(call->failure);
    std::vector<CompleteAnswer> answers;
    for (const Completion* one : together)
      answers.push_back({.ok = true, .failures = std::stoi(one->lease.agent_id.str())});
    co_return answers;
  }
  static std::exception_ptr refusal() {
    return std::make_exception_ptr(Error(errc::redis_error, "WRONGTYPE"));
  }

  Caller& complete(int agent, std::vector<AgentId> exclude = {}) {
    auto& caller = callers_.emplace_back();
    Completion completion{.lease = {.agent_id = AgentId(std::to_string(agent))}};
    completion.next = ClaimRequest{.runner_id = RunnerId("r"), .exclude = std::move(exclude)};
    asio::co_spawn(ioc, completions.complete(std::move(completion)),
                   asio::bind_cancellation_slot(caller.cancel.slot(),
                                                [&caller](std::exception_ptr failure, auto answer) {
                                                  caller.ended = true;
                                                  caller.failure = std::move(failure);
                                                  if (!caller.failure)
                                                    caller.answer = std::move(answer);
                                                }));
    return caller;
  }
  void settle() {
    if (ioc.stopped()) ioc.restart();
    ioc.poll();
  }
  void answer(std::size_t call) {
    calls.at(call)->open = true;
    calls.at(call)->gate->cancel();
    settle();
  }
  /// Two calls under way, so that what comes now waits.
  void occupy() {
    complete(1);
    settle();
    complete(2);
    settle();
  }

  asio::io_context ioc;
  std::vector<std::shared_ptr<Call>> calls;
  std::optional<std::string> refused_;
  Completions completions{[this](Completions::Together together) { return serve(together); }};
  std::deque<Caller> callers_;
};

TEST_F(CompletionsTest, OneAloneLeavesAtOnce) {
  auto& caller = complete(7);
  settle();
  ASSERT_THAT(calls, SizeIs(1));
  EXPECT_FALSE(caller.ended);

  answer(0);

  ASSERT_TRUE(caller.answer);
  EXPECT_EQ(caller.answer->failures, 7);
}

TEST_F(CompletionsTest, OfThoseOfOneMomentTwoLeaveAtOnceAndTheRestTogether) {
  for (int i = 0; i < 10; ++i)
    complete(i);
  settle();
  ASSERT_THAT(calls, SizeIs(2));
  answer(0);

  ASSERT_THAT(calls, SizeIs(3));
  EXPECT_THAT(calls[2]->agents, SizeIs(8));
  answer(1);
  answer(2);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(callers_[i].answer->failures, i);
}

TEST_F(CompletionsTest, OnceManyComeAtATimeTheNextWaitForEachOther) {
  occupy();
  complete(3);
  complete(4);
  settle();
  answer(0);
  answer(1);
  answer(2);
  for (int i = 10; i < 30; ++i)
    complete(i);
  settle();

  ASSERT_THAT(calls, SizeIs(5));
  EXPECT_THAT(calls[3]->agents, SizeIs(10));
  EXPECT_THAT(calls[4]->agents, SizeIs(10));
}

TEST(GroupSize, IsHalfOfManyWhereNothingIsUnderWay) {
  EXPECT_EQ(group_size(1, true), 1u);
  EXPECT_EQ(group_size(7, true), 7u);
  EXPECT_EQ(group_size(8, true), 4u);
  EXPECT_EQ(group_size(9, true), 5u);
  EXPECT_EQ(group_size(9, false), 9u);
  EXPECT_EQ(group_size(1000, true), Completions::kTogetherMax);
}

TEST_F(CompletionsTest, ThoseThatComeWhileTwoAreUnderWayLeaveTogetherNext) {
  occupy();
  for (int i = 3; i < 8; ++i)
    complete(i);
  settle();
  ASSERT_THAT(calls, SizeIs(2));

  answer(0);

  ASSERT_THAT(calls, SizeIs(3));
  EXPECT_THAT(calls[2]->agents, ElementsAre("3", "4", "5", "6", "7"));
}

TEST_F(CompletionsTest, AGroupIsBounded) {
  occupy();
  for (int i = 0; i < 100; ++i)
    complete(i);
  settle();
  answer(0);
  answer(1);

  ASSERT_THAT(calls, SizeIs(4));
  EXPECT_THAT(calls[2]->agents, SizeIs(Completions::kTogetherMax));
  EXPECT_THAT(calls[3]->agents, SizeIs(100 - Completions::kTogetherMax));
  answer(2);
  answer(3);
  for (const auto& caller : callers_)
    EXPECT_TRUE(caller.answer);
}

TEST_F(CompletionsTest, WhoClaimsInAnotherWayLeavesApart) {
  occupy();
  complete(3, {AgentId("x")});
  complete(4);
  complete(5, {AgentId("x")});
  settle();
  answer(0);
  answer(1);

  ASSERT_THAT(calls, SizeIs(4));
  EXPECT_THAT(calls[2]->agents, ElementsAre("3", "5"));
  EXPECT_THAT(calls[3]->agents, ElementsAre("4"));
}

TEST_F(CompletionsTest, WhenTheSenderIsCancelledTheOthersSendAgainAndSaySo) {
  occupy();
  auto& sender = complete(3);
  auto& other = complete(4);
  settle();
  answer(0);
  ASSERT_THAT(calls, SizeIs(3));
  EXPECT_THAT(calls[2]->retries, ElementsAre(false, false));

  sender.cancel.emit(asio::cancellation_type::terminal);
  settle();

  EXPECT_TRUE(sender.ended);
  EXPECT_TRUE(is_cancellation(sender.failure));
  ASSERT_THAT(calls, SizeIs(4));
  EXPECT_THAT(calls[3]->agents, ElementsAre("4"));
  EXPECT_THAT(calls[3]->retries, ElementsAre(true));
  answer(3);
  EXPECT_EQ(other.answer->failures, 4);
}

TEST_F(CompletionsTest, WhoIsCancelledWhileWaitingIsNotSent) {
  occupy();
  auto& gone = complete(3);
  auto& stays = complete(4);
  settle();

  gone.cancel.emit(asio::cancellation_type::terminal);
  settle();
  answer(0);

  EXPECT_TRUE(is_cancellation(gone.failure));
  ASSERT_THAT(calls, SizeIs(3));
  EXPECT_THAT(calls[2]->agents, ElementsAre("4"));
  answer(2);
  EXPECT_EQ(stays.answer->failures, 4);
}

TEST_F(CompletionsTest, WhoIsCancelledWhileUnderWayLosesOnlyItsAnswer) {
  occupy();
  auto& sender = complete(3);
  auto& gone = complete(4);
  settle();
  answer(0);

  gone.cancel.emit(asio::cancellation_type::terminal);
  settle();
  EXPECT_TRUE(gone.ended);
  answer(2);

  EXPECT_EQ(sender.answer->failures, 3);
  EXPECT_THAT(calls, SizeIs(3));
}

TEST_F(CompletionsTest, ARefusalHitsOnlyTheOneItIsFor) {
  refused_ = "4";
  occupy();
  for (int i = 3; i <= 5; ++i)
    complete(i);
  settle();
  answer(0);
  ASSERT_THAT(calls, SizeIs(3));
  answer(2);  // all of it refused
  for (std::size_t i = 3; i <= 5; ++i) {
    ASSERT_THAT(calls, SizeIs(i + 1));
    EXPECT_THAT(calls.at(i)->agents, SizeIs(1));
    EXPECT_THAT(calls.at(i)->retries, ElementsAre(true));
    answer(i);
  }

  EXPECT_EQ(callers_[2].answer->failures, 3);
  EXPECT_TRUE(callers_[3].failure);
  EXPECT_FALSE(is_cancellation(callers_[3].failure));
  EXPECT_EQ(callers_[4].answer->failures, 5);
}

TEST_F(CompletionsTest, AServerThatIsAwayIsToldToAll) {
  occupy();
  complete(3);
  complete(4);
  settle();
  answer(0);
  calls.at(2)->failure =
      std::make_exception_ptr(Error(errc::redis_unavailable, "away", Retry::after_backoff));
  answer(2);

  EXPECT_TRUE(callers_[2].failure);
  EXPECT_TRUE(callers_[3].failure);
  EXPECT_THAT(calls, SizeIs(3));
  answer(1);
  auto& later = complete(5);
  settle();
  answer(3);
  EXPECT_TRUE(later.answer) << "it goes on";
}

TEST(ClaimTogether, NeedsOneClaimant) {
  const ClaimRequest one{.runner_id = RunnerId("r"), .activation_id = ActivationId("a")};
  auto other = one;
  other.activation_id = ActivationId("b");
  other.retry = true;
  EXPECT_TRUE(may_claim_together(one, other));
  for (const auto& change : std::vector<std::function<void(ClaimRequest&)>>{
           [](auto& r) { r.runner_id = RunnerId("s"); },
           [](auto& r) { r.mode = RunnerMode::notification; },
           [](auto& r) { r.lease = std::chrono::seconds(1); },
           [](auto& r) { r.exclude = {AgentId("x")}; },
           [](auto& r) { r.activation_timeout = std::chrono::seconds(1); }}) {
    auto changed = one;
    change(changed);
    EXPECT_FALSE(may_claim_together(one, changed));
  }
}

}  // namespace
}  // namespace botburrow::queue
