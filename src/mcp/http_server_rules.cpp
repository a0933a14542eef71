#include "mcp/http_server_rules.hpp"

#include "base/hash.hpp"
#include "mcp/request_headers.hpp"
#include "mcp/revisions.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

namespace botburrow::mcp {
namespace {

using net::ServerRequest;
using net::ServerResponse;

constexpr std::size_t kShownBytes = 100;
constexpr std::string_view kBatchRevision = "2025-03-26";

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  return out;
}

/// Without the port; IPv6 without brackets.
std::string host_name(std::string_view authority) {
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    return lower_case(authority.substr(1, end == std::string_view::npos ? end : end - 1));
  }
  return lower_case(authority.substr(0, authority.find(':')));
}

/// The host of an Origin, empty for anything that is none (`null`, a bad URL).
std::string origin_host(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (lower_case(origin.substr(0, scheme.size())) == scheme)
      return host_name(origin.substr(scheme.size()));
  }
  return "";
}

bool origin_allowed(std::string_view origin, std::string_view host, const HttpAccess& access) {
  const auto from = origin_host(origin);
  if (from.empty()) return false;
  return access.loopback_only ? is_loopback_host(from) : from == host;
}

bool bearer_matches(const ServerRequest& request, const Secret& token) {
  constexpr std::string_view kBearer = "bearer ";
  const auto given = request.header("authorization").value_or("");
  if (lower_case(given.substr(0, kBearer.size())) != kBearer) return false;
  return equal_in_constant_time(given.substr(kBearer.size()), token.reveal());
}

std::string shown(std::string_view text) {
  return valid_utf8(utf8_prefix(text, kShownBytes));
}

/// Compares as the protocol wants it: whole numbers by value.
bool same_value(std::string_view header, std::string_view body, std::string_view type) {
  if (header == body) return true;
  if (type != "integer") return false;
  const std::string number(header);
  char* end = nullptr;
  const double value = std::strtod(number.c_str(), &end);
  return !number.empty() && *end == '\0' &&
         value == std::strtod(std::string(body).c_str(), nullptr);
}

/// What is wrong with one mirrored value; empty if nothing is.
std::string mirror_fault(const ServerRequest& request, const std::string& header,
                         const std::optional<std::string>& body, std::string_view type) {
  const auto raw = request.header(lower_case(header));
  if (!body) {
    return raw ? fmt::format("{} is sent, and the message has no such value", header) : "";
  }
  if (!raw) return fmt::format("{} is missing", header);
  const auto value = decoded_header_value(*raw);
  if (!value) return fmt::format("{} holds what no header may hold", header);
  if (same_value(*value, *body, type)) return "";
  return fmt::format("{} header value '{}' does not match body value '{}'", header, shown(*value),
                     shown(*body));
}

std::optional<std::string> named(const Message& message) {
  const json::value params(message.params);
  if (message.method == "tools/call" || message.method == "prompts/get")
    return string_field(params, "name");
  if (message.method == "resources/read") return string_field(params, "uri");
  return std::nullopt;
}

std::string modern_fault(const ServerRequest& request, const Message& message,
                         const ServerRules& rules) {
  const json::value params(message.params);
  const auto* about = find_field(params, "_meta");
  const auto version = about ? string_field(*about, meta::kProtocolVersion) : std::nullopt;
  const auto header = request.header("mcp-protocol-version");
  if (!header) return "MCP-Protocol-Version is missing";
  if (version && *version != *header) {
    return fmt::format("MCP-Protocol-Version header value '{}' does not match body value '{}'",
                       shown(*header), shown(*version));
  }
  if (auto fault = mirror_fault(request, "Mcp-Method", message.method, "string"); !fault.empty())
    return fault;
  if (const auto name = named(message)) {
    if (auto fault = mirror_fault(request, "Mcp-Name", name, "string"); !fault.empty())
      return fault;
  }
  const auto* tool =
      message.method == "tools/call" ? rules.find(named(message).value_or("")) : nullptr;
  if (!tool) return "";
  const auto* arguments = find_field(params, "arguments");
  const json::object given =
      arguments && arguments->is_object() ? arguments->get_object() : json::object();
  for (const auto& param : mirrored_params(tool->input_schema).params) {
    auto fault = mirror_fault(request, param.header, mirrored_value(param, given), param.type);
    if (!fault.empty()) return fault;
  }
  return "";
}

