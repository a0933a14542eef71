#pragma once

#include "base/task.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <string>
#include <vector>

namespace botburrow::net {

/// The addresses of a host by getaddrinfo, or the one that `host` is itself. Throws Error{io,
/// after_backoff} naming the host and the reason.
///
/// Cancellation returns at once: a name server that does not answer cannot hold up a stop. The
/// look-up then ends on a thread of its own and touches nothing of ours.
Task<std::vector<boost::asio::ip::tcp::endpoint>> resolve_tcp(std::string host, int port);

}  // namespace botburrow::net
