#include "net/redis_impl.hpp"

#include "net/redis_faults.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <utility>

namespace botburrow::net {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// Deadlines this close together are looked at in one sweep.
constexpr auto kSweepGrain = 2ms;
/// Output buffers above this are given back once they are empty.
constexpr std::size_t kOutputKept = 1u << 20;

constexpr std::string_view kNotSent = "not_sent";
constexpr std::string_view kOutcomeUnknown = "outcome_unknown";

}  // namespace

Error redis_unavailable(std::string text, std::string_view detail) {
  return Error(errc::redis_unavailable, std::move(text), Retry::after_backoff)
      .with_detail(std::string(detail));
}

Redis::Impl::Impl(asio::any_io_executor executor_in, RedisAddress address_in, Options options_in,
                  Log log_in, Random& random_in)
    : executor(executor_in),
      address(std::move(address_in)),
      options(std::move(options_in)),
      masked_url(address.masked()),
      log(std::move(log_in)),
      random(random_in),
      output_there_(executor, asio::steady_timer::time_point::max()),
      sweep_timer_(executor),
      outage_(outage_of(executor, masked_url)),
      tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
        log.error("redis_task_failed", {{"task", name}, {"error", describe(failure)}});
      }) {
  if (!address.by_sentinel()) return;
  finder_ = std::make_unique<Sentinels>(address);
  watcher_ = std::make_unique<Sentinels>(address);
}

void Redis::Impl::start() {
  last_error = "connecting";
  const auto self = shared_from_this();
  tasks_.spawn("redis_connection", [self] { return self->keep_connected(); });
  tasks_.spawn("redis_output", [self] { return self->write_output(); });
  tasks_.spawn("redis_watch", [self] { return self->watch(); });
}

Task<> Redis::Impl::stop() {
  const auto self = shared_from_this();
  stopping = true;
  last_error = "stopped";
  sweep_timer_.cancel();
  while (auto* waiter = waiting_.first()) {
    const auto detail = was_written(*waiter) ? kOutcomeUnknown : kNotSent;
    fail(*waiter, redis_unavailable(
                      fmt::format("redis: {}: the client was stopped", waiter->name()), detail));
  }
  resume_ready();
  co_await tasks_.stop();
}

void Redis::Impl::abandon() {
  stopping = true;
  last_error = "stopped";
  sweep_timer_.cancel();
  tasks_.cancel();
  // Dropping a handler unwinds its coroutine.
  while (auto* waiter = waiting_.first()) {
    settle(*waiter);
  }
  ready_.clear();
}

Task<> Redis::Impl::finish(RedisWaiter& waiter) {
  if (stopping) {
    throw redis_unavailable(fmt::format("redis: {}: the client was stopped", waiter.name()),
                            kNotSent);
  }
  if (waiter.deadline.passed()) throw late(waiter);
  co_await wait_for(waiter);
  if (waiter.cancelled) throw boost::system::system_error(asio::error::operation_aborted);
  if (waiter.failure) throw *waiter.failure;
}

void Redis::Impl::submit(RedisWaiter& waiter) {
  waiter.state = RedisWaiter::State::queued;
  waiting_.push_back(waiter);
  if (connection && waiter.request) append(waiter);
  arm_sweep(waiter.deadline);
}

void Redis::Impl::append(RedisWaiter& waiter) {
  waiter.state = RedisWaiter::State::appended;
  waiter.number = appended_++;
  owed_.push_back({&waiter, waiter.request->replies()});
  waiter.request->append_to(output_);
  if (!writer_idle_) return;
  writer_idle_ = false;
  output_there_.cancel();
}

void Redis::Impl::cancel(RedisWaiter& waiter) {
  if (waiter.state == RedisWaiter::State::done) return;
  waiter.cancelled = true;
  settle(waiter);
  // Not from inside the signal: whoever emits it need not expect the coroutine to run on.
  asio::post(executor, std::move(ready_.back()));
  ready_.pop_back();
}

void Redis::Impl::settle(RedisWaiter& waiter) {
  if (waiter.state == RedisWaiter::State::appended) {
    // Its place stays, so that later replies find theirs.
    owed_[waiter.number - owed_first_].waiter = nullptr;
  }
  waiting_.remove(waiter);
  waiter.state = RedisWaiter::State::done;
  ready_.push_back(std::move(waiter.resume));
}

void Redis::Impl::fail(RedisWaiter& waiter, const Error& error) {
  waiter.failure = std::make_unique<Error>(error);
  settle(waiter);
}

