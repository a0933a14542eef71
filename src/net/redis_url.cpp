#include "base/error.hpp"
#include "net/redis.hpp"

#include <fmt/format.h>

#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace botburrow::net {
namespace {

// No message below quotes a part of the URL that could be a piece of the password.
[[noreturn]] void refuse(std::string text) {
  throw Error(errc::invalid_argument, std::move(text));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text, std::string_view part) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      refuse(fmt::format("{} holds a % that is not followed by two hex digits; write %25 for a %",
                         part));
    }
    const auto c = static_cast<char>(high * 16 + low);
    if (c == '\0') refuse(fmt::format("{} holds %00", part));
    out += c;
    i += 2;
  }
  return out;
}

std::optional<int> whole_number(std::string_view text, int max) {
  int value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || value < 0 || value > max)
    return {};
  return value;
}

int parse_db(std::string_view text) {
  const auto db = whole_number(text, 1'000'000);
  if (!db) refuse(fmt::format("database \"{}\": expected a number from 0", text));
  return *db;
}

struct Scheme {
  RedisAddress::Transport transport;
  bool sentinel = false;
};

Scheme parse_scheme(std::string_view scheme) {
  using enum RedisAddress::Transport;
  if (scheme == "redis") return {tcp};
  if (scheme == "rediss") return {tls};
  if (scheme == "unix") return {unix_socket};
  if (scheme == "redis+sentinel") return {tcp, true};
  if (scheme == "rediss+sentinel") return {tls, true};
  refuse(fmt::format("unknown scheme \"{}\", expected redis://, rediss:// or unix://", scheme));
}

void parse_user(std::string_view text, RedisAddress& address) {
  const auto colon = text.find(':');
  address.user = percent_decoded(text.substr(0, colon), "user");
  if (colon != std::string_view::npos) {
    address.password = Secret(percent_decoded(text.substr(colon + 1), "password"));
  }
}

/// `example`: a whole URL that shows how it is written.
RedisHost parse_host(std::string_view text, int default_port, std::string_view example) {
  RedisHost out{.host = {}, .port = default_port};
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) refuse("IPv6 address without its closing ]");
    out.host = std::string(text.substr(1, end - 1));
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() != ':') refuse("expected :port after ]");
    if (!text.empty()) port = text.substr(1);
  } else {
    const auto colon = text.find(':');
    out.host = std::string(text.substr(0, colon));
    if (colon != std::string_view::npos) {
      port = text.substr(colon + 1);
      if (port.find(':') != std::string_view::npos) {
        refuse("more than one : in host and port; write an IPv6 address in [ ]");
      }
      if (port.empty()) refuse("missing port after :");
    }
  }
  if (out.host.empty()) refuse(fmt::format("missing host, expected e.g. {}", example));
  for (const char c : out.host) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f')
      refuse("host holds a blank or control character");
  }
  if (port.empty()) return out;
  const auto number = whole_number(port, 65535);
  if (!number || *number == 0) refuse(fmt::format("port \"{}\": expected 1..65535", port));
  out.port = *number;
  return out;
}

constexpr int kSentinelPort = 26379;
constexpr std::size_t kSentinelsMax = 32;
constexpr std::string_view kSentinelExample = "redis+sentinel://host:26379/master";

// Sentinel itself takes nothing else in a name.
bool is_master_name(std::string_view name) {
  return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
           c == '-' || c == '_';
  });
}

void parse_sentinels(std::string_view hosts, std::string_view path, RedisAddress& address) {
  for (bool more = true; more;) {
    const auto comma = hosts.find(',');
    address.sentinels.push_back(
        parse_host(hosts.substr(0, comma), kSentinelPort, kSentinelExample));
    if (address.sentinels.size() > kSentinelsMax)
      refuse(fmt::format("more than {} sentinels", kSentinelsMax));
    more = comma != std::string_view::npos;
    if (more) hosts.remove_prefix(comma + 1);
  }
  path.remove_prefix(std::min<std::size_t>(path.size(), 1));
  const auto name = path.substr(0, path.find('/'));
  if (name.empty()) refuse(fmt::format("missing master name, expected {}", kSentinelExample));
  if (!is_master_name(name)) {
    refuse(fmt::format("master name of {} characters: expected letters, digits, '.', '-' and '_'",
                       name.size()));
  }
  address.master = std::string(name);
  if (path.size() > name.size() + 1) address.db = parse_db(path.substr(name.size() + 1));
  // Asked for when it is needed.
  address.host.clear();
  address.port = 0;
}

