#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/doctor/look.hpp"
#include "net/http_client.hpp"
#include "net/resolve.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace botburrow::cli::doctor {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kNamesTime = 3s;
constexpr auto kTablesTime = 4s;
constexpr std::string_view kListens = "0A";  // TCP_LISTEN

std::uint32_t word_of(std::string_view hex) {
  std::uint32_t value = 0;
  std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
  return value;
}

std::string text_of(const in_addr& address) {
  char text[INET_ADDRSTRLEN] = {};
  return ::inet_ntop(AF_INET, &address, text, sizeof text) ? text : "";
}

/// An IPv4 address that is dressed as one of IPv6 is one of IPv4.
std::string text_of(const in6_addr& address) {
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    in_addr v4{};
    std::memcpy(&v4, address.s6_addr + 12, sizeof v4);
    return text_of(v4);
  }
  char text[INET6_ADDRSTRLEN] = {};
  return ::inet_ntop(AF_INET6, &address, text, sizeof text) ? text : "";
}

/// As the kernel prints it: the words of the address as they lie in memory, as numbers.
std::string address_of(std::string_view hex) {
  if (hex.size() == 8) return text_of(in_addr{.s_addr = word_of(hex)});
  if (hex.size() != 32) return "";
  in6_addr address{};
  for (std::size_t w = 0; w < 4; ++w) {
    const auto word = word_of(hex.substr(8 * w, 8));
    std::memcpy(address.s6_addr + 4 * w, &word, sizeof word);
  }
  return text_of(address);
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

/// Addresses of this machine's interfaces.
std::set<std::string> own_addresses() {
  std::set<std::string> own;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return own;
  for (const auto* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    if (one->ifa_addr->sa_family == AF_INET) {
      own.insert(text_of(reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr));
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      own.insert(text_of(reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr));
    }
  }
  ::freeifaddrs(all);
  return own;
}

/// Programs by the sockets that they hold, as far as we may look at them.
std::string holder_of(std::uint64_t inode) {
  const auto wanted = fmt::format("socket:[{}]", inode);
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const auto pid = process.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    for (const auto& file : fs::directory_iterator(process.path() / "fd", error)) {
      if (fs::read_symlink(file.path(), error).string() != wanted) continue;
      std::string name;
      std::ifstream(process.path() / "comm") >> name;
      return fmt::format("{} (process {})", name, pid);
    }
  }
  return "";
}

void look_at_tables(std::vector<PortFacts>& ports) {
  std::vector<Listener> listeners;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    const auto some = listeners_of(file);
    listeners.insert(listeners.end(), some.begin(), some.end());
  }
  const auto own = own_addresses();
  for (auto& port : ports) {
    port.here = std::ranges::all_of(port.addresses, [&own](const auto& address) {
      return own.contains(address) || is_loopback(address);
    });
    for (const auto& one : listeners) {
      if (one.port != port.port) continue;
      port.listens_on.push_back(one.address);
      if (port.here && port.holder.empty()) port.holder = holder_of(one.inode);
    }
  }
}

/// The addresses of `host`; none where no name server knows it.
Task<std::vector<std::string>> addresses_of_host(std::string host, int port) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::vector<std::string> addresses;
  try {
    const auto found = co_await with_deadline("the name", Deadline::in(kNamesTime),
                                              net::resolve_tcp(std::move(host), port));
    for (const auto& endpoint : found)
      addresses.push_back(endpoint.address().to_string());
  } catch (const Error&) {
    // Other checks name a host that is not known.
  }
  co_return addresses;
}

/// Other checks say what is wrong with a URL that is none.
std::optional<net::UrlParts> parts_of(const std::string& url) {
  try {
    return net::parse_url(url);
  } catch (const Error&) {
    return std::nullopt;
  }
}

Task<> add_url(std::vector<PortFacts>& ports, std::string service, std::string url) {
  const auto found = parts_of(url);
  if (!found) co_return;
  const auto& parts = *found;
  const int port =
      parts.port.empty() ? (parts.scheme == "https" ? 443 : 80) : std::stoi(parts.port);
  PortFacts facts{.service = std::move(service), .said_by = url, .url = url, .port = port};
  facts.addresses = co_await addresses_of_host(parts.host, port);
  if (!facts.addresses.empty()) ports.push_back(std::move(facts));
}

Task<> add_urls(const Place& place, std::vector<PortFacts>& ports) {
  std::vector<std::pair<std::string, std::string>> urls;
  if (!place.hub_url.empty()) urls.emplace_back("Hub", place.hub_url);
  for (const auto& url : place.coordinators)
    urls.emplace_back("coordinator", url);
  for (const auto& url : place.runners)
    urls.emplace_back("runner", url);
  for (const auto& [service, url] : urls)
    co_await add_url(ports, service, url);
}

/// What answers at a port of this machine that a service is to have: its own name for itself.
Task<> ask_name(net::HttpClient& http, PortFacts& port) {
  const auto& address = port.listens_on.front();
  const bool v6 = address.find(':') != std::string::npos;
  const bool any = address == "0.0.0.0" || address == "::";
  const auto host = any ? std::string("127.0.0.1") : v6 ? "[" + address + "]" : address;
  try {
    const auto answer =
        co_await http.send({.url = fmt::format("http://{}:{}/api/v1/health", host, port.port),
                            .total_timeout = 1500ms});
    if (const auto document = try_parse_json(answer.body))
      port.answered_by = string_field(*document, "service").value_or("");
  } catch (const Error&) {
    // It does not speak HTTP, and so is none of ours.
  }
}

}  // namespace

std::vector<Listener> listeners_of(std::istream& table) {
  std::vector<Listener> found;
  std::string line;
  std::getline(table, line);  // its heading
  while (std::getline(table, line)) {
    std::istringstream words(line);
    std::string number, local, remote, state, queues, timer, retransmits, uid, timeout;
    std::uint64_t inode = 0;
    words >> number >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
        timeout >> inode;
    const auto colon = local.find(':');
    if (!words || state != kListens || colon == std::string::npos) continue;
    const std::string_view all(local);
    found.push_back({.address = address_of(all.substr(0, colon)),
                     .port = static_cast<int>(word_of(all.substr(colon + 1))),
                     .inode = inode});
  }
  return found;
}

Task<> look_at_ports(const Ground& ground, const Place& place, BlockingPool& pool,
                     std::vector<PortFacts>& ports, std::string& trouble) {
  for (const auto& [setting, port] : place.ports)
    ports.push_back(
        {.service = "a service", .said_by = fmt::format("{}={}", setting, port), .port = port});
  co_await add_urls(place, ports);
  try {
    ports = co_await with_deadline("looking at the ports", Deadline::in(kTablesTime),
                                   pool.run_or_leave([seen = ports]() mutable {
                                     look_at_tables(seen);
                                     return std::move(seen);
                                   }));
  } catch (const Error& error) {
    trouble = error.message();
    co_return;
  }
  net::HttpClient http(ground.executor, {.user_agent = "botburrow-doctor"});
  for (auto& port : ports)
    if (port.url.empty() && !port.listens_on.empty()) co_await ask_name(http, port);
}

}  // namespace botburrow::cli::doctor
