#pragma once

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/task.hpp"
#include "base/time.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace botburrow::net {

/// Where a server is: `redis://[user:pass@]host:port[/db]`, `rediss://` (TLS), or
/// `unix:///path/redis.sock[?db=N]`.
struct RedisAddress {
  enum class Transport { tcp, tls, unix_socket } transport = Transport::tcp;
  std::string host = "localhost";
  int port = 6379;
  std::string path;  ///< of the Unix socket
  std::string user;
  Secret password;
  int db = 0;

  /// The URL with the password masked, for logs.
  std::string masked() const;
};

/// Throws Error{invalid_argument} with the text of settings.md §10, e.g. "missing scheme, expected
/// redis://, rediss:// or unix://".
RedisAddress parse_redis_url(std::string_view url);

/// One reply of the server (RESP2).
struct RedisReply {
  struct Nil {};
  struct Status {
    std::string text;
  };
  struct Failure {
    std::string text;
  };  ///< only inside arrays; a whole reply throws
  using Array = std::vector<RedisReply>;
  std::variant<Nil, std::int64_t, std::string, Status, Failure, Array> value;

  bool is_nil() const { return std::holds_alternative<Nil>(value); }
  /// Each throws Error{protocol} when the reply is of another kind. str() also takes a Status.
  std::int64_t integer() const;
  const std::string& str() const;
  const Array& array() const;
};

/// A Lua script, named by the SHA-1 of its text. Loaded at first use and again on NOSCRIPT.
class RedisScript {
 public:
  explicit RedisScript(std::string text);
  const std::string& text() const { return text_; }
  const std::string& sha() const { return sha_; }

 private:
  std::string text_;
  std::string sha_;
};

/// Redis errors told apart, for messages and metrics.
enum class RedisFault {
  loading,
  read_only,
  disk_full,
  out_of_memory,
  busy,
  no_script,
  no_auth,
  moved,
  other
};
RedisFault fault_of(std::string_view error_text);

/// One connection to a Redis or Valkey server, made and kept by a task of its own: connects in the
/// background, again after each loss (back-off 50 ms doubling to 2 s, ±20 % jitter), and logs
/// `redis_connected` and, at most once a second, `Error connecting to Redis: <reason>`.
///
/// Commands of many coroutines are pipelined over it: what is asked while a write is under way goes
/// out with the next one. While there is no connection a command waits for one until its deadline.
///
/// A deadline that passes ends the wait with Error{redis_unavailable, after_backoff}. Its detail is
/// `outcome_unknown` when the command had left; when it had not, `not_sent` or the word with which
/// the server keeps us from connecting (WRONGPASS, LOADING). A server that owes a reply and has
/// said nothing for `command_timeout` when such a deadline passes is left: the connection is made
/// anew.
///
/// Cancelling a waiting command is safe: its reply is dropped when it comes. A connection that is
/// lost after a command was written fails it with Error{redis_unavailable, after_backoff} and
/// detail `outcome_unknown`: it may have been applied, and only scripts that are safe to repeat
/// should be. Server errors throw Error{redis_error} (detail = first word, e.g. WRONGTYPE);
/// LOADING, READONLY, MISCONF, OOM, BUSY, MASTERDOWN, NOAUTH, WRONGPASS, NOPERM throw
/// Error{redis_unavailable} with that word as detail.
///
/// Use from the executor's one thread. Coroutines are resumed in the order of their replies, from
/// within the task that reads. Commands that change what replies look like (SUBSCRIBE, MONITOR,
/// HELLO, CLIENT REPLY) must not be sent, and blocking ones hold up all later ones: give those a
/// Redis of their own.
class Redis {
 public:
  struct Options {
    std::string name = "botburrow";  ///< CLIENT SETNAME
    std::chrono::milliseconds connect_timeout{5000};
    /// For commands without a deadline of their own.
    std::chrono::milliseconds command_timeout{5000};
    /// Replies larger than this end the connection.
    std::size_t reply_bytes_max = 64u << 20;
  };

  Redis(boost::asio::any_io_executor executor, RedisAddress address, Options options, Log log,
        Random& random);
  /// stop() first: without it the tasks are only told to end and need the io_context to run on;
  /// what still waits is unwound unanswered. The executor must be alive.
  ~Redis();
  Redis(const Redis&) = delete;

  /// Starts to connect. Returns at once.
  void start();
  /// Fails what waits, closes, and awaits the task. Safe to repeat.
  Task<> stop();

  bool connected() const;
  /// Why there is no connection: empty while there is one.
  std::string last_error() const;
  /// Times a connection was made; grows with each reconnect.
  std::uint64_t connections() const;
  /// Waits until connected or throws Error{redis_unavailable} at the deadline.
  Task<> ready(Deadline deadline);

  using Args = std::vector<std::string>;
  Task<RedisReply> command(Args args);
  Task<RedisReply> command(Args args, Deadline deadline);
  /// EVALSHA; on NOSCRIPT loads and runs the script again (it did not run the first time).
  Task<RedisReply> eval(const RedisScript& script, Args keys, Args args);
  Task<RedisReply> eval(const RedisScript& script, Args keys, Args args, Deadline deadline);

  /// Several commands in one write, in order; a server error stands in the array as Failure.
  Task<std::vector<RedisReply>> pipeline(std::vector<Args> commands, Deadline deadline);

  /// From INFO at connect, e.g. {7, 0}; {0, 0} before.
  struct Version {
    int major = 0, minor = 0;
  };
  Version server_version() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace botburrow::net
