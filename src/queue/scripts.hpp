#pragma once

#include "base/task.hpp"
#include "base/time.hpp"
#include "net/redis.hpp"
#include "queue/census.hpp"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

// Inside the room only: the scripts of scripts/ and how they are called.
namespace botburrow::queue {

/// A script with the libraries its `Uses` line names in front.
class QueueScript {
 public:
  /// Whether it must run on a server that is out of memory too: those that end or keep leases.
  enum class Memory { needed, any };
  QueueScript(std::string_view name, Memory memory);

  /// Servers from 7 on know flags; older ones would refuse the line.
  const net::RedisScript& on(const net::Redis& redis) const;
  const net::RedisScript& on_version(int major) const;

 private:
  net::RedisScript plain_;
  std::optional<net::RedisScript> tolerant_;
};

struct QueueScripts {
  QueueScript enqueue{"enqueue", QueueScript::Memory::needed};
  QueueScript claim{"claim", QueueScript::Memory::needed};
  QueueScript renew{"renew", QueueScript::Memory::any};
  QueueScript complete{"complete", QueueScript::Memory::any};
  QueueScript hand_back{"hand_back", QueueScript::Memory::any};
  QueueScript journal{"journal", QueueScript::Memory::any};
  QueueScript reap{"reap", QueueScript::Memory::any};
  QueueScript sweep{"sweep", QueueScript::Memory::any};
  QueueScript generation_set{"generation_set", QueueScript::Memory::any};
  QueueScript leader_observe{"leader_observe", QueueScript::Memory::any};
  QueueScript leader_take{"leader_take", QueueScript::Memory::any};
  QueueScript leader_renew{"leader_renew", QueueScript::Memory::any};
  QueueScript leader_release{"leader_release", QueueScript::Memory::any};
  QueueScript charge{"charge", QueueScript::Memory::needed};
  QueueScript bury_notification{"bury_notification", QueueScript::Memory::needed};
  QueueScript dead_act{"dead_act", QueueScript::Memory::any};
  QueueScript drop_waiting{"drop_waiting", QueueScript::Memory::any};
  QueueScript census{"census", QueueScript::Memory::any};
  QueueScript heartbeat{"heartbeat", QueueScript::Memory::needed};
  QueueScript backup{"backup", QueueScript::Memory::any};
  QueueScript restore{"restore", QueueScript::Memory::needed};
};
/// Made at the first use, immutable afterwards.
const QueueScripts& scripts();

/// Runs a script that is safe to repeat: again after an unknown outcome, until `deadline`. On a
/// repeat the arguments at `retry_flags` are set to "1".
Task<net::RedisReply> run_script(net::Redis& redis, const QueueScript& script,
                                 net::Redis::Args keys, net::Redis::Args args, Deadline deadline,
                                 std::vector<std::size_t> retry_flags = {});

// Reading replies.
/// An integer reply, or a string of digits; 0 for nil and other text.
std::int64_t number_of(const net::RedisReply& reply);
/// Empty for nil.
std::string text_of_reply(const net::RedisReply& reply);
double decimal_of(std::string_view text);
/// The reply of the census.
Census census_of(const net::RedisReply& reply);

}  // namespace botburrow::queue
