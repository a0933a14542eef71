#include "base/deadline.hpp"
#include "net/redis_faults.hpp"
#include "net/redis_greeting.hpp"
#include "net/redis_impl.hpp"

#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <utility>

namespace botburrow::net {

using namespace std::chrono_literals;

namespace {

// Who is away for a minute must be found as quickly as who was away for a moment, so the pauses
// between attempts stay short, and those between lines of the log grow instead (RedisOutage).
constexpr auto kBackoffMin = 50ms;
constexpr auto kBackoffMax = 1s;
constexpr double kJitter = 0.2;
/// A connection that lasted this long starts the back-off anew: one that is closed at once is not
/// asked for twenty times a second.
constexpr auto kSteadyAfter = 2s;
/// For a server that sentinels named: while they still name one that vanished with its machine, the
/// next one may be chosen already.
constexpr std::chrono::nanoseconds kNamedServerPatience = 2s;
constexpr auto kWatchPeriod = 1s;
/// How long a refusal counts that no probe can clear.
constexpr auto kDistrustTime = 3s;

/// Changes nothing, and is refused like every change: a string that is not there, and stays so.
const Redis::Args kProbe = {"SETRANGE", "work:probe", "0", ""};

/// That the probe is taken says nothing about the command that was refused.
bool is_told_by_probe(RedisFault fault) {
  return fault != RedisFault::no_permission && fault != RedisFault::no_command;
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

std::string with_fix(std::string text, RedisFault fault) {
  const auto fix = fix_for(fault);
  return fix.empty() ? text : fmt::format("{}; {}", text, fix);
}

}  // namespace

Task<> Redis::Impl::keep_connected() {
  std::chrono::nanoseconds backoff = kBackoffMin;
  for (;;) {
    std::exception_ptr failure;
    Instant connected_at{};
    try {
      auto fresh = co_await connect();
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

Task<RedisAddress> Redis::Impl::find_server() {
  attempted_.clear();
  patience_ = options.connect_timeout;
  RedisAddress server = address;
  if (!finder_) co_return server;
  const auto named = co_await finder_->master();
  server.host = named.host;
  server.port = named.port;
  attempted_ = named.to_string();
  patience_ = std::min(patience_, kNamedServerPatience);
  co_return server;
}

Task<std::shared_ptr<Redis::Impl::Connection>> Redis::Impl::connect() {
  auto server = co_await find_server();
  std::exception_ptr failure;
  try {
    co_return co_await with_deadline("connecting", Deadline::in(patience_),
                                     open(std::move(server)));
  } catch (...) {
    failure = std::current_exception();
  }
  // That sentinel may be cut off from the others.
  if (finder_) finder_->distrust();
  std::rethrow_exception(failure);
}

Task<std::shared_ptr<Redis::Impl::Connection>> Redis::Impl::open(RedisAddress server) {
  auto stream = co_await connect_redis_stream(server);
  auto fresh = std::make_shared<Connection>(std::move(stream), options.reply_bytes_max);
  fresh->server = {.host = server.host, .port = server.port};
  co_await greet(fresh, std::move(server));
  co_return fresh;
}

Task<> Redis::Impl::greet(std::shared_ptr<Connection> fresh, RedisAddress server) {
  const RedisGreeting greeting(server, options.name);
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
          error && fault_of(error->text) == RedisFault::max_clients) {
        throw redis_unavailable(error->text, kMaxClients);
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
  last_fix.clear();
  distrust.reset();
  heard_at_ = BootClock::now();
  const auto away = outage_.ended(heard_at_).value_or(RedisOutage::Told{});
  log.info("redis_connected", {{"url", masked_url},
                               {"server", finder_ ? connection->server.to_string() : masked_url},
                               {"version", fmt::format("{}.{}", version.major, version.minor)},
                               {"failed_attempts", away.attempts},
                               {"away_seconds", away.seconds}});
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

void Redis::Impl::note_failed_attempt(const std::exception_ptr& failure) {
  auto why = explain_connect_failure(failure, patience_);
  last_error =
      attempted_.empty() ? std::move(why.reason) : fmt::format("{}: {}", attempted_, why.reason);
  last_error_word = std::move(why.word);
  last_fix = fix_for(why.fault);
  const auto told = outage_.failed(last_error, BootClock::now());
  const auto text = "Error connecting to Redis: " + last_error;
  if (!told) {
    log.debug("redis_unavailable",
              {{"error", text}, {"cause", name_of(why.fault)}, {"url", masked_url}});
    return;
  }
  log.warning("redis_unavailable", {{"error", text},
                                    {"cause", name_of(why.fault)},
                                    {"fix", last_fix},
                                    {"url", masked_url},
                                    {"attempts", told->attempts},
                                    {"away_seconds", told->seconds}});
}

void Redis::Impl::leave(std::string why) {
  if (!connection) return;
  if (connection->closed_because.empty()) connection->closed_because = std::move(why);
  connection->stream->close();
}

void Redis::Impl::lost(const std::exception_ptr& failure) {
  const auto gone = std::exchange(connection, nullptr);
  gone->stream->close();
  const std::string reason =
      gone->closed_because.empty() ? connect_reason(failure) : gone->closed_because;
  const bool too_large = is_limit(failure);
  if (!stopping) last_error = reason;
  distrust.reset();

  std::size_t failed = 0;
  for (std::size_t i = 0; i < owed_.size(); ++i) {
    auto* waiter = owed_[i].waiter;
    if (!waiter) continue;
    if (!was_written(*waiter)) {
      waiter->state = RedisWaiter::State::queued;
    } else if (too_large && i == 0) {
      fail(*waiter, Error(errc::limit, fmt::format("{} to {}", describe(failure), waiter->name())));
    } else {
      fail(*waiter,
           redis_unavailable(fmt::format("redis: {}: connection to {} lost before the reply: {}",
                                         waiter->name(), masked_url, reason),
                             "outcome_unknown"));
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

// From within the dealing out of replies: resumes nobody.
void Redis::Impl::refused_by_server(std::string_view text, bool by_probe) {
  const auto fault = fault_of(text);
  if (by_probe && (fault == RedisFault::no_permission || fault == RedisFault::other)) {
    may_probe_ = false;
    return;
  }
  switch (reaction_to(fault)) {
    case FaultReaction::none:
      return;
    case FaultReaction::reconnect:
      leave(with_fix(std::string(text.substr(0, 200)), fault));
      return;
    case FaultReaction::distrust:
      distrust = {.fault = fault,
                  .text = with_fix(std::string(text.substr(0, 200)), fault),
                  .seen = BootClock::now()};
      note_refusal();
      return;
  }
}

void Redis::Impl::note_refusal() {
  const auto told = outage_.failed(name_of(distrust->fault), distrust->seen);
  if (!told) return;
  log.warning("redis_unavailable", {{"error", "Redis refuses work: " + distrust->text},
                                    {"cause", name_of(distrust->fault)},
                                    {"url", masked_url},
                                    {"refused", told->attempts},
                                    {"away_seconds", told->seconds}});
}

void Redis::Impl::trust_again() {
  distrust.reset();
  const auto away = outage_.ended(BootClock::now());
  if (away) log.info("redis_available", {{"url", masked_url}, {"away_seconds", away->seconds}});
}

Task<> Redis::Impl::watch() {
  for (;;) {
    co_await sleep_for(random.jitter(kWatchPeriod, kJitter));
    // While replies are owed, what is asked tells by itself; a blocking command would hold this up.
    const bool probing = connection && owed_.empty() && may_probe_;
    if (probing) co_await probe();
    const bool cleared_by_probe =
        probing && may_probe_ && distrust && is_told_by_probe(distrust->fault);
    if (distrust && !cleared_by_probe && BootClock::now() - distrust->seen >= kDistrustTime)
      trust_again();
    if (connection && watcher_) co_await ask_sentinels();
  }
}

Task<> Redis::Impl::probe() {
  const RedisCommand request(kProbe);
  RedisReply reply;
  RedisWaiter waiter{.request = &request,
                     .into = &reply,
                     .deadline = Deadline::in(options.command_timeout),
                     .probe = true};
  co_await wait_for(waiter);
  const bool taken = !waiter.cancelled && !waiter.failure &&
                     !std::holds_alternative<RedisReply::Failure>(reply.value);
  if (taken && distrust && is_told_by_probe(distrust->fault)) trust_again();
}

Task<> Redis::Impl::ask_sentinels() {
  const auto asked_about = connection;
  if (!co_await watcher_->disagree_with(asked_about->server)) co_return;
  if (connection != asked_about) co_return;
  // The one that led here is among those who are behind.
  finder_->distrust();
  leave("the sentinels name another master");
}

}  // namespace botburrow::net
