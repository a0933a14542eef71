#pragma once

#include "base/task.hpp"
#include "base/time.hpp"
#include "queue/census.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::net {
class Redis;
}

namespace botburrow::queue {

/// One key as DUMP gives it.
struct KeyDump {
  std::string key;
  std::int64_t ttl_ms = -1;  ///< -1: it does not expire
  std::string payload;
};

/// All keys of ours that must outlive the server, as they stood at one moment.
struct RedisDump {
  std::int64_t epoch = 0;
  std::string generation;  ///< what it was; a restored server begins a new one
  Census census;           ///< of that moment
  std::vector<KeyDump> keys;
};

/// More keys do not fit into one call.
inline constexpr std::size_t kDumpedKeysMax = 300'000;

/// Reads them in one script, while everything goes on. It holds the server up as long as it takes:
/// about a second for 100,000 keys. The answer must fit into Redis::Options::reply_bytes_max.
/// Throws Error{limit} where there are more than `keys_max`, before any is read: what cannot be put
/// back must not look like a backup.
Task<RedisDump> dump_keys(net::Redis& redis, Deadline deadline,
                          std::size_t keys_max = kDumpedKeysMax);

/// The number of the generation in this Redis, also of one that restore_keys is about to replace;
/// nothing where it holds none.
Task<std::optional<std::int64_t>> find_generation_number(net::Redis& redis, Deadline deadline);

enum class RestoreResult {
  done,
  not_empty,  ///< keys of ours are there, and `force` was not given; nothing was changed
  refused,    ///< the server does not know this form: it is older than the one that made it
};
struct RestoreAnswer {
  RestoreResult result = RestoreResult::done;
  std::string detail;  ///< a key that is there, or what the server says
};

/// Puts a dump back, in one step; with `force` in place of what is there. Afterwards Redis looks
/// like one that was rolled back, and is treated as such (guarantee G10): whoever leads is deposed,
/// nothing is claimed until a leader has compared it with the Hub and begun a new generation. What
/// was being worked on at the time waits again, with no attempt counted. `id`: of the backup and
/// this run; a repeat under the same one changes nothing.
Task<RestoreAnswer> restore_keys(net::Redis& redis, RedisDump dump, std::string id, bool force,
                                 Deadline deadline);

}  // namespace botburrow::queue
