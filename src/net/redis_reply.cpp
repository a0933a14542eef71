#include "base/error.hpp"
#include "base/hash.hpp"
#include "net/redis.hpp"
#include "net/redis_faults.hpp"
#include "net/resp.hpp"

#include <fmt/format.h>

namespace botburrow::net {
namespace {

std::string_view kind_of(const RedisReply& reply) {
  constexpr std::string_view kKinds[] = {"nil",      "an integer", "a string",
                                         "a status", "an error",   "an array"};
  return kKinds[reply.value.index()];
}

[[noreturn]] void unexpected(std::string_view wanted, const RedisReply& reply) {
  if (const auto* failure = std::get_if<RedisReply::Failure>(&reply.value)) {
    // One reply of a pipeline: what the server refuses there is refused like a whole reply.
    throw server_error(failure->text, wanted);
  }
  throw Error(errc::protocol, fmt::format("redis: expected {}, got {}", wanted, kind_of(reply)));
}

}  // namespace

std::int64_t RedisReply::integer() const {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  unexpected("an integer", *this);
}

const std::string& RedisReply::str() const {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* status = std::get_if<Status>(&value)) return status->text;
  unexpected("a string", *this);
}

const RedisReply::Array& RedisReply::array() const {
  if (const auto* items = std::get_if<Array>(&value)) return *items;
  unexpected("an array", *this);
}

RedisScript::RedisScript(std::string text) : text_(std::move(text)), sha_(sha1_hex(text_)) {}

std::string_view error_word(std::string_view text) {
  // Before Redis 7, errors of commands inside a script arrive wrapped:
  // "ERR Error running script (call to f_…): @user_script:1: @user_script: 1: -OOM command not …".
  if (text.starts_with("ERR Error running script")) {
    const auto inner = text.rfind(": -");
    if (inner != std::string_view::npos) text.remove_prefix(inner + 3);
  }
  return text.substr(0, text.find_first_of(" \r\n"));
}

Error server_error(std::string_view text, std::string_view command) {
  const auto fault = fault_of(text);
  const bool unavailable = reaction_to(fault) != FaultReaction::none;
  constexpr std::size_t kTextMax = 500;
  std::string shown(text.substr(0, kTextMax));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  const auto fix = fix_for(fault);
  Error error(unavailable ? errc::redis_unavailable : errc::redis_error,
              fmt::format("redis: {}: {}{}{}", command, shown, fix.empty() ? "" : "; ", fix),
              unavailable ? Retry::after_backoff : Retry::never);
  error.with_detail(std::string(error_word(text)));
  return error;
}

}  // namespace botburrow::net
