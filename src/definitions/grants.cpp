#include "definitions/grants.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::definitions {
namespace {

constexpr std::string_view kSegmentChars = "abcdefghijklmnopqrstuvwxyz0123456789-";
constexpr std::size_t kGrantBytesMax = 256;

std::vector<std::string_view> segments_of(std::string_view grant) {
  std::vector<std::string_view> out;
  while (true) {
    const auto colon = grant.find(':');
    out.push_back(grant.substr(0, colon));
    if (colon == std::string_view::npos) return out;
    grant.remove_prefix(colon + 1);
  }
}

/// True if `pattern` denies something that holding `grant` would allow: `s:p` holds every `s:p:r`.
bool reaches_below(std::string_view pattern, std::string_view grant) {
  const auto wanted = segments_of(pattern);
  const auto held = segments_of(grant);
  if (held.size() != 2 || wanted.size() != 3) return false;
  return (wanted[0] == "*" || wanted[0] == held[0]) && (wanted[1] == "*" || wanted[1] == held[1]);
}

/// True if the pattern speaks of `grant` itself, or of `s:p` while `grant` is `s:p:r`.
bool applies_to(std::string_view pattern, std::string_view grant) {
  if (matches_pattern(pattern, grant)) return true;
  const auto parts = segments_of(grant);
  return parts.size() == 3 && matches_pattern(pattern, fmt::format("{}:{}", parts[0], parts[1]));
}

}  // namespace

std::optional<std::string> grant_fault(std::string_view grant) {
  if (grant.size() > kGrantBytesMax) return "is longer than 256 bytes";
  const auto parts = segments_of(grant);
  if (grant.find('*') != std::string_view::npos)
    return "has a wildcard, which only the operator's policy may use";
  if (parts.size() < 2 || parts.size() > 4)
    return "is not service:permission or service:permission:resource";
  for (const std::string_view part : parts) {
    if (part.empty()) return "has an empty part";
    if (part.find_first_not_of(kSegmentChars) != std::string_view::npos) {
      return "has characters other than a-z, 0-9 and -";
    }
  }
  return std::nullopt;
}

bool covers(std::string_view held, std::string_view required) {
  if (held.empty() || required.empty()) return false;
  if (held == required) return true;
  const auto need = segments_of(required);
  return need.size() == 3 && segments_of(held).size() == 2 && required.starts_with(held) &&
         required[held.size()] == ':';
}

GrantSet::GrantSet(std::vector<std::string> grants) : grants_(std::move(grants)) {
  std::ranges::sort(grants_);
  grants_.erase(std::unique(grants_.begin(), grants_.end()), grants_.end());
}

bool GrantSet::holds(std::string_view required) const {
  return std::ranges::any_of(grants_,
                             [&](const std::string& held) { return covers(held, required); });
}

bool GrantSet::holds_any(const std::vector<std::string>& required) const {
  return std::ranges::any_of(required, [&](const std::string& grant) { return holds(grant); });
}

bool GrantSet::holds_all(const std::vector<std::string>& required) const {
  return std::ranges::all_of(required, [&](const std::string& grant) { return holds(grant); });
}

bool matches_pattern(std::string_view pattern, std::string_view grant) {
  const auto wanted = segments_of(pattern);
  const auto parts = segments_of(grant);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i >= parts.size()) return false;
    if (wanted[i] == "*") {
      if (i + 1 == wanted.size()) return true;
    } else if (wanted[i] != parts[i]) {
      return false;
    }
  }
  return wanted.size() == parts.size();
}

GrantPolicy GrantPolicy::allow_all() {
  return {.fallback = GrantRules{.allowed = {"*"}}, .source = "PERMISSIONS_DEFAULT=allow"};
}

GrantPolicy GrantPolicy::deny_all() {
  return {.fallback = GrantRules{}, .source = "PERMISSIONS_DEFAULT=deny"};
}

EffectiveGrants effective_grants(const GrantPolicy& policy, std::string_view agent,
                                 const std::vector<std::string>& requested) {
  const auto own = policy.agents.find(std::string(agent));
  const bool has_own = own != policy.agents.end();
  static const GrantRules kNone;
  const GrantRules& rules = has_own ? own->second : policy.fallback ? *policy.fallback : kNone;
  const std::string label = has_own ? fmt::format("agents.{}", agent) : "default";

  EffectiveGrants out;
  std::vector<std::string> granted;
  const auto refuse = [&](const std::string& grant, std::string rule) {
    const bool seen =
        std::ranges::any_of(out.refused, [&](const RefusedGrant& r) { return r.grant == grant; });
    if (!seen) out.refused.push_back({grant, std::move(rule)});
  };
  for (const std::string& grant : requested) {
    if (const auto fault = grant_fault(grant)) {
      refuse(grant, "the grant " + *fault);
      continue;
    }
    const auto denied = std::ranges::find_if(rules.denied, [&](const std::string& pattern) {
      return applies_to(pattern, grant) || reaches_below(pattern, grant);
    });
    const bool allowed = std::ranges::any_of(
        rules.allowed, [&](const std::string& pattern) { return applies_to(pattern, grant); });
    if (denied != rules.denied.end()) {
      refuse(grant, fmt::format("{}.denied_grants: {}", label, *denied));
    } else if (!allowed) {
      const bool no_entry = !has_own && !policy.fallback;
      refuse(grant, no_entry
                        ? fmt::format("no entry for {} and no default in {}", agent, policy.source)
                        : fmt::format("not in {}.allowed_grants ({})", label, policy.source));
    } else {
      granted.push_back(grant);
    }
  }
  out.granted = GrantSet(std::move(granted));
  return out;
}

}  // namespace botburrow::definitions
