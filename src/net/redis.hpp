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

struct RedisHost {
  std::string host;
  int port = 0;
  /// `host:port`, an IPv6 address in brackets.
  std::string to_string() const;
  friend bool operator==(const RedisHost&, const RedisHost&) = default;
};

/// Where a server is: `redis://[user:pass@]host:port[/db]`, `rediss://` (TLS),
/// `unix:///path/redis.sock[?db=N]`, or the master of that name whom sentinels watch over:
/// `redis+sentinel://[user:pass@]h1:26379,h2:26379/<master>[/db]` (`rediss+sentinel://`: TLS to the
/// sentinels and to the server; user and password are the server's).
struct RedisAddress {
  enum class Transport { tcp, tls, unix_socket } transport = Transport::tcp;
  std::string host = "localhost";
  int port = 6379;
  std::string path;  ///< of the Unix socket
  std::string user;
  Secret password;
  int db = 0;
  std::vector<RedisHost> sentinels;  ///< where to ask for host and port; empty: they stand above
  std::string master;                ///< the name that the sentinels know

  bool by_sentinel() const { return !sentinels.empty(); }

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

/// What keeps a server from doing work for us, told apart; `redis_faults.hpp` says what to do about
/// each.
enum class RedisFault {
  // Said by the server.
  loading,
  read_only,
  master_down,
  disk_full,  ///< MISCONF: it cannot save
  no_replicas,
  out_of_memory,
  busy,
  no_script,
  no_auth,
  wrong_password,
  no_permission,
  no_command,  ///< a script, or a command within one, which nothing works without
  cluster,
  max_clients,
  // Met on the way to it.
  refused,
  timed_out,
  name_unknown,
  unreachable,
  certificate,
  no_master,
  other
};
RedisFault fault_of(std::string_view error_text);

/// One connection to a Redis or Valkey server, made and kept by a task of its own: connects in the
/// background and again after each loss. Attempts are 50 ms to 1 s apart (doubling, ±20 % jitter),
/// and stay so however long the server is away: a Redis that is back is found within 1.2 s. The log
/// has `redis_connected`, and `redis_unavailable` with `Error connecting to Redis: <reason>`:
/// at once for a new reason, then after 1, 2, 4 … 60 s, for all connections of an io_context to one
/// URL together, with the count of attempts; each further attempt at level debug.
///
/// A server that is a replica, still loads, or is part of a Redis Cluster is not connected to. One
/// that turns into such a thing is left: by what it answers, and by a question that changes
/// nothing, asked each second while nothing else is. With sentinels, each second they are asked,
/// too, whether they still name this master.
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
/// LOADING, READONLY, MISCONF, NOREPLICAS, OOM, BUSY, MASTERDOWN, NOAUTH, WRONGPASS, NOPERM and
/// those of a cluster (MOVED) throw Error{redis_unavailable} with that word as detail and the cure
/// in the message.
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
  /// Connected, and the server does what it is asked: not out of memory, stuck in a script, unable
  /// to write to its disk. What a service's readiness rests on.
  bool usable() const;
  /// Why it is not usable: empty while it is.
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
