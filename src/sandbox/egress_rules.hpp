#pragma once

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::sandbox {

/// A host by its exact name, and a port.
struct HostPort {
  std::string host;  ///< lower case; an IPv6 address without brackets
  int port = 0;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// `host` (then `default_port`) or `host:port`; nothing for what is neither a plain name nor an
/// address in its one usual form. Patterns, numbers that some resolvers take for addresses (127.1,
/// 0x7f000001), names with a blank or a zero byte: all nothing.
std::optional<HostPort> parse_host_port(std::string_view text, int default_port);

/// What an agent's definition says about the network.
struct NetworkPolicy {
  bool enabled = false;                    ///< false: no host at all
  std::vector<std::string> allowed_hosts;  ///< `host` (port 443) or `host:port`
  std::vector<std::string> blocked_hosts;  ///< taken out again; `host` means each of its ports
};

/// Which hosts one agent may reach. Entries that cannot be read allow nothing.
class EgressRules {
 public:
  /// `private_allow`: host:port that the operator lets everybody reach on private addresses
  /// (EGRESS_PRIVATE_ALLOW); the agent must still list them.
  EgressRules(const NetworkPolicy& policy, const std::vector<std::string>& private_allow);

  /// Why a connection to it is refused; nothing when it may be tried.
  std::optional<std::string> refusal(const HostPort& target) const;
  /// Why this address of that target is refused: a name is not yet an address.
  std::optional<std::string> refusal(const HostPort& target,
                                     const boost::asio::ip::address& address) const;
  bool allows_nothing() const { return allowed_.empty(); }

 private:
  bool enabled_;
  std::vector<HostPort> allowed_;
  std::vector<HostPort> private_allow_;
};

/// True for addresses of the public internet. False for private, loopback, link-local (metadata
/// services live there), shared, reserved, documentation and multicast ones, and for IPv6 forms
/// that carry an IPv4 address within.
bool is_public_address(const boost::asio::ip::address& address);

}  // namespace botburrow::sandbox
