#include "net/http_message.hpp"

#include "base/json.hpp"

#include <boost/beast/http/status.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace botburrow::net {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_text(std::string_view a, std::string_view lower_b) {
  return std::equal(a.begin(), a.end(), lower_b.begin(), lower_b.end(),
                    [](char x, char y) { return lower(x) == y; });
}

bool decided_by_server(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames{"content-length", "transfer-encoding",
                                                   "connection", "date", "server"};
  return std::any_of(kNames.begin(), kNames.end(), [&](auto one) { return same_text(name, one); });
}

void append_value(std::string& out, std::string_view value) {
  for (const char c : value)
    out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
}

std::string_view reason_of(int status) {
  const auto text =
      boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  return {text.data(), text.size()};
}

}  // namespace

HeadScanner::State HeadScanner::look(std::string_view bytes) {
  if (bytes.empty()) return State::incomplete;
  // Anything but a letter is no method: TLS to a plain port, say. No need to wait for a line of it.
  if (lower(bytes.front()) < 'a' || lower(bytes.front()) > 'z') return State::not_http;
  for (; scanned_ < bytes.size(); ++scanned_) {
    if (bytes[scanned_] != '\n') continue;
    if (line_end_ == 0) line_end_ = scanned_ + 1;
    if (line_end_ > kRequestLineMax) return State::line_too_long;
    if (scanned_ - line_end_ + 1 > kHeadersMax && scanned_ >= line_end_)
      return State::headers_too_large;
    const bool blank =
        (scanned_ >= 1 && bytes[scanned_ - 1] == '\n') ||
        (scanned_ >= 2 && bytes[scanned_ - 1] == '\r' && bytes[scanned_ - 2] == '\n');
    if (blank) return State::complete;
  }
  if (line_end_ == 0)
    return bytes.size() > kRequestLineMax ? State::line_too_long : State::incomplete;
  return bytes.size() - line_end_ > kHeadersMax ? State::headers_too_large : State::incomplete;
}

bool split_target(std::string_view target, std::string& raw_path, std::string& query) {
  if (same_text(target.substr(0, 7), "http://") || same_text(target.substr(0, 8), "https://")) {
    target.remove_prefix(target.find("://") + 3);
    const auto path = target.find_first_of("/?");
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    if (target.front() == '?') {
      raw_path = "/";
      query = target.substr(1);
      return true;
    }
  }
  if (target.empty() || target.front() != '/') return false;
  target = target.substr(0, target.find('#'));
  const auto mark = target.find('?');
  raw_path = target.substr(0, mark);
  query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  return true;
}

std::vector<std::pair<std::string, std::string>> parse_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto one = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (one.empty()) continue;
    const auto equals = one.find('=');
    pairs.emplace_back(url_decode(one.substr(0, equals)),
                       equals == std::string_view::npos ? "" : url_decode(one.substr(equals + 1)));
  }
  return pairs;
}

std::string response_head(const ServerResponse& response, const HeadOptions& options) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_of(response.status));
  for (const auto& [name, value] : response.headers) {
    if (decided_by_server(name)) continue;
    append_value(head, name);
    head += ": ";
    append_value(head, value);
    head += "\r\n";
  }
  if (options.chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (has_body(response.status) && options.content_length != std::string::npos) {
    head += fmt::format("Content-Length: {}\r\n", options.content_length);
  }
  head += fmt::format("Date: {}\r\nServer: {}\r\n", options.date, options.server_name);
  if (!options.keep_alive) {
    head += "Connection: close\r\n";
  } else if (options.http_1_0) {
    head += "Connection: keep-alive\r\n";
  }
  return head += "\r\n";
}

bool has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

std::string http_date(std::time_t second) {
  std::tm parts{};
  gmtime_r(&second, &parts);
  char text[40];
  // Names of days and months are English in the C locale, which this program never leaves.
  const std::size_t length = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, length};
}

ServerResponse ServerResponse::text(int status, std::string body, std::string content_type) {
  ServerResponse response;
  response.status = status;
  response.headers.emplace_back("Content-Type", std::move(content_type));
  response.body = std::move(body);
  return response;
}

ServerResponse ServerResponse::problem(int status, std::string_view code, std::string_view text) {
  std::string body = "{\"detail\":";
  append_json_string(body, text);
  body += ",\"error\":";
  append_json_string(body, text);
  body += ",\"code\":";
  append_json_string(body, code);
  body += "}";
  return json(status, std::move(body));
}

std::optional<std::string> ServerRequest::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return std::nullopt;
}

std::optional<std::string> ServerRequest::query_value(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

}  // namespace botburrow::net
