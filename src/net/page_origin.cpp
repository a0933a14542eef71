#include "net/page_origin.hpp"

#include <algorithm>

namespace botburrow::net {

namespace {

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

bool is_from_foreign_page(const ServerRequest& request) {
  const auto site = request.header("sec-fetch-site").value_or("none");
  if (site != "same-origin" && site != "none") return true;
  const auto origin = request.header("origin");
  if (!origin) return false;
  const auto scheme = origin->find("://");
  if (scheme == std::string::npos) return true;
  const std::string_view host = std::string_view(*origin).substr(scheme + 3);
  return !same_letters(host, request.header("host").value_or(""));
}

bool is_from_this_machine(const ServerRequest& request) {
  for (const char* forwarded : {"forwarded", "x-forwarded-for", "x-real-ip", "via"}) {
    if (request.header(forwarded)) return false;
  }
  return request.peer_is_loopback;
}

}  // namespace botburrow::net
