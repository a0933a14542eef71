#pragma once

#include "mcp/json_rpc.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::mcp {

/// The revision without sessions: each request carries its version and the client's capabilities.
inline constexpr std::string_view kModern = "2026-07-28";
/// The newest that begins with `initialize`.
inline constexpr std::string_view kNewestLegacy = "2025-11-25";

/// Every revision spoken, newest first.
const std::vector<std::string_view>& revisions();
/// True for one of them.
bool is_spoken(std::string_view revision);
/// True for those that begin with `initialize`.
bool is_legacy(std::string_view revision);

/// Keys of `_meta`.
namespace meta {
inline constexpr std::string_view kProtocolVersion = "io.modelcontextprotocol/protocolVersion";
inline constexpr std::string_view kClientInfo = "io.modelcontextprotocol/clientInfo";
inline constexpr std::string_view kClientCapabilities =
    "io.modelcontextprotocol/clientCapabilities";
inline constexpr std::string_view kServerInfo = "io.modelcontextprotocol/serverInfo";
inline constexpr std::string_view kSubscriptionId = "io.modelcontextprotocol/subscriptionId";
inline constexpr std::string_view kProgressToken = "progressToken";
}  // namespace meta

/// What follows from the answer to `server/discover`.
struct ProbeVerdict {
  enum class Next {
    modern,      ///< go on without a handshake
    initialize,  ///< `revision` is what to ask for
    give_up,     ///< `fault` says why
  } next = Next::give_up;
  std::string revision;
  std::string fault;
};

/// A server of the older era answers with an error of its own or not at all (`answer` empty), and
/// gets `initialize`. One that names the revisions it speaks is believed: the newest that both
/// speak, or none.
ProbeVerdict after_probe(const std::optional<Message>& answer);

/// Whether an error is one that only servers of the modern era send.
bool is_modern_error(const RpcError& error);

/// What is wrong with the revision that a server answered to `initialize`; nothing if we speak it.
std::optional<std::string> initialize_fault(std::string_view revision);

/// The revision a server of ours answers to an `initialize` that asks for `asked`: the same if it
/// has that handshake, else the newest that does.
std::string answer_to_initialize(std::string_view asked);

}  // namespace botburrow::mcp
