#include "base/error.hpp"
#include "base/json.hpp"
#include "net/http_client.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <new>

namespace botburrow::net {
namespace {

using CurlUrl = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::optional<std::string> part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return std::nullopt;
  std::string value(text);
  curl_free(text);
  return value;
}

/// What may be shown of a URL: neither user and password nor the query.
std::string shown(std::string_view url) {
  std::string text(url.substr(0, url.find_first_of("?#")));
  const auto scheme_end = text.find("://");
  const auto authority = scheme_end == std::string::npos ? 0 : scheme_end + 3;
  const auto at = text.find_last_of('@', text.find('/', authority));
  if (at != std::string::npos && at >= authority) text.replace(authority, at - authority, "***");
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return valid_utf8(utf8_prefix(text, 200));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_' || c == '.' || c == '~';
}

}  // namespace

UrlParts parse_url(std::string_view url) {
  const auto refuse = [&](std::string_view why) {
    return Error(errc::invalid_argument,
                 fmt::format("\"{}\" is not an http or https URL ({}); give one such as "
                             "https://hub.example.com",
                             shown(url), why));
  };
  const CurlUrl parsed(curl_url(), &curl_url_cleanup);
  if (!parsed) throw std::bad_alloc();
  const std::string text(url);
  if (text.find('\0') != std::string::npos) throw refuse("it holds a NUL byte");
  const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, text.c_str(), 0);
  if (code != CURLUE_OK) throw refuse(curl_url_strerror(code));
  UrlParts parts;
  parts.scheme = part(parsed.get(), CURLUPART_SCHEME).value_or("");
  if (parts.scheme != "http" && parts.scheme != "https") throw refuse("its scheme is another");
  parts.host = part(parsed.get(), CURLUPART_HOST).value_or("");
  if (parts.host.size() > 2 && parts.host.front() == '[') {
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  }
  parts.explicit_port = part(parsed.get(), CURLUPART_PORT).has_value();
  parts.port = part(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT).value_or("");
  parts.path = part(parsed.get(), CURLUPART_PATH).value_or("/");
  parts.query = part(parsed.get(), CURLUPART_QUERY).value_or("");
  if (parts.host.empty()) throw refuse("it names no host");
  return parts;
}

std::string url_encode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (unreserved(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

std::string url_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                        hex_digit(text[i + 2]) >= 0;
    if (escape) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string query_string(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  for (const auto& [name, value] : pairs) {
    out += out.empty() ? '?' : '&';
    out += url_encode(name) + '=' + url_encode(value);
  }
  return out;
}

}  // namespace botburrow::net