/// A header of the protocol that is there more than once; empty if none is.
std::string sent_twice(const ServerRequest& request) {
  std::set<std::string_view> names;
  for (const auto& [name, value] : request.headers) {
    if (name.starts_with("mcp-") && !names.insert(name).second) return shown(name);
  }
  return "";
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  if (host == "localhost") return true;
  const std::string text(host);
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, text.c_str(), &v6) == 1 &&
         std::memcmp(&v6, &in6addr_loopback, sizeof v6) == 0;
}

ServerResponse rpc_refusal(int status, const json::value& id, std::int64_t code,
                           std::string message) {
  return ServerResponse::json(
      status, error_text(id, {.code = code, .message = std::move(message), .data = nullptr}));
}

std::optional<ServerResponse> refuse_access(const ServerRequest& request,
                                            const HttpAccess& access) {
  const auto host = host_name(request.header("host").value_or(""));
  if (access.loopback_only && !is_loopback_host(host)) {
    return rpc_refusal(403, nullptr, rpc_code::kInvalidRequest,
                       "this server answers to localhost only");
  }
  const auto origin = request.header("origin");
  if (origin && !origin_allowed(*origin, host, access)) {
    return rpc_refusal(403, nullptr, rpc_code::kInvalidRequest, "pages of this origin may not ask");
  }
  if (!access.token.empty() && !bearer_matches(request, access.token)) {
    auto refusal = rpc_refusal(401, nullptr, rpc_code::kInvalidRequest,
                               "a bearer token is needed (MCP_HTTP_TOKEN)");
    refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
    return refusal;
  }
  // A page of another origin could send anything else without asking first.
  const auto type = lower_case(request.header("content-type").value_or(""));
  if (!type.starts_with("application/json")) {
    return rpc_refusal(415, nullptr, rpc_code::kInvalidRequest,
                       "the body's type must be application/json");
  }
  // Of two, a router before us and we may read different ones.
  if (const auto name = sent_twice(request); !name.empty()) {
    return rpc_refusal(400, nullptr, rpc_code::kHeaderMismatch,
                       fmt::format("Header mismatch: {} is sent twice", name));
  }
  return std::nullopt;
}

std::optional<ServerResponse> refuse_batch(const ServerRequest& request,
                                           const std::vector<ReadMessage>& messages) {
  const auto version = request.header("mcp-protocol-version");
  const bool named = request.header("mcp-method") || request.header("mcp-name");
  const bool modern = std::ranges::any_of(
      messages, [](const auto& read) { return read.message && says_modern(*read.message); });
  if (version.value_or(std::string(kBatchRevision)) == kBatchRevision && !named && !modern)
    return std::nullopt;
  return rpc_refusal(
      400, nullptr, rpc_code::kInvalidRequest,
      fmt::format("a request holds one message; only revision {} has batches", kBatchRevision));
}

HeaderVerdict judge_headers(const ServerRequest& request, const Message& message,
                            const ServerRules& rules) {
  const auto version = request.header("mcp-protocol-version");
  HeaderVerdict verdict{.modern = version == kModern || says_modern(message)};
  // An `initialize` is of the older era whatever its headers say.
  if (message.method == "initialize" && !says_modern(message)) verdict.modern = false;
  if (verdict.modern && message.kind == Message::Kind::request) {
    const auto fault = modern_fault(request, message, rules);
    if (!fault.empty()) {
      verdict.refusal =
          rpc_refusal(400, message.id, rpc_code::kHeaderMismatch, "Header mismatch: " + fault);
    }
    return verdict;
  }
  if (version && !is_spoken(*version)) {
    json::array supported;
    for (const auto one : revisions())
      supported.emplace_back(one);
    verdict.refusal = ServerResponse::json(
        400, error_text(message.id, {.code = rpc_code::kUnsupportedVersion,
                                     .message = "Unsupported protocol version",
                                     .data = {{"supported", std::move(supported)},
                                              {"requested", shown(*version)}}}));
  }
  return verdict;
}

int status_of(const ServerStep& step) {
  if (!step.modern || !step.is_error) return 200;
  switch (step.error_code) {
    case rpc_code::kMethodNotFound:
      return 404;
    case rpc_code::kUnsupportedVersion:
    case rpc_code::kMissingCapability:
    case rpc_code::kHeaderMismatch:
    case rpc_code::kInvalidParams:
      return 400;
    default:
      return 200;
  }
}

}  // namespace botburrow::mcp
