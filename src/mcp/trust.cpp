#include "mcp/trust.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::mcp {
namespace {

constexpr std::size_t kNamesShown = 10;

std::string some_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kNamesShown; ++i)
    text += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kNamesShown) text += fmt::format(" and {} more", names.size() - kNamesShown);
  return text;
}

void append(std::string& text, std::string_view word, const std::vector<std::string>& names) {
  if (names.empty()) return;
  if (!text.empty()) text += "; ";
  text += fmt::format("{} {}", word, some_of(names));
}

}  // namespace

DefinitionsSeen DefinitionsSeen::of(const std::vector<ToolDefinition>& tools, WallTime at) {
  DefinitionsSeen seen{.sha256 = definitions_hash(tools), .seen_at = to_rfc3339(at)};
  for (const auto& tool : tools) {
    if (seen.marks.size() >= kMarksMax) break;
    seen.marks[clean_text(tool.name)] = definition_mark(tool);
  }
  return seen;
}

std::string to_json_text(const DefinitionsSeen& seen) {
  json::object marks;
  for (const auto& [name, mark] : seen.marks)
    marks[name] = mark;
  return to_json(json::object{
      {"sha256", seen.sha256}, {"seen_at", seen.seen_at}, {"tools", std::move(marks)}});
}

std::optional<DefinitionsSeen> read_definitions_seen(std::string_view text) {
  const auto value = try_parse_json(text);
  const auto hash = value ? string_field(*value, "sha256") : std::nullopt;
  if (!hash) return std::nullopt;
  DefinitionsSeen seen{.sha256 = *hash, .seen_at = string_field(*value, "seen_at").value_or("")};
  const auto* marks = find_field(*value, "tools");
  if (!marks || !marks->is_object()) return seen;
  for (const auto& [name, mark] : marks->get_object()) {
    if (mark.is_string())
      seen.marks[std::string(name.data(), name.size())] = std::string(mark.get_string());
  }
  return seen;
}

std::string difference(const DefinitionsSeen& before, const DefinitionsSeen& after) {
  std::vector<std::string> added, changed, removed;
  for (const auto& [name, mark] : after.marks) {
    const auto old = before.marks.find(name);
    if (old == before.marks.end()) {
      added.push_back(name);
    } else if (old->second != mark) {
      changed.push_back(name);
    }
  }
  for (const auto& [name, mark] : before.marks) {
    if (!after.marks.contains(name)) removed.push_back(name);
  }
  std::string text;
  append(text, "added", added);
  append(text, "changed", changed);
  append(text, "removed", removed);
  return text.empty() ? "the definitions differ" : text;
}

}  // namespace botburrow::mcp
