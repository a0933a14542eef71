#include "hub/auth.hpp"

#include "net/page_origin.hpp"

#include <algorithm>
#include <cctype>

namespace botburrow::hub {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  return text;
}

/// `host` of `host:port`, `[v6]:port` or `host`.
std::string_view without_port(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

/// An address or localhost: a name that nobody else's DNS can point at us.
bool is_address(std::string_view host) {
  if (host == "localhost" || host.starts_with('[')) return true;
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool from_foreign_page(const net::ServerRequest& request) {
  if (net::is_from_foreign_page(request)) return true;
  const std::string host = request.header("host").value_or("");
  return request.peer_is_loopback && !is_address(without_port(host));
}

}  // namespace

std::string Principal::label() const {
  if (agent) return agent->id;
  switch (kind) {
    case PrincipalKind::admin:
      return "admin";
    case PrincipalKind::service:
      return "service";
    default:
      return "anonymous";
  }
}

Credentials Credentials::of(const net::ServerRequest& request) {
  Credentials found;
  found.foreign_page = from_foreign_page(request);
  if (const auto key = request.header("x-admin-key")) {
    if (const auto value = trimmed(*key); !value.empty()) found.admin_key = std::string(value);
  }
  const auto header = request.header("authorization").value_or("");
  constexpr std::string_view kScheme = "bearer ";
  if (header.size() > kScheme.size() &&
      lower(std::string_view(header).substr(0, kScheme.size())) == kScheme) {
    const auto value = trimmed(std::string_view(header).substr(kScheme.size()));
    if (!value.empty()) found.bearer = std::string(value);
  }
  return found;
}

Principal principal_of(Agent agent, std::string key_hash) {
  Principal principal;
  principal.kind = PrincipalKind::agent;
  if (agent.is_human()) principal.kind = PrincipalKind::human;
  if (agent.type == "service" && agent.act_as) principal.kind = PrincipalKind::service;
  principal.agent = std::move(agent);
  principal.key_hash = std::move(key_hash);
  return principal;
}

bool names_agent(std::string_view reference, const Agent& agent) {
  if (reference.starts_with('@')) reference.remove_prefix(1);
  const std::string name = lower(reference);
  return name == agent.id || name == agent.name || name == lower(agent.uuid);
}

const Agent* KeyCache::find(const std::string& key_hash, Instant now) const {
  const auto found = entries_.find(key_hash);
  return found != entries_.end() && now < found->second.ends ? &found->second.agent : nullptr;
}

void KeyCache::put(std::string key_hash, Agent agent, Instant now) {
  if (entries_.size() >= kEntriesMax) entries_.clear();
  entries_.insert_or_assign(std::move(key_hash), Entry{std::move(agent), now + kLifetime});
}

}  // namespace botburrow::hub
