#pragma once

#include "net/unique_fd.hpp"
#include "sandbox/init/protocol.hpp"

#include <optional>
#include <span>
#include <string>

namespace botburrow::sandbox {

/// The two ends of a socket that keeps messages apart; ours does not block.
struct SocketPair {
  net::UniqueFd ours;
  net::UniqueFd theirs;
};
/// Throws Error{io}.
SocketPair make_socket_pair();

enum class Sent { yes, later, never };
/// One message with descriptors; `later`: the socket is full, wait until it can be written to.
Sent send_ask(int socket, const wire::Ask& ask, const std::string& texts, std::span<const int> fds);

enum class Got { message, nothing, closed };
/// One message of process 1; anything that is none counts as `closed`, and so ends the sandbox.
Got receive_tell(int socket, wire::Tell& tell);

/// One descriptor that came over the bridge; `closed` is the end of the bridge. One that is no TCP
/// connection is dropped.
Got receive_connection(int socket, net::UniqueFd& connection);

}  // namespace botburrow::sandbox
