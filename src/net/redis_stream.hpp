#pragma once

#include "base/task.hpp"
#include "base/time.hpp"
#include "net/redis.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace botburrow::net {

/// Bytes to and from a server over TCP, TLS or a Unix socket. One read and one write may be under
/// way at a time; both throw boost::system::system_error.
class RedisStream {
 public:
  virtual ~RedisStream() = default;
  /// Some bytes; throws asio::error::eof at the end.
  virtual Task<std::size_t> read_some(std::span<char> into) = 0;
  /// All of `bytes`, which stay the caller's until it returns.
  virtual Task<> write(std::string_view bytes) = 0;
  /// Ends both directions at once: what waits fails.
  virtual void close() = 0;
};

/// Connects; TLS is checked against the system's store and the host name. Throws
/// boost::system::system_error; the caller sets the time limit.
Task<std::unique_ptr<RedisStream>> connect_redis_stream(RedisAddress address);

/// The reason of a failed connection in a few words, such as "Connection refused".
std::string connect_reason(const std::exception_ptr& failure);

}  // namespace botburrow::net
