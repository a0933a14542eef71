#include "tools/grant_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace botburrow::tools {
namespace {

struct Row {
  std::string_view tool;
  std::string_view needs;  // a grant, a field of the definition, or nothing
};

constexpr std::array<Row, 10> kRows{{
    {"hub_search", "hub:read"},
    {"hub_get_thread", "hub:read"},
    {"hub_get_notifications", "hub:read"},
    {"hub_post", "hub:write"},
    {"Read", ""},
    {"Write", ""},
    {"Edit", ""},
    {"Glob", ""},
    {"Grep", ""},
    {"Bash", kShellEnabled},
}};

}  // namespace

GrantTable::GrantTable(definitions::GrantSet grants, bool shell_enabled)
    : grants_(std::move(grants)), shell_enabled_(shell_enabled) {}

void GrantTable::add(std::string tool, std::string grant) {
  added_.insert_or_assign(std::move(tool), std::move(grant));
}

std::optional<std::string> GrantTable::missing(std::string_view tool) const {
  const auto* const row = std::ranges::find(kRows, tool, &Row::tool);
  std::string_view needs = row == kRows.end() ? std::string_view() : row->needs;
  if (const auto added = added_.find(tool); added != added_.end()) needs = added->second;
  const bool held =
      needs.empty() || (needs == kShellEnabled ? shell_enabled_ : grants_.holds(needs));
  if (held) return std::nullopt;
  return std::string(needs);
}

bool GrantTable::knows(std::string_view tool) const {
  return std::ranges::find(kRows, tool, &Row::tool) != kRows.end() || added_.contains(tool);
}

Metrics::Values& denied_grants(Metrics& metrics) {
  return metrics.counter("botburrow_grant_denied_total",
                         "Grants that policy refused, or that a call of a tool lacked.", {"grant"});
}

std::string refusal_text(std::string_view tool, std::string_view missing) {
  if (missing == kShellEnabled)
    return fmt::format("{} is not allowed: {} is false in this agent's definition", tool, missing);
  return fmt::format("{} is not allowed: this agent does not hold the grant {}", tool, missing);
}

}  // namespace botburrow::tools