void Redis::Impl::take_reply(RedisReply& reply) {
  if (owed_.empty() || owed_first_ >= written_before_) {
    throw Error(errc::protocol, "redis: a reply that nobody asked for", Retry::after_backoff);
  }
  Owed& front = owed_.front();
  if (const auto* failure = std::get_if<RedisReply::Failure>(&reply.value))
    refused_by_server(failure->text, front.waiter && front.waiter->probe);
  if (front.waiter) *front.waiter->into++ = std::move(reply);
  if (--front.replies > 0) return;
  if (front.waiter) settle(*front.waiter);
  owed_.pop_front();
  ++owed_first_;
}

void Redis::Impl::resume_ready() {
  const auto self = shared_from_this();
  auto batch = std::exchange(ready_, {});
  for (auto& resume : batch)
    resume_one(std::move(resume));
  batch.clear();
  // Keeps the capacity for the next read.
  if (ready_.empty()) ready_.swap(batch);
}

void Redis::Impl::resume_one(std::move_only_function<void()> resume) {
  try {
    resume();
  } catch (...) {
    // What a completion handler throws belongs to io_context::run(), not to this connection.
    asio::post(executor, [failure = std::current_exception()] { std::rethrow_exception(failure); });
  }
}

// One timer for all deadlines: it is armed for the earliest it was told of, and looks at everybody
// when it fires. With deadlines of seconds and replies of microseconds it hardly ever fires.
void Redis::Impl::arm_sweep(Deadline deadline) {
  if (deadline.instant() >= sweep_at_) return;
  sweep_at_ = deadline.instant();
  sweep_timer_.expires_after(std::max<std::chrono::nanoseconds>(deadline.left(), kSweepGrain));
  sweep_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& failure) {
    const auto self = weak.lock();
    if (!failure && self) self->sweep();
  });
}

Error Redis::Impl::late(const RedisWaiter& waiter) const {
  if (was_written(waiter)) {
    return redis_unavailable(
        fmt::format("redis: {}: no reply in time from {}", waiter.name(), masked_url),
        kOutcomeUnknown);
  }
  if (connection) {
    return redis_unavailable(
        fmt::format("redis: {}: could not be sent in time to {}", waiter.name(), masked_url),
        kNotSent);
  }
  return redis_unavailable(
      fmt::format("redis: {}: no connection to {}: {}{}{}", waiter.name(), masked_url, last_error,
                  last_fix.empty() ? "" : "; ", last_fix),
      last_error_word.empty() ? kNotSent : std::string_view(last_error_word));
}

void Redis::Impl::sweep() {
  if (stopping) return;
  const auto now = BootClock::now();
  sweep_at_ = Instant::max();
  auto earliest = Deadline::never();
  bool unanswered = false;
  for (auto* waiter = waiting_.first(); waiter != nullptr;) {
    auto* one = std::exchange(waiter, waiter->next);
    if (one->deadline.instant() > now) {
      earliest = earliest.sooner_of(one->deadline);
      continue;
    }
    unanswered = unanswered || was_written(*one);
    fail(*one, late(*one));
  }
  arm_sweep(earliest);
  // Replies come in order, so a server that owes one and says nothing for this long is gone, or the
  // way to it is: waiting for the kernel to notice would take minutes.
  if (connection && unanswered && now - heard_at_ >= options.command_timeout)
    leave("no reply from the server");
  resume_ready();
}

Task<> Redis::Impl::read_replies(std::shared_ptr<Connection> from) {
  for (;;) {
    const auto got = co_await from->stream->read_some(from->buffer);
    heard_at_ = BootClock::now();
    from->reader.feed({from->buffer.data(), got});
    while (auto* reply = from->reader.next())
      take_reply(*reply);
    resume_ready();
  }
}

Task<> Redis::Impl::write_output() {
  for (;;) {
    if (!connection || output_.empty()) {
      writer_idle_ = true;
      boost::system::error_code woken;
      co_await output_there_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
      writer_idle_ = false;
      continue;
    }
    const auto to = connection;
    if (owed_first_ >= written_before_) heard_at_ = BootClock::now();
    std::swap(output_, writing_);
    written_before_ = appended_;
    try {
      co_await to->stream->write(writing_);
    } catch (const std::exception& failure) {
      // The task that reads sees the end of it and clears up.
      if (to->closed_because.empty()) to->closed_because = connect_reason(std::current_exception());
      to->stream->close();
    }
    writing_.clear();
    if (writing_.capacity() > kOutputKept) std::string().swap(writing_);
  }
}

}  // namespace botburrow::net
