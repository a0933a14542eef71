#include "tools/grant_table.hpp"

#include "base/metric_table.hpp"

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

void GrantTable::add_server(std::string prefix, std::string missing) {
  servers_.insert_or_assign(std::move(prefix), std::move(missing));
}

std::optional<std::string> GrantTable::missing(std::string_view tool) const {
  const auto* const row = std::ranges::find(kRows, tool, &Row::tool);
  std::string_view needs = row == kRows.end() ? std::string_view() : row->needs;
  const auto added = added_.find(tool);
  if (added != added_.end()) needs = added->second;
  if (row == kRows.end() && added == added_.end()) {
    for (const auto& [prefix, lacking] : servers_) {
      if (tool.starts_with(prefix)) return lacking;
    }
  }
  const bool held =
      needs.empty() || (needs == kShellEnabled ? shell_enabled_ : grants_.holds(needs));
  if (held) return std::nullopt;
  return std::string(needs);
}

bool GrantTable::knows(std::string_view tool) const {
  return std::ranges::find(kRows, tool, &Row::tool) != kRows.end() || added_.contains(tool);
}

std::vector<std::string> GrantTable::withheld() const {
  std::vector<std::string> names;
  for (const auto& row : kRows) {
    if (missing(row.tool)) names.emplace_back(row.tool);
  }
  for (const auto& [tool, grant] : added_) {
    if (missing(tool)) names.push_back(tool);
  }
  return names;
}

Metrics::Values& denied_grants(Metrics& metrics) {
  return series_of(metrics, "botburrow_grant_denied_total");
}

void note_denial(const Log& log, Metrics& metrics, std::string_view tool,
                 std::string_view missing) {
  log.warning("grant_denied", {{"tool", tool}, {"grant", missing}});
  denied_grants(metrics).with({std::string(missing)}).add();
}

std::string refusal_text(std::string_view tool, std::string_view missing) {
  if (missing == kShellEnabled)
    return fmt::format("{} is not allowed: {} is false in this agent's definition", tool, missing);
  // Grants have parts; settings of the operator have not.
  if (missing.find(':') == std::string_view::npos)
    return fmt::format("{} is not allowed: the operator's {} does not name it", tool, missing);
  return fmt::format("{} is not allowed: this agent does not hold the grant {}", tool, missing);
}

}  // namespace botburrow::tools
