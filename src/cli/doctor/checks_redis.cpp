#include "cli/doctor/check.hpp"
#include "cli/doctor/facts.hpp"
#include "cli/doctor/words.hpp"
#include "net/redis_faults.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

namespace botburrow::cli::doctor {
namespace {

using net::RedisFault;

constexpr double kSlowMs = 20;
constexpr double kClockMax = 5;
constexpr double kFull = 0.9;

bool is_of_key(RedisFault fault) {
  return fault == RedisFault::no_auth || fault == RedisFault::wrong_password ||
         fault == RedisFault::no_permission;
}
/// It was reached, and keeps from working by itself.
bool is_of_state(RedisFault fault) {
  switch (fault) {
    case RedisFault::loading:
    case RedisFault::read_only:
    case RedisFault::master_down:
    case RedisFault::disk_full:
    case RedisFault::no_replicas:
    case RedisFault::out_of_memory:
    case RedisFault::busy:
    case RedisFault::cluster:
    case RedisFault::max_clients:
    case RedisFault::no_command:
      return true;
    default:
      return false;
  }
}

Verdict named(const Facts& facts) {
  const auto& r = facts.redis;
  if (!r.trouble.empty()) return unknown(r.trouble);
  return r.name_trouble.empty() ? good(r.address) : fault(r.name_trouble);
}

Verdict reached(const Facts& facts) {
  const auto& r = facts.redis;
  if (!r.trouble.empty()) return unknown(r.trouble);
  if (!r.name_trouble.empty()) return unknown("its name does not resolve");
  if (r.fault && !is_of_key(*r.fault) && !is_of_state(*r.fault))
    return fault(r.fault_text, "", std::string(net::fix_for(*r.fault)));
  return good(r.address);
}

/// What keeps the later checks from being made; nothing when Redis was reached.
std::optional<Verdict> not_reached(const Facts& facts) {
  const auto& r = facts.redis;
  if (!r.trouble.empty()) return unknown(r.trouble);
  if (!r.name_trouble.empty() || (r.fault && !is_of_key(*r.fault) && !is_of_state(*r.fault)))
    return unknown("Redis is not reached");
  return std::nullopt;
}

Verdict key(const Facts& facts) {
  if (auto verdict = not_reached(facts)) return *verdict;
  const auto& r = facts.redis;
  if (r.fault && is_of_key(*r.fault)) return fault(r.fault_text);
  return good("it lets us in");
}

Verdict state(const Facts& facts) {
  if (auto verdict = not_reached(facts)) return *verdict;
  const auto& r = facts.redis;
  if (r.fault && is_of_key(*r.fault)) return unknown("it does not let us in");
  if (r.fault) return fault(r.fault_text, "", std::string(net::fix_for(*r.fault)));
  // It may answer whoever reads, as doctor does, and refuses what services write.
  if (field(r.info, "role") == "slave")
    return fault(fmt::format("it is a replica of {}:{}", field(r.info, "master_host"),
                             field(r.info, "master_port")),
                 "", std::string(net::fix_for(RedisFault::read_only)));
  return good(fmt::format(
      "{} {}, {}", r.info.contains("valkey_version") ? "Valkey" : "Redis",
      field(r.info, r.info.contains("valkey_version") ? "valkey_version" : "redis_version"),
      field(r.info, "role")));
}

std::optional<Verdict> not_answering(const Facts& facts) {
  if (!facts.redis.trouble.empty()) return unknown(facts.redis.trouble);
  if (!facts.redis.answers()) return unknown("Redis does not answer");
  return std::nullopt;
}

Verdict version(const Facts& facts) {
  if (auto verdict = not_answering(facts)) return *verdict;
  const auto text = field(facts.redis.info, "redis_version");
  int major = 0, minor = 0;
  std::sscanf(text.c_str(), "%d.%d", &major, &minor);  // NOLINT: absent numbers stay zero
  if (major > 6 || (major == 6 && minor >= 2)) return good(text);
  return fault(fmt::format("version {}", text.empty() ? "unknown" : text));
}

Verdict latency(const Facts& facts) {
  if (auto verdict = not_answering(facts)) return *verdict;
  const double median = median_of(facts.redis.round_trips_ms);
  const auto evidence =
      fmt::format("{:.2f} ms, median of {}", median, facts.redis.round_trips_ms.size());
  return median <= kSlowMs ? good(evidence) : fault(evidence);
}

Verdict memory(const Facts& facts) {
  if (auto verdict = not_answering(facts)) return *verdict;
  const double used = number(facts.redis.info, "used_memory");
  const double limit = number(facts.redis.info, "maxmemory");
  if (limit <= 0) return good(fmt::format("{} used, no maxmemory", bytes_text(used)));
  const auto evidence = fmt::format("{} of {} used", bytes_text(used), bytes_text(limit));
  return used < kFull * limit ? good(evidence) : fault(evidence);
}

Verdict policy(const Facts& facts) {
  if (auto verdict = not_answering(facts)) return *verdict;
  const auto policy = field(facts.redis.info, "maxmemory_policy");
  if (policy.empty() || policy == "noeviction") return good("noeviction");
  return fault("maxmemory-policy " + policy);
}

Verdict durable(const Facts& facts) {
  if (auto verdict = not_answering(facts)) return *verdict;
  const auto& info = facts.redis.info;
  const auto write = field(info, "aof_last_write_status");
  const auto save = field(info, "rdb_last_bgsave_status");
  if (write == "err" || save == "err") {
    return fault(fmt::format("aof_last_write_status {}, rdb_last_bgsave_status {}", write, save),
                 "its disk is full, read-only or broken: what is written is not kept",
                 "free room on the volume of Redis, then look at its log");
  }
  if (field(info, "aof_enabled") != "1") return fault("appendonly no");
  return good("appendonly yes");
}

Verdict clock(const Facts& facts) {
  if (auto verdict = not_answering(facts)) return *verdict;
  if (!facts.redis.clock_ahead_seconds) return unknown("it did not tell its time");
  const double ahead = *facts.redis.clock_ahead_seconds;
  const auto evidence = fmt::format("{:+.1f} s against this machine", ahead);
  return std::abs(ahead) <= kClockMax ? good(evidence) : fault(evidence);
}

}  // namespace

const std::vector<Check>& redis_checks() {
  static const std::vector<Check> checks = {
      {"redis.name", "The name of Redis resolves",
       "REDIS_URL names a host that no name server knows from here (wrong name, namespace or DNS)",
       "correct the host in REDIS_URL, or mend DNS (`nslookup HOST`)", named},
      {"redis.reach", "Redis is reached", "the server is down, or a port or NetworkPolicy is wrong",
       "start it, or correct REDIS_URL; `redis-cli -u \"$REDIS_URL\" ping` must say PONG", reached},
      {"redis.key", "Redis lets us in",
       "REDIS_URL has no password, a wrong one, or a user whose "
       "rights do not suffice",
       "put the user and password of the server into REDIS_URL (or REDIS_URL_FILE)", key},
      {"redis.state", "Redis does what it is asked",
       "it loads its data, is a replica or part of a cluster, or is out of memory, disk or "
       "connections",
       "the evidence names which; see the runbook RedisDown", state},
      {"redis.version", "Redis is new enough", "a server older than 6.2 lacks what scripts use",
       "use Redis 6.2 or later, or Valkey", version},
      {"redis.latency", "Redis answers quickly",
       "a slow network, a busy server, or slow commands of others (KEYS, big LRANGE)",
       "`redis-cli --latency` and `SLOWLOG GET`; give Redis a processor and a near network",
       latency},
      {"redis.memory", "Redis has memory left", "more is kept than maxmemory allows for",
       "raise maxmemory, or clear what is not ours (`redis-cli --bigkeys`)", memory},
      {"redis.eviction", "Redis never evicts", "a policy other than noeviction throws queues away",
       "`redis-cli CONFIG SET maxmemory-policy noeviction`, and in its configuration", policy},
      {"redis.durability", "Redis keeps what it is given",
       "without an append-only file a restart of Redis empties the queue",
       "`appendonly yes` in its configuration, its data on a volume", durable},
      {"clock.redis", "The clock of Redis agrees with this one",
       "clocks differ: back-off and due times come early or late, by an hour at most",
       "set both clocks by NTP (`timedatectl`)", clock}};
  return checks;
}

}  // namespace botburrow::cli::doctor
