#pragma once

#include "definitions/problem.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::definitions {

/// Says what is wrong with a grant as an agent may request it: 2 to 4 segments of `[a-z0-9-]`,
/// joined by `:`, no wildcard. Nothing: it is well formed.
std::optional<std::string> grant_fault(std::string_view grant);

/// The holding rule: `held` satisfies `required` if both are the same, or `held` is `s:p` and
/// `required` is `s:p:r`. Another grant of the same service satisfies nothing.
bool covers(std::string_view held, std::string_view required);

/// What an agent holds once policy has spoken.
class GrantSet {
 public:
  GrantSet() = default;
  explicit GrantSet(std::vector<std::string> grants);

  bool holds(std::string_view required) const;
  /// True if one of `required` is held; false for none.
  bool holds_any(const std::vector<std::string>& required) const;
  bool holds_all(const std::vector<std::string>& required) const;
  /// Sorted, without doubles.
  const std::vector<std::string>& list() const { return grants_; }
  friend bool operator==(const GrantSet&, const GrantSet&) = default;

 private:
  std::vector<std::string> grants_;
};

/// The lists of one agent, or of `default`. Entries are patterns: a segment may be `*`, and a
/// trailing `*` matches one or more segments.
struct GrantRules {
  std::vector<std::string> allowed;
  std::vector<std::string> denied;
};

/// The operator's word on grants.
struct GrantPolicy {
  std::map<std::string, GrantRules> agents;
  std::optional<GrantRules> fallback;  ///< `default`: for agents without an entry of their own
  std::string source;                  ///< for rule texts, e.g. the file's path

  /// Where there is no policy file: PERMISSIONS_DEFAULT=allow or deny.
  static GrantPolicy allow_all();
  static GrantPolicy deny_all();
};

bool matches_pattern(std::string_view pattern, std::string_view grant);

struct RefusedGrant {
  std::string grant;
  std::string rule;  ///< e.g. `default.denied_grants: aws:*`
};

struct EffectiveGrants {
  GrantSet granted;
  std::vector<RefusedGrant> refused;  ///< each belongs in the log as `grant_denied`
};

/// Requested ∩ allowed − denied; deny wins. A requested grant is refused as well if it would cover
/// one that is denied. An agent's entry replaces `default`; without either nothing is allowed.
EffectiveGrants effective_grants(const GrantPolicy& policy, std::string_view agent,
                                 const std::vector<std::string>& requested);

struct ParsedPolicy {
  GrantPolicy policy;
  std::vector<Problem> problems;
};

/// `permissions.yaml`. With an error among the problems the policy must not be used.
ParsedPolicy parse_policy(std::string_view text, std::string file);

/// Reads a policy file (blocking). Absent: nothing, the caller takes PERMISSIONS_DEFAULT. Broken or
/// not readable: throws Error{bad_input}, so that nobody runs with less of a policy than written.
std::optional<GrantPolicy> load_policy(const std::string& path);

}  // namespace botburrow::definitions
