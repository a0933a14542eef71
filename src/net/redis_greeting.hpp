#pragma once

#include "net/redis.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace botburrow::net {

/// What is asked on a fresh connection before anybody may use it, and what the answers mean.
class RedisGreeting {
 public:
  RedisGreeting(const RedisAddress& address, std::string client_name);
  const std::vector<Redis::Args>& commands() const { return commands_; }

  /// Takes the answers in the order of commands(). Throws Error{redis_unavailable} with the
  /// server's first word as detail when the connection is of no use (yet): LOADING, NOAUTH,
  /// WRONGPASS, …; READONLY for a replica, SENTINEL for a sentinel, CLUSTERDOWN for a cluster.
  Redis::Version judge(const std::vector<RedisReply>& answers) const;

 private:
  std::vector<Redis::Args> commands_;
};

/// {major, minor} of INFO's redis_version; {0, 0} where it has none. Valkey states there which
/// Redis it stands for.
Redis::Version parse_redis_version(std::string_view info);

}  // namespace botburrow::net
