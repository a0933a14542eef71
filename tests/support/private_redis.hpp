#pragma once

#include "net/redis.hpp"
#include "net/spawn.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace botburrow::test {

/// A redis-server of this test alone, in a temporary folder, on a Unix socket (and a free TCP port
/// if asked for). Ready when the constructor returns. It dies with the test process and takes its
/// folder with it. All members block; they are no coroutines.
class PrivateRedis {
 public:
  struct Options {
    bool appendonly = false;  ///< with appendfsync always
    bool tcp = false;         ///< also listen on 127.0.0.1
    std::string password;
    std::vector<std::string> extra;        ///< further arguments, e.g. {"--maxmemory", "2mb"}
    std::vector<std::string> environment;  ///< `NAME=value`, on top of a bare one
  };
  PrivateRedis() : PrivateRedis(Options{}) {}
  explicit PrivateRedis(Options options);
  ~PrivateRedis();
  PrivateRedis(const PrivateRedis&) = delete;
  PrivateRedis& operator=(const PrivateRedis&) = delete;

  std::string url() const;      ///< unix://…, with the password
  std::string tcp_url() const;  ///< redis://127.0.0.1:port; needs Options::tcp
  net::RedisAddress address() const { return net::parse_redis_url(url()); }
  const std::filesystem::path& folder() const { return folder_; }
  int port() const { return port_; }
  int pid() const { return child_.pid; }

  /// Ends the server as a crash would and returns when it is gone. start() brings it up again on
  /// the same folder: with appendonly the data is there again.
  void kill9();
  void start();
  void restart() {
    kill9();
    start();
  }
  /// What stands on disk now is kept for restore(): kills the server, puts that back, or nothing at
  /// all where nothing was kept, and starts it. Needs Options::appendonly.
  void keep();
  void restore();
  /// SIGSTOP and SIGCONT: a server that is there and answers nothing.
  void freeze();
  void thaw();
  /// Removes all keys and scripts.
  void flush();

  /// Asks over a connection of its own; a server error throws as net::Redis does.
  net::RedisReply ask(std::vector<std::string> args) const;

 private:
  bool answers() const;
  std::string log_tail() const;
  std::filesystem::path data() const { return folder_ / "appendonlydir"; }
  std::filesystem::path kept() const { return folder_ / "kept"; }
  Options options_;
  std::filesystem::path folder_;
  int port_ = 0;
  net::SpawnedChild child_;
};

}  // namespace botburrow::test
