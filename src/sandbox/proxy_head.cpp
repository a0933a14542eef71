#include "sandbox/proxy_head.hpp"

#include "base/json.hpp"
#include "sandbox/init/bridge.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace botburrow::sandbox {
namespace {

constexpr int kHttpPort = 80;
constexpr std::size_t kHeadersMax = 100;

std::unexpected<ProxyFault> bad(std::string text) {
  return std::unexpected(ProxyFault{400, std::move(text)});
}

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool is_visible(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_field_value(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f);
  });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

/// The first line of `text` without its end, which is taken off; nothing without a whole one.
std::optional<std::string_view> take_line(std::string_view& text) {
  const auto end = text.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = text.substr(0, end);
  text.remove_prefix(end + 2);
  if (line.find('\r') != std::string_view::npos || line.find('\n') != std::string_view::npos)
    return std::nullopt;
  return line;
}

std::expected<void, ProxyFault> read_target(std::string_view text, ProxyHead& head) {
  if (head.method == "CONNECT") {
    head.kind = ProxyHead::Kind::tunnel;
    const auto target = parse_host_port(text, 0);
    if (!target || target->port == 0) return bad("CONNECT needs host:port, the host by its name");
    head.target = *target;
    return {};
  }
  if (text.starts_with("/_/")) {
    head.kind = ProxyHead::Kind::local;
    head.path = text;
    return {};
  }
  head.kind = ProxyHead::Kind::forward;
  constexpr std::string_view kScheme = "http://";
  if (lower(text.substr(0, kScheme.size())) != kScheme)
    return bad("this is a proxy: ask for http://host/path, or use CONNECT");
  auto rest = text.substr(kScheme.size());
  const auto slash = std::min(rest.find_first_of("/?"), rest.size());
  const auto target = parse_host_port(rest.substr(0, slash), kHttpPort);
  if (!target) return bad("the host must be given by its name");
  head.target = *target;
  const auto path = rest.substr(slash);
  head.path = path.starts_with('/') ? std::string(path) : "/" + std::string(path);
  // Some clients go through the proxy to reach the proxy.
  const bool here = (target->host == "127.0.0.1" || target->host == "localhost") &&
                    target->port == init::kBridgePort;
  if (here && head.path.starts_with("/_/")) head.kind = ProxyHead::Kind::local;
  return {};
}

std::expected<void, ProxyFault> read_header(std::string_view line, ProxyHead& head) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return bad("a header without a name");
  const auto value = trimmed(line.substr(colon + 1));
  if (!is_field_value(value)) return bad("a header with a control character");
  if (head.headers.size() >= kHeadersMax)
    return std::unexpected(ProxyFault{431, "too many headers"});
  head.headers.emplace_back(lower(line.substr(0, colon)), std::string(value));
  return {};
}

std::expected<void, ProxyFault> read_framing(ProxyHead& head) {
  int lengths = 0, encodings = 0;
  for (const auto& [name, value] : head.headers) {
    if (name == "content-length") {
      const auto [end, error] =
          std::from_chars(value.data(), value.data() + value.size(), head.body_bytes);
      if (++lengths > 1 || error != std::errc() || end != value.data() + value.size())
        return bad("Content-Length is not one number");
    } else if (name == "transfer-encoding") {
      if (++encodings > 1 || lower(value) != "chunked") return bad("an unknown Transfer-Encoding");
      head.chunked = true;
    }
  }
  if (lengths > 0 && encodings > 0) return bad("both Content-Length and Transfer-Encoding");
  return {};
}

bool concerns_the_proxy(std::string_view name) {
  constexpr std::array<std::string_view, 9> kNames{"host",
                                                   "connection",
                                                   "proxy-connection",
                                                   "proxy-authorization",
                                                   "proxy-authenticate",
                                                   "keep-alive",
                                                   "te",
                                                   "trailer",
                                                   "upgrade"};
  return std::ranges::find(kNames, name) != kNames.end();
}

std::string_view reason_of(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 413:
      return "Content Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Answer";
  }
}

}  // namespace

std::optional<std::string> ProxyHead::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return std::nullopt;
}

std::expected<ProxyHead, ProxyFault> parse_proxy_head(std::string_view text) {
  const auto first = take_line(text);
  if (!first) return bad("no request line");
  const auto blank = first->find(' ');
  const auto second = blank == std::string_view::npos ? blank : first->find(' ', blank + 1);
  if (second == std::string_view::npos) return bad("a request line has three words");
  ProxyHead head{.method = std::string(first->substr(0, blank))};
  const auto target = first->substr(blank + 1, second - blank - 1);
  const auto version = first->substr(second + 1);
  if (!is_token(head.method) || !is_visible(target)) return bad("a request line has three words");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return bad("only HTTP/1.1 and HTTP/1.0");
  if (auto read = read_target(target, head); !read) return std::unexpected(read.error());
  for (;;) {
    const auto line = take_line(text);
    if (!line) return bad("a header line without its end");
    if (line->empty()) break;
    if (auto read = read_header(*line, head); !read) return std::unexpected(read.error());
  }
  if (auto read = read_framing(head); !read) return std::unexpected(read.error());
  return head;
}

std::string forwarded_head(const ProxyHead& head) {
  const bool six = head.target.host.find(':') != std::string::npos;
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: ", head.method, head.path);
  text += six ? "[" + head.target.host + "]" : head.target.host;
  if (head.target.port != kHttpPort) text += fmt::format(":{}", head.target.port);
  text += "\r\nConnection: close\r\n";
  for (const auto& [name, value] : head.headers) {
    if (!concerns_the_proxy(name)) text += fmt::format("{}: {}\r\n", name, value);
  }
  return text + "\r\n";
}

std::string proxy_answer(int status, std::string_view text) {
  const auto body = to_json(json::value{{"error", {{"message", text}, {"type", "egress_proxy"}}}});
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
      "Connection: close\r\n\r\n{}",
      status, reason_of(status), body.size(), body);
}

}  // namespace botburrow::sandbox
