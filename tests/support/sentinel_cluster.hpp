#pragma once

#include "net/spawn.hpp"
#include "tests/support/private_redis.hpp"

#include <array>
#include <filesystem>
#include <memory>
#include <string>

namespace botburrow::test {

/// A primary, a replica and three sentinels that fail over after 300 ms, on ports of 127.0.0.1. All
/// of them know each other when the constructor returns. All members block.
class SentinelCluster {
 public:
  struct Options {
    std::string password;  ///< of the servers
    bool appendonly = false;
  };
  SentinelCluster() : SentinelCluster(Options{}) {}
  explicit SentinelCluster(Options options);
  ~SentinelCluster();
  SentinelCluster(const SentinelCluster&) = delete;

  /// redis+sentinel://…, with all sentinels and the password.
  std::string url() const;
  /// The one that the sentinels name now, and the other one.
  PrivateRedis& master();
  PrivateRedis& other();
  /// Asks for a fail-over although the master is well, as operators do before they service it.
  void fail_over();
  void kill_sentinel(std::size_t which);

 private:
  struct Sentinel {
    int port = 0;
    net::SpawnedChild child;
  };
  net::RedisReply ask_any(std::vector<std::string> words) const;
  void start_sentinel(Sentinel& sentinel, std::size_t number);
  bool knows_all(const Sentinel& sentinel) const;

  Options options_;
  std::unique_ptr<PrivateRedis> first_;
  std::unique_ptr<PrivateRedis> second_;
  std::array<Sentinel, 3> sentinels_;
};

}  // namespace botburrow::test
