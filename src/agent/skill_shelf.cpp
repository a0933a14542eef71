#include "agent/skill_shelf.hpp"

#include "base/error.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace botburrow::agent {

namespace asio = boost::asio;
using Skills = std::vector<definitions::Skill>;

namespace {

constexpr std::chrono::seconds kReadEvery{30};

}  // namespace

Task<std::shared_ptr<const Skills>> SkillShelf::all(Instant now) {
  const auto fresh = [&] { return skills_ && read_at_ && now - *read_at_ <= kReadEvery; };
  while (!fresh()) {
    if (reading_)
      co_await wait_for_reading();
    else
      co_await read(now);
  }
  co_return skills_;
}

Task<> SkillShelf::read(Instant now) {
  // Also when the one who reads is cancelled: whoever waits then reads.
  struct Turn {
    SkillShelf& shelf;
    ~Turn() {
      shelf.reading_ = false;
      for (auto* timer : shelf.waiting_)
        timer->cancel();
    }
  };
  reading_ = true;
  const Turn turn{*this};
  read_at_ = now;
  try {
    auto skills = co_await catalog_.skills();
    skills_ = std::make_shared<const Skills>(std::move(skills));
  } catch (const Error&) {
    if (!skills_) skills_ = std::make_shared<const Skills>();
  }
}

Task<> SkillShelf::wait_for_reading() {
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           asio::steady_timer::time_point::max());
  waiting_.push_back(&timer);
  struct Leave {
    std::vector<asio::steady_timer*>& waiting;
    asio::steady_timer* timer;
    ~Leave() { std::erase(waiting, timer); }
  };
  const Leave leave{waiting_, &timer};
  boost::system::error_code error;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
}

}  // namespace botburrow::agent
