#include "sandbox/egress_rules.hpp"

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace botburrow::sandbox {

namespace ip = boost::asio::ip;

namespace {

constexpr int kHttpsPort = 443;
constexpr std::size_t kNameBytesMax = 253;
constexpr int kAnyPort = 0;

struct Range4 {
  std::string_view first;
  unsigned short bits;
};
constexpr std::array<Range4, 17> kNotPublic4{{{"0.0.0.0", 8},
                                              {"10.0.0.0", 8},
                                              {"100.64.0.0", 10},
                                              {"127.0.0.0", 8},
                                              {"169.254.0.0", 16},
                                              {"172.16.0.0", 12},
                                              {"192.0.0.0", 24},
                                              {"192.0.2.0", 24},
                                              {"192.31.196.0", 24},
                                              {"192.52.193.0", 24},
                                              {"192.88.99.0", 24},
                                              {"192.168.0.0", 16},
                                              {"192.175.48.0", 24},
                                              {"198.18.0.0", 15},
                                              {"198.51.100.0", 24},
                                              {"203.0.113.0", 24},
                                              {"224.0.0.0", 3}}};
/// The only block that is given out is 2000::/3; within it these are special.
constexpr std::array<Range4, 5> kNotPublic6{{{"2001::", 23},  // Teredo, benchmarks, ORCHID
                                             {"2001:db8::", 32},
                                             {"2002::", 16},  // 6to4 carries an IPv4 address
                                             {"3fff::", 20},
                                             {"2620:4f:8000::", 48}}};

bool is_public4(const ip::address_v4& address) {
  return std::ranges::none_of(kNotPublic4, [&](const Range4& range) {
    const ip::network_v4 network(ip::make_address_v4(range.first), range.bits);
    return (address.to_uint() & network.netmask().to_uint()) == network.network().to_uint();
  });
}

bool within(const ip::address_v6& address, std::string_view first, unsigned bits) {
  const auto one = address.to_bytes(), other = ip::make_address_v6(first).to_bytes();
  for (unsigned bit = 0; bit < bits; ++bit) {
    const unsigned char mask = static_cast<unsigned char>(0x80 >> (bit % 8));
    if ((one[bit / 8] & mask) != (other[bit / 8] & mask)) return false;
  }
  return true;
}

bool is_public6(const ip::address_v6& address) {
  if (address.scope_id() != 0 || !within(address, "2000::", 3)) return false;
  return std::ranges::none_of(
      kNotPublic6, [&](const Range4& range) { return within(address, range.first, range.bits); });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
    return false;
  return std::ranges::all_of(label, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

/// A name that no resolver takes for a number: its last label has a letter and is no hexadecimal.
bool is_name(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax) return false;
  std::string_view last;
  for (std::size_t from = 0; from <= name.size();) {
    const auto dot = std::min(name.find('.', from), name.size());
    last = name.substr(from, dot - from);
    if (!is_label(last)) return false;
    from = dot + 1;
  }
  const bool letters = std::ranges::any_of(last, [](char c) { return c >= 'a' && c <= 'z'; });
  return letters && !last.starts_with("0x");
}

std::optional<std::string> normal_host(std::string_view text, bool bracketed) {
  boost::system::error_code error;
  if (bracketed) {
    const auto six = ip::make_address_v6(std::string(text), error);
    if (error || six.scope_id() != 0) return std::nullopt;
    return six.to_string();
  }
  const auto host = lower(text);
  // inet_pton reads the one usual form only.
  const auto four = ip::make_address_v4(host, error);
  if (!error && four.to_string() == host) return host;
  if (!is_name(host)) return std::nullopt;
  return host;
}

std::optional<int> port_of(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535)
    return std::nullopt;
  return port;
}

std::vector<HostPort> parsed(const std::vector<std::string>& entries, int default_port) {
  std::vector<HostPort> list;
  for (const auto& entry : entries) {
    if (auto one = parse_host_port(entry, default_port)) list.push_back(std::move(*one));
  }
  return list;
}

bool blocks(const HostPort& blocked, const HostPort& target) {
  return blocked.host == target.host && (blocked.port == kAnyPort || blocked.port == target.port);
}

std::string shown(const HostPort& target) {
  const bool six = target.host.find(':') != std::string::npos;
  return fmt::format(fmt::runtime(six ? "[{}]:{}" : "{}:{}"), target.host, target.port);
}

}  // namespace

std::optional<HostPort> parse_host_port(std::string_view text, int default_port) {
  std::string_view host = text, port;
  bool bracketed = false;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    bracketed = true;
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return std::nullopt;
  } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  const auto name = normal_host(host, bracketed);
  if (!name) return std::nullopt;
  if (port.empty()) return HostPort{*name, default_port};
  const auto number = port_of(port.substr(1));
  if (!number) return std::nullopt;
  return HostPort{*name, *number};
}

EgressRules::EgressRules(const NetworkPolicy& policy, const std::vector<std::string>& private_allow)
    : enabled_(policy.enabled), private_allow_(parsed(private_allow, kHttpsPort)) {
  if (!enabled_) return;
  allowed_ = parsed(policy.allowed_hosts, kHttpsPort);
  for (const auto& blocked : parsed(policy.blocked_hosts, kAnyPort))
    std::erase_if(allowed_, [&](const HostPort& one) { return blocks(blocked, one); });
}

std::optional<std::string> EgressRules::refusal(const HostPort& target) const {
  if (!enabled_) return "network.enabled is false for this agent";
  if (std::ranges::find(allowed_, target) != allowed_.end()) return std::nullopt;
  return fmt::format("{} is not in network.allowed_hosts of this agent", shown(target));
}

std::optional<std::string> EgressRules::refusal(const HostPort& target,
                                                const ip::address& address) const {
  if (is_public_address(address)) return std::nullopt;
  if (std::ranges::find(private_allow_, target) != private_allow_.end()) return std::nullopt;
  return fmt::format("{} has the address {}, which is not public (EGRESS_PRIVATE_ALLOW)",
                     shown(target), address.to_string());
}

bool is_public_address(const ip::address& address) {
  return address.is_v4() ? is_public4(address.to_v4()) : is_public6(address.to_v6());
}

}  // namespace botburrow::sandbox
