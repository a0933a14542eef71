// Rules only.
#include "console/access.hpp"

#include "base/hash.hpp"
#include "base/json.hpp"
#include "net/page_origin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace botburrow::console {
namespace {

constexpr std::string_view kBearer = "bearer ";

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool is_this_machine(std::string_view host) {
  const auto name = lower_case(without_port(host));
  return name == "localhost" || name == "127.0.0.1" || name == "[::1]";
}

bool is_local(const net::ServerRequest& request) {
  return net::is_from_this_machine(request) && is_this_machine(request.header("host").value_or(""));
}

/// As it may be shown to whoever sent it.
std::string host_text(const net::ServerRequest& request) {
  constexpr std::size_t kHostBytes = 100;
  return valid_utf8(utf8_prefix(request.header("host").value_or(""), kHostBytes));
}

Refusal strange_host(const net::ServerRequest& request) {
  return {
      .status = 403,
      .code = "host_refused",
      .text = fmt::format("this machine was asked for as Host \"{}\", which is no name of it: use "
                          "http://127.0.0.1 or http://localhost, send ADMIN_KEY (Authorization: "
                          "Bearer), or let the proxy in between set X-Forwarded-For",
                          host_text(request))};
}

Access::Key key_of(const net::ServerRequest& request, const Secret& admin_key) {
  const auto given = request.header("authorization");
  if (!given) return Access::Key::none;
  const bool bearer = lower_case(given->substr(0, kBearer.size())) == kBearer;
  if (!bearer || admin_key.empty()) return Access::Key::wrong;
  return equal_in_constant_time(std::string_view(*given).substr(kBearer.size()), admin_key.reveal())
             ? Access::Key::right
             : Access::Key::wrong;
}

Refusal wrong_key(const Secret& admin_key) {
  if (admin_key.empty()) {
    return {.status = 403,
            .code = "read_only",
            .text =
                "this coordinator has no ADMIN_KEY, so no key opens it: set ADMIN_KEY and "
                "restart it"};
  }
  return {.status = 401,
          .code = "key_refused",
          .text =
              "this is not the coordinator's ADMIN_KEY; look it up where you set it (`botburrow "
              "up` keeps it in keys.json of its data folder)"};
}

Refusal elsewhere() {
  return {.status = 403,
          .code = "cross_origin",
          .text = "the console answers its own page and programs, no page from elsewhere"};
}

bool says_json(const net::ServerRequest& request) {
  const auto type = lower_case(request.header("content-type").value_or(""));
  return type.substr(0, type.find(';')) == "application/json";
}

}  // namespace

Access access_of(const net::ServerRequest& request, const Secret& admin_key, Loopback loopback) {
  return {.key = key_of(request, admin_key),
          .local = loopback == Loopback::trusted && is_local(request)};
}

std::optional<Refusal> refuse_look(const net::ServerRequest& request, const Access& access,
                                   const Secret& admin_key) {
  if (net::is_from_foreign_page(request)) return elsewhere();
  if (access.key == Access::Key::wrong) return wrong_key(admin_key);
  const auto host = request.header("host").value_or("");
  if (access.key == Access::Key::none && net::is_from_this_machine(request) && !host.empty() &&
      !is_this_machine(host))
    return strange_host(request);
  return std::nullopt;
}

std::optional<Refusal> refuse_transcript(const net::ServerRequest& request, const Access& access,
                                         const Secret& admin_key) {
  if (auto refusal = refuse_look(request, access, admin_key)) return refusal;
  if (access.may_read_transcripts()) return std::nullopt;
  return Refusal{
      .status = 401,
      .code = "key_missing",
      .text = fmt::format("transcripts need ADMIN_KEY (Authorization: Bearer), or a browser on the "
                          "coordinator's machine (http://127.0.0.1, kubectl port-forward) where "
                          "CONSOLE_LOOPBACK_TRUST is on; this was asked for as Host \"{}\"",
                          host_text(request))};
}

std::optional<Refusal> refuse_act(const net::ServerRequest& request, const Access& access,
                                  const Secret& admin_key) {
  if (net::is_from_foreign_page(request)) return elsewhere();
  if (!says_json(request)) {
    return Refusal{.status = 415,
                   .code = "not_json",
                   .text = "send a JSON object with Content-Type: application/json"};
  }
  if (access.may_act()) return std::nullopt;
  if (access.key == Access::Key::wrong || admin_key.empty()) return wrong_key(admin_key);
  return Refusal{.status = 401,
                 .code = "key_missing",
                 .text = "this needs the coordinator's ADMIN_KEY (Authorization: Bearer)"};
}

}  // namespace botburrow::console
