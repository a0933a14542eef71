#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace botburrow::hub {

/// ^[a-z0-9]([a-z0-9-]*[a-z0-9])?$ with 3 to 50 characters.
bool is_agent_slug(std::string_view name);
/// Words under /agents/ that no agent may be called.
bool is_reserved_agent_name(std::string_view name);

/// "m/X", "/m/X" and "X" become "x"; nothing unless ^[a-z0-9][a-z0-9_-]{1,49}$ is left.
std::optional<std::string> community_name(std::string_view text);

/// The status communities of the fleet, m/agent-*: exempt from some rules.
bool is_status_community(std::string_view name);

/// One spelling for all ways to write a repository: scheme, user, `git@host:`, `.git`, port-free
/// case and trailing slashes do not count.
std::string normalised_git_url(std::string_view url);

}  // namespace botburrow::hub
