#include "net/redis_impl.hpp"

#include "base/deadline.hpp"
#include "net/redis_greeting.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <utility>

namespace botburrow::net {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto kBackoffMin = 50ms;
constexpr auto kBackoffMax = 2s;
constexpr double kJitter = 0.2;
/// A connection that lasted this long starts the back-off anew: one that is closed at once is not
/// asked for twenty times a second.
constexpr auto kSteadyAfter = 2s;
/// Deadlines this close together are looked at in one sweep.
constexpr auto kSweepGrain = 2ms;
/// Output buffers above this are given back once they are empty.
constexpr std::size_t kOutputKept = 1u << 20;

constexpr std::string_view kNotSent = "not_sent";
constexpr std::string_view kOutcomeUnknown = "outcome_unknown";

Error unavailable(std::string text, std::string_view detail) {
  Error error(errc::redis_unavailable, std::move(text), Retry::after_backoff);
  error.with_detail(std::string(detail));
  return error;
}

bool is_limit(const std::exception_ptr& failure) {
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error.code() == errc::limit;
  } catch (...) {
  }
  return false;
}

}  // namespace

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
      tasks_(executor, [this](const std::string& name, std::exception_ptr failure) {
        log.error("redis_task_failed", {{"task", name}, {"error", describe(failure)}});
      }) {}

void Redis::Impl::start() {
  last_error = "connecting";
  const auto self = shared_from_this();
  tasks_.spawn("redis_connection", [self] { return self->keep_connected(); });
  tasks_.spawn("redis_output", [self] { return self->write_output(); });
}

Task<> Redis::Impl::stop() {
  const auto self = shared_from_this();
  stopping = true;
  last_error = "stopped";
  sweep_timer_.cancel();
  while (auto* waiter = waiting_.first()) {
    const auto detail = was_written(*waiter) ? kOutcomeUnknown : kNotSent;
    fail(*waiter,
         unavailable(fmt::format("redis: {}: the client was stopped", waiter->name()), detail));
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
    throw unavailable(fmt::format("redis: {}: the client was stopped", waiter.name()), kNotSent);
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
    return unavailable(
        fmt::format("redis: {}: no reply in time from {}", waiter.name(), masked_url),
        kOutcomeUnknown);
  }
  if (connection) {
    return unavailable(
        fmt::format("redis: {}: could not be sent in time to {}", waiter.name(), masked_url),
        kNotSent);
  }
  return unavailable(
      fmt::format("redis: {}: no connection to {}: {}", waiter.name(), masked_url, last_error),
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
  if (connection && unanswered && now - heard_at_ >= options.command_timeout) {
    connection->closed_because = "no reply from the server";
    connection->stream->close();
  }
  resume_ready();
}

Task<> Redis::Impl::keep_connected() {
  std::chrono::nanoseconds backoff = kBackoffMin;
  for (;;) {
    std::exception_ptr failure;
    Instant connected_at{};
    try {
      auto fresh =
          co_await with_deadline("connecting", Deadline::in(options.connect_timeout), connect());
      connected_at = BootClock::now();
      connected_to(fresh);
      co_await read_replies(std::move(fresh));
    } catch (...) {
      failure = std::current_exception();
    }
    const bool was_connected = connected_at != Instant{};
    if (was_connected) {
      lost(failure);
      if (BootClock::now() - connected_at >= kSteadyAfter) backoff = kBackoffMin;
    } else if (!stopping) {
      note_failed_attempt(failure);
    }
    if (stopping) co_return;
    co_await sleep_for(random.jitter(backoff, kJitter));
    backoff = std::min<std::chrono::nanoseconds>(2 * backoff, kBackoffMax);
  }
}

Task<std::shared_ptr<Redis::Impl::Connection>> Redis::Impl::connect() {
  auto stream = co_await connect_redis_stream(address);
  auto fresh = std::make_shared<Connection>(std::move(stream), options.reply_bytes_max);
  co_await greet(fresh);
  co_return fresh;
}

Task<> Redis::Impl::greet(std::shared_ptr<Connection> fresh) {
  const RedisGreeting greeting(address, options.name);
  std::string bytes;
  for (const auto& command : greeting.commands())
    append_command(bytes, command);
  co_await fresh->stream->write(bytes);
  std::vector<RedisReply> answers;
  while (answers.size() < greeting.commands().size()) {
    if (auto* reply = fresh->reader.next()) {
      answers.push_back(std::move(*reply));
      // A server at its limit of clients answers with one error and closes.
      if (const auto* error = std::get_if<RedisReply::Failure>(&answers.back().value);
          error && error->text.starts_with("ERR max number of clients")) {
        throw unavailable(error->text, "maxclients");
      }
      continue;
    }
    const auto got = co_await fresh->stream->read_some(fresh->buffer);
    fresh->reader.feed({fresh->buffer.data(), got});
  }
  fresh->version = greeting.judge(answers);
}

void Redis::Impl::connected_to(std::shared_ptr<Connection> fresh) {
  connection = std::move(fresh);
  version = connection->version;
  ++connections;
  last_error.clear();
  last_error_word.clear();
  failures_logged_.reset();
  heard_at_ = BootClock::now();
  log.info("redis_connected",
           {{"url", masked_url}, {"version", fmt::format("{}.{}", version.major, version.minor)}});
  for (auto* waiter = waiting_.first(); waiter != nullptr;) {
    auto* one = std::exchange(waiter, waiter->next);
    if (one->request) {
      append(*one);
    } else {
      settle(*one);
    }
  }
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

void Redis::Impl::note_failed_attempt(const std::exception_ptr& failure) {
  last_error = connect_reason(failure);
  last_error_word.clear();
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    last_error_word = error.detail();
    if (error.code() == errc::timeout) {
      last_error = fmt::format("no answer within {} ms", options.connect_timeout.count());
    }
  } catch (...) {
  }
  if (!failures_logged_.allow(BootClock::now())) return;
  log.warning("redis_unavailable",
              {{"error", "Error connecting to Redis: " + last_error}, {"url", masked_url}});
}

void Redis::Impl::lost(const std::exception_ptr& failure) {
  const auto gone = std::exchange(connection, nullptr);
  gone->stream->close();
  const std::string reason =
      gone->closed_because.empty() ? connect_reason(failure) : gone->closed_because;
  const bool too_large = is_limit(failure);
  if (!stopping) last_error = reason;

  std::size_t failed = 0;
  for (std::size_t i = 0; i < owed_.size(); ++i) {
    auto* waiter = owed_[i].waiter;
    if (!waiter) continue;
    if (!was_written(*waiter)) {
      waiter->state = RedisWaiter::State::queued;
    } else if (too_large && i == 0) {
      fail(*waiter, Error(errc::limit, fmt::format("{} to {}", describe(failure), waiter->name())));
    } else {
      fail(*waiter, unavailable(fmt::format("redis: {}: connection to {} lost before the reply: {}",
                                            waiter->name(), masked_url, reason),
                                kOutcomeUnknown));
    }
    failed += waiter->state == RedisWaiter::State::done ? 1 : 0;
  }
  owed_.clear();
  owed_first_ = written_before_ = appended_;
  output_.clear();
  if (!stopping) {
    log.warning("redis_connection_lost",
                {{"error", reason}, {"url", masked_url}, {"commands_failed", failed}});
  }
  resume_ready();
}

}  // namespace botburrow::net