void parse_query(std::string_view query, RedisAddress& address) {
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const auto name = pair.substr(0, pair.find('='));
    if (name != "db" || pair.size() == name.size()) {
      refuse(fmt::format("unknown parameter \"{}\", only db=N is known", name));
    }
    address.db = parse_db(pair.substr(3));
  }
}

void parse_unix_path(std::string_view path, RedisAddress& address) {
  address.path = percent_decoded(path, "path");
  if (address.path.empty() || address.path.front() != '/') {
    refuse("expected an absolute path, e.g. unix:///run/redis.sock");
  }
  constexpr std::size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1;
  if (address.path.size() > kPathMax) {
    refuse(fmt::format("socket path of {} bytes, the system allows {}", address.path.size(),
                       kPathMax));
  }
}

std::string hosts_of(const RedisAddress& address) {
  if (!address.by_sentinel()) return RedisHost{address.host, address.port}.to_string();
  std::string out;
  for (const auto& sentinel : address.sentinels)
    out += (out.empty() ? "" : ",") + sentinel.to_string();
  return out + "/" + address.master;
}

}  // namespace

std::string RedisHost::to_string() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return fmt::format(fmt::runtime(ipv6 ? "[{}]:{}" : "{}:{}"), host, port);
}

RedisAddress parse_redis_url(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) {
    refuse("missing scheme, expected redis://, rediss:// or unix://");
  }
  RedisAddress address;
  const auto scheme = parse_scheme(url.substr(0, scheme_end));
  address.transport = scheme.transport;
  auto rest = url.substr(scheme_end + 3);
  if (rest.find('#') != std::string_view::npos)
    refuse("holds a #; write %23 if it belongs to the password");

  const auto authority = rest.substr(0, rest.find_first_of("/?"));
  rest.remove_prefix(authority.size());
  const auto at = authority.rfind('@');
  if (at == std::string_view::npos && rest.find('@') != std::string_view::npos &&
      address.transport != RedisAddress::Transport::unix_socket) {
    refuse("an @ behind the host: percent-encode / ? # @ in user and password (%2F %3F %23 %40)");
  }
  if (at != std::string_view::npos) parse_user(authority.substr(0, at), address);
  const auto host = at == std::string_view::npos ? authority : authority.substr(at + 1);

  const auto path = rest.substr(0, rest.find('?'));
  rest.remove_prefix(std::min(rest.size(), path.size() + 1));
  if (address.transport == RedisAddress::Transport::unix_socket) {
    if (!host.empty()) refuse("expected an absolute path, e.g. unix:///run/redis.sock");
    address.host.clear();
    parse_unix_path(path, address);
  } else if (scheme.sentinel) {
    parse_sentinels(host, path, address);
  } else {
    const auto server = parse_host(host, 6379, "redis://localhost:6379");
    address.host = server.host;
    address.port = server.port;
    if (path.size() > 1) address.db = parse_db(path.substr(1));
  }
  parse_query(rest, address);
  return address;
}

std::string RedisAddress::masked() const {
  const std::string who =
      user.empty() && password.empty() ? "" : user + (password.empty() ? "@" : ":***@");
  if (transport == Transport::unix_socket) {
    return fmt::format("unix://{}{}{}", who, path, db == 0 ? "" : fmt::format("?db={}", db));
  }
  return fmt::format("{}{}://{}{}{}", transport == Transport::tls ? "rediss" : "redis",
                     by_sentinel() ? "+sentinel" : "", who, hosts_of(*this),
                     db == 0 ? "" : fmt::format("/{}", db));
}

}  // namespace botburrow::net
