#include "base/cleanup.hpp"
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "cli/doctor/look.hpp"
#include "net/resolve.hpp"
#include "queue/election.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::cli::doctor {
namespace {

using namespace std::chrono_literals;

constexpr auto kNameTime = 3s;
constexpr auto kConnectTime = 3s;
constexpr auto kAllTime = 10s;
constexpr auto kStep = 250ms;
constexpr int kPings = 5;
constexpr std::size_t kWaitingMost = 1000;
constexpr std::size_t kResultsMost = 200;

double milliseconds_since(Instant begin) {
  return std::chrono::duration<double, std::milli>(BootClock::now() - begin).count();
}

Task<std::string> name_trouble_of(std::string host, int port) {
  try {
    co_await with_deadline(fmt::format("{} could not be resolved", host), Deadline::in(kNameTime),
                           net::resolve_tcp(host, port));
  } catch (const Error& error) {
    co_return error.message();
  }
  co_return "";
}

std::map<std::string, std::string> info_fields(const std::string& text) {
  std::map<std::string, std::string> fields;
  for (std::size_t at = 0; at < text.size();) {
    auto end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    auto line = text.substr(at, end - at);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (const auto colon = line.find(':'); colon != std::string::npos && line.front() != '#')
      fields[line.substr(0, colon)] = line.substr(colon + 1);
    at = end + 1;
  }
  return fields;
}

Task<> ask_server(net::Redis& redis, const Clock& clock, RedisFacts& facts) {
  for (int i = 0; i < kPings; ++i) {
    const auto begin = BootClock::now();
    co_await redis.command({"PING"});
    facts.round_trips_ms.push_back(milliseconds_since(begin));
  }
  const auto before = to_unix(clock.wall());
  const auto time = co_await redis.command({"TIME"});
  const auto after = to_unix(clock.wall());
  const auto& parts = time.array();
  if (parts.size() == 2) {
    const double server = std::stod(parts[0].str()) + std::stod(parts[1].str()) / 1e6;
    facts.clock_ahead_seconds = server - (before + after) / 2;
  }
  const auto info = co_await redis.command({"INFO"});
  facts.info = info_fields(info.str());
}

/// Whether the term's renewals go on: a leader renews each sixth of its lease.
Task<> watch_term(const Ground& ground, net::Redis& redis, QueueFacts& queue) {
  queue::RedisElection election(redis, "doctor", "doctor");
  const auto begin = BootClock::now();
  const auto lease = ground.settings.seconds("LEADER_LEASE_SECONDS");
  const auto patience = std::clamp<std::chrono::nanoseconds>(lease / 2, 2s, 6s);
  const auto first = co_await election.observe();
  queue.term_held = !first.free();
  queue.term_instance = first.instance_id.empty() ? first.holder : first.instance_id;
  while (BootClock::now() - begin < patience && !queue.term_moves) {
    co_await sleep_for(kStep);
    const auto seen = co_await election.observe();
    queue.term_moves = seen.epoch != first.epoch || seen.seq != first.seq;
    if (!seen.free()) {
      queue.term_held = true;
      queue.term_instance = seen.instance_id.empty() ? seen.holder : seen.instance_id;
    }
  }
  queue.watched_seconds = milliseconds_since(begin) / 1000;
}

Task<> ask_queue(const Ground& ground, net::Redis& redis, QueueFacts& queue) {
  queue::OperatorView view(redis, ground.log);
  queue::Heartbeats heartbeats(redis);
  co_await watch_term(ground, redis, queue);
  queue.snapshot = co_await view.snapshot();
  queue.census = co_await view.census();
  queue.waiting = co_await view.waiting(std::nullopt, kWaitingMost);
  queue.dead = co_await view.dead(0, 1);
  queue.results = co_await view.results(kResultsMost);
  queue.runners = co_await heartbeats.live();
  queue.trouble.clear();
}

Task<> ask(const Ground& ground, net::Redis& redis, RedisFacts& facts, QueueFacts& queue) {
  try {
    co_await redis.ready(Deadline::in(kConnectTime));
    co_await ask_server(redis, ground.clock, facts);
    co_await ask_queue(ground, redis, queue);
  } catch (const Error& error) {
    if (error.code() == errc::redis_unavailable) {
      facts.fault = net::fault_of(error.detail());
      facts.fault_text = error.message();
    } else {
      queue.trouble = error.message();
    }
  }
}

}  // namespace

Task<> look_at_redis(const Ground& ground, const Place& place, RedisFacts& facts,
                     QueueFacts& queue) {
  const auto address = net::parse_redis_url(place.redis_url);
  facts.address = address.masked();
  const bool has_name =
      address.transport != net::RedisAddress::Transport::unix_socket && !address.by_sentinel();
  if (has_name) facts.name_trouble = co_await name_trouble_of(address.host, address.port);
  if (!facts.name_trouble.empty()) co_return;
  net::Redis redis(ground.executor, address, {.name = "botburrow-doctor", .command_timeout = 3s},
                   ground.log, ground.random);
  redis.start();
  auto asking = with_deadline("Redis", Deadline::in(kAllTime), ask(ground, redis, facts, queue));
  try {
    co_await with_cleanup(std::move(asking), [&redis] { return redis.stop(); });
  } catch (const Error& error) {
    queue.trouble = error.message();
  }
}

}  // namespace botburrow::cli::doctor
