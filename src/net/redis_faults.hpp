#pragma once

#include "net/redis.hpp"

#include <chrono>
#include <exception>
#include <string>
#include <string_view>

namespace botburrow::net {

// Details of our own errors, beside the server's words.
inline constexpr std::string_view kMaxClients = "MAXCLIENTS";
inline constexpr std::string_view kNoMaster = "NO_MASTER";
inline constexpr std::string_view kCertificateRefused = "CERTIFICATE";

/// The word for logs: `out_of_memory`, `connection_refused`, …
std::string_view name_of(RedisFault fault);

/// What to do about it, as the end of a sentence; empty where there is nothing to say.
std::string_view fix_for(RedisFault fault);

/// What a connection does about an error reply.
enum class FaultReaction {
  none,       ///< the command's own affair
  distrust,   ///< the server is there and of no use for now: say so, and look again
  reconnect,  ///< this server is the wrong one, or does not know us any more
};
FaultReaction reaction_to(RedisFault fault);

/// Why an attempt to connect ended.
struct ConnectFailure {
  RedisFault fault = RedisFault::other;
  std::string reason;  ///< in a few words, without a cure
  std::string word;    ///< of the server, such as WRONGPASS; else empty
};
/// `patience`: how long the attempt was allowed to take.
ConnectFailure explain_connect_failure(const std::exception_ptr& failure,
                                       std::chrono::nanoseconds patience);

}  // namespace botburrow::net
