#pragma once

#include "base/secret.hpp"
#include "mcp/server_rules.hpp"
#include "net/http_server.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::mcp {

/// Who may speak to a server of ours over HTTP.
struct HttpAccess {
  Secret token;               ///< asked for as bearer; empty: none
  bool loopback_only = true;  ///< listens on a loopback address: only its names may be asked for
};

/// Why a request is refused before anybody reads its message; nothing if it is not.
std::optional<net::ServerResponse> refuse_access(const net::ServerRequest& request,
                                                 const HttpAccess& access);

/// Why a request may not hold several messages: batches are of revision 2025-03-26 alone, and
/// whatever names one message in a header speaks of no batch.
std::optional<net::ServerResponse> refuse_batch(const net::ServerRequest& request,
                                                const std::vector<ReadMessage>& messages);

/// Whether a host, an IP address or a name, stands for this machine alone: `localhost`, 127.0.0.0/8
/// or ::1. Another name does not, however it begins.
bool is_loopback_host(std::string_view host);

/// What is wrong with a request's headers, seen beside its message: an answer, or nothing. `modern`
/// tells which era the request is of.
struct HeaderVerdict {
  bool modern = false;
  std::optional<net::ServerResponse> refusal;
};
HeaderVerdict judge_headers(const net::ServerRequest& request, const Message& message,
                            const ServerRules& rules);

/// The status of an answer: modern errors have their own, everything else is 200.
int status_of(const ServerStep& step);

/// A refusal with a JSON-RPC error as its body.
net::ServerResponse rpc_refusal(int status, const json::value& id, std::int64_t code,
                                std::string message);

}  // namespace botburrow::mcp
