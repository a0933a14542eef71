// Where keys may go: the rule.
#include "llm/key_hosts.hpp"

#include "base/error.hpp"
#include "net/http_client.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <array>

namespace botburrow::llm {
namespace {

namespace ip = boost::asio::ip;

struct VendorHost {
  std::string_view key_name;
  std::string_view host;
};

constexpr std::array<VendorHost, 8> kVendorHosts{{
    {"ANTHROPIC_API_KEY", "api.anthropic.com"},
    {"OPENAI_API_KEY", "api.openai.com"},
    {"OPENAI_API_KEY", "eu.api.openai.com"},
    {"OPENAI_API_KEY", "us.api.openai.com"},
    {"GOOGLE_API_KEY", "generativelanguage.googleapis.com"},
    {"GOOGLE_API_KEY", "aiplatform.googleapis.com"},
    {"DEEPSEEK_API_KEY", "api.deepseek.com"},
    {"DEEPSEEK_API_KEY", "api-beta.deepseek.com"},
}};

/// Endings of names that no public name server knows.
constexpr std::array<std::string_view, 8> kOwnEndings{".localhost",     ".local",     ".internal",
                                                      ".lan",           ".home.arpa", ".svc",
                                                      ".cluster.local", ".intranet"};

/// What clouds give to any machine that asks there.
constexpr std::array<std::string_view, 5> kMetadataNames{"metadata", "metadata.google.internal",
                                                         "metadata.goog", "instance-data",
                                                         "instance-data.ec2.internal"};
constexpr std::array<std::string_view, 3> kMetadataAddresses{"100.100.100.200", "192.0.0.192",
                                                             "fd00:ec2::254"};

bool within(const ip::address_v4& address, std::string_view first, unsigned bits) {
  const auto mask = ~std::uint32_t{0} << (32 - bits);
  return (address.to_uint() & mask) == ip::make_address_v4(first).to_uint();
}

std::optional<ip::address> address_of(const std::string& host) {
  boost::system::error_code error;
  const auto address = ip::make_address(host, error);
  if (error) return std::nullopt;
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  return address;
}

bool is_metadata(const std::string& host) {
  if (std::ranges::find(kMetadataNames, host) != kMetadataNames.end()) return true;
  const auto address = address_of(host);
  if (!address) return false;
  const bool link_local = address->is_v4() ? within(address->to_v4(), "169.254.0.0", 16)
                                           : address->to_v6().is_link_local();
  return link_local || std::ranges::any_of(kMetadataAddresses, [&](std::string_view one) {
           return ip::make_address(one) == *address;
         });
}

bool is_own_address(const ip::address& address) {
  if (address.is_v6()) {
    const auto six = address.to_v6();
    return six.is_loopback() || (six.to_bytes()[0] & 0xfe) == 0xfc;
  }
  const auto four = address.to_v4();
  return within(four, "127.0.0.0", 8) || within(four, "10.0.0.0", 8) ||
         within(four, "172.16.0.0", 12) || within(four, "192.168.0.0", 16) ||
         within(four, "100.64.0.0", 10);
}

/// Some resolvers take `127.1`, `0x7f000001` and `134744072` for addresses: no names of anybody.
bool ends_like_a_number(std::string_view host) {
  const auto dot = host.rfind('.');
  const auto last = dot == std::string_view::npos ? host : host.substr(dot + 1);
  return last.empty() || (last.front() >= '0' && last.front() <= '9');
}

bool fits(std::string_view entry, const std::string& host) {
  if (entry == "*") return true;
  const auto lowered = [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  };
  if (!entry.starts_with("*.")) return std::ranges::equal(entry, host, lowered);
  entry.remove_prefix(1);
  return host.size() > entry.size() &&
         std::ranges::equal(entry, std::string_view(host).substr(host.size() - entry.size()),
                            lowered);
}

bool is_vendors_own(std::string_view key_name, std::string_view host) {
  return std::ranges::any_of(kVendorHosts, [&](const VendorHost& one) {
    return one.key_name == key_name && one.host == host;
  });
}

}  // namespace

std::string host_of(const std::string& url) {
  try {
    auto host = net::parse_url(url).host;
    std::ranges::transform(host, host.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (host.ends_with('.')) host.pop_back();
    return host;
  } catch (const Error&) {
    return "";
  }
}

bool is_own_network(std::string_view host) {
  const std::string name(host);
  if (name.empty() || is_metadata(name)) return false;
  if (const auto address = address_of(name)) return is_own_address(*address);
  if (ends_like_a_number(name)) return false;
  if (name.find('.') == std::string::npos) return true;
  return std::ranges::any_of(kOwnEndings, [&](std::string_view end) {
    return name.size() > end.size() && name.ends_with(end);
  });
}

bool vendor_key_may_go(std::string_view key_name, const std::string& url, const KeyHosts& hosts) {
  const auto host = host_of(url);
  if (host.empty() || is_metadata(host)) return false;
  if (is_own_network(host) || std::ranges::find(hosts.own, host) != hosts.own.end()) return true;
  if (std::ranges::any_of(hosts.allow, [&](const auto& entry) { return fits(entry, host); }))
    return true;
  return is_vendors_own(key_name, host) && net::parse_url(url).scheme == "https";
}

std::optional<std::string> model_host_fault(std::string_view entry) {
  auto name = entry;
  if (name == "*") return std::nullopt;
  if (name.starts_with("*.")) name.remove_prefix(2);
  const bool good = !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  });
  const bool port = name.find(':') != name.rfind(':') ? false : name.find(':') != name.npos;
  if (good && !port) return std::nullopt;
  return "is no host name; write names without scheme, port and path, such as llm.example.org or "
         "*.example.org, or * for any";
}

}  // namespace botburrow::llm
