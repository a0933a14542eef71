#pragma once

#include "base/error.hpp"
#include "net/redis.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>

struct redisReader;

namespace botburrow::net {

/// The word that names an error of the server: WRONGTYPE of "WRONGTYPE Operation against …".
std::string_view error_word(std::string_view text);

/// What an error reply to `command` is to our callers.
Error server_error(std::string_view text, std::string_view command);

/// Writes `*<count>` and the bulk strings of one command (RESP2).
void append_array_head(std::string& out, std::size_t count);
void append_bulk(std::string& out, std::string_view bytes);
void append_command(std::string& out, std::span<const std::string> args);

/// Cuts a stream of bytes into replies.
class RespReader {
 public:
  /// A reply of more than `reply_bytes_max` bytes is refused.
  explicit RespReader(std::size_t reply_bytes_max);
  ~RespReader();
  RespReader(const RespReader&) = delete;
  RespReader& operator=(const RespReader&) = delete;

  /// Takes bytes as they came. Throws Error{protocol} after a broken one.
  void feed(std::string_view bytes);
  /// The next whole reply, null when more bytes are needed; valid and movable-from until the next
  /// call. Throws Error{protocol} for bytes that are no reply and Error{limit} for too large ones.
  RedisReply* next();

 private:
  struct Builder;
  std::unique_ptr<Builder> builder_;
  redisReader* reader_;
  std::size_t reply_bytes_max_;
  std::size_t partial_bytes_ = 0;  // fed since the last whole reply
};

}  // namespace botburrow::net
