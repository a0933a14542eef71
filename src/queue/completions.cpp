#include "queue/completions.hpp"

#include "base/error.hpp"
#include "base/stop.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace botburrow::queue {

namespace asio = boost::asio;

bool may_claim_together(const ClaimRequest& a, const ClaimRequest& b) {
  return a.runner_id == b.runner_id && a.mode == b.mode && a.lease == b.lease &&
         a.activation_timeout == b.activation_timeout && a.exclude == b.exclude;
}

std::size_t group_size(std::size_t pending, bool nothing_under_way) {
  constexpr std::size_t kWorthTwoCalls = 8;
  const bool halve = nothing_under_way && pending >= kWorthTwoCalls;
  return std::min(halve ? (pending + 1) / 2 : pending, Completions::kTogetherMax);
}

struct Completions::Waiting {
  explicit Waiting(Completion what) : completion(std::move(what)) {}

  bool done() const { return answer || failure; }
  void wake() {
    if (timer) timer->cancel();
  }

  Completion completion;
  std::optional<CompleteAnswer> answer;
  std::exception_ptr failure;
  bool is_sending = false;  ///< part of a group under way
  bool gone = false;        ///< its caller was cancelled
  std::optional<asio::steady_timer> timer;
};

namespace {

bool is_refusal(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error.code() == errc::redis_error;
  } catch (...) {
    return false;
  }
}

}  // namespace

Task<CompleteAnswer> Completions::complete(Completion completion) {
  const auto own = std::make_shared<Waiting>(std::move(completion));
  waiting_.push_back(own);
  std::exception_ptr cancelled;
  try {
    while (!own->done()) {
      if (!own->is_sending && under_way_ < kUnderWayMax) {
        co_await lead(own);
        continue;
      }
      if (!own->timer)
        own->timer.emplace(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
      boost::system::error_code woken;
      co_await own->timer->async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (cancelled) {
    own->gone = true;
    std::erase(waiting_, own);
    hand_on();
    std::rethrow_exception(cancelled);
  }
  if (own->failure) std::rethrow_exception(own->failure);
  co_return std::move(*own->answer);
}

// In the order they came, and only those that may claim together. `first` is the one that sends.
Completions::Group Completions::take_group(std::shared_ptr<Waiting> first) {
  Group group{first};
  const ClaimRequest* claimant = first->completion.next ? &*first->completion.next : nullptr;
  std::erase(waiting_, first);
  const std::size_t most = group_size(waiting_.size() + 1, sent_ == 0);
  for (const auto& one : waiting_) {
    if (group.size() == most) break;
    const auto& next = one->completion.next;
    if (next && claimant && !may_claim_together(*claimant, *next)) continue;
    if (next && !claimant) claimant = &*next;
    group.push_back(one);
  }
  for (const auto& one : group)
    one->is_sending = true;
  crowded_ = group.size() > 1 || !waiting_.empty();
  std::erase_if(waiting_, [](const auto& one) { return one->is_sending; });
  return group;
}

Task<> Completions::lead(std::shared_ptr<Waiting> own) {
  ++under_way_;
  Group group;
  std::exception_ptr failure;
  try {
    // Answers come many at a time, and so do the completions that follow them.
    if (crowded_) co_await yield_once();
    if (!own->is_sending) {
      group = take_group(own);
      ++sent_;
      hand_on();
      co_await send_group(group);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  --under_way_;
  if (!group.empty()) --sent_;
  if (failure && is_cancellation(failure)) {
    put_back(group);
  } else if (failure) {
    for (const auto& one : group)
      if (!one->done()) one->failure = failure;
  }
  for (const auto& one : group)
    one->wake();
  hand_on();
  if (failure && is_cancellation(failure)) std::rethrow_exception(failure);
}

Task<> Completions::send_group(Group group) {
  Together together;
  for (const auto& one : group)
    together.push_back(&one->completion);
  std::exception_ptr failure;
  try {
    auto answers = co_await send_(std::move(together));
    for (std::size_t i = 0; i < group.size(); ++i)
      group[i]->answer = std::move(answers.at(i));
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  if (group.size() == 1 || !is_refusal(failure)) std::rethrow_exception(failure);
  co_await send_each(std::move(group));
}

// What the server refuses for one of them must not keep the others from ending.
Task<> Completions::send_each(Group group) {
  for (const auto& one : group) {
    if (one->completion.next) one->completion.next->retry = true;
    std::exception_ptr failure;
    try {
      Together alone{&one->completion};
      one->answer = std::move((co_await send_(std::move(alone))).at(0));
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure && is_cancellation(failure)) std::rethrow_exception(failure);
    one->failure = failure;
  }
}

// The sender was cancelled: the others send again. What was sent may have been applied.
void Completions::put_back(const Group& group) {
  for (auto at = group.rbegin(); at != group.rend(); ++at) {
    Waiting& one = **at;
    if (one.done() || one.gone) continue;
    one.is_sending = false;
    if (one.completion.next) one.completion.next->retry = true;
    waiting_.push_front(*at);
  }
}

void Completions::hand_on() {
  if (!waiting_.empty() && under_way_ < kUnderWayMax) waiting_.front()->wake();
}

}  // namespace botburrow::queue
