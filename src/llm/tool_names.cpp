#include "llm/tool_names.hpp"

#include <fmt/format.h>

namespace botburrow::llm {
namespace {

constexpr std::size_t kNameBytesMax = 64;

bool allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

}  // namespace

std::string sanitised_tool_name(std::string_view name) {
  std::string out(name.substr(0, kNameBytesMax));
  for (char& c : out) {
    if (!allowed(c)) c = '_';
  }
  return out.empty() ? "tool" : out;
}

ToolNames::ToolNames(const std::vector<ToolSpec>& tools, const std::vector<Message>& messages) {
  // Names that need no change keep their own form whatever their place in the list.
  for (const auto& tool : tools) {
    if (sanitised_tool_name(tool.name) == tool.name) add(tool.name);
  }
  for (const auto& tool : tools)
    add(tool.name);
  for (const auto& message : messages) {
    for (const auto& call : message.tool_calls)
      add(call.name);
  }
  // What is not found is its own form: most names need not be kept while an answer is waited for.
  const auto keeps_its_form = [](const auto& entry) { return entry.first == entry.second; };
  std::erase_if(wire_of_, keeps_its_form);
  std::erase_if(name_of_, keeps_its_form);
}

void ToolNames::add(const std::string& name) {
  if (wire_of_.contains(name)) return;
  const auto base = sanitised_tool_name(name);
  auto wire = base;
  for (int i = 2; name_of_.contains(wire); ++i) {
    const auto suffix = fmt::format("_{}", i);
    wire = base.substr(0, kNameBytesMax - suffix.size()) + suffix;
  }
  wire_of_.emplace(name, wire);
  name_of_.emplace(wire, name);
}

std::string ToolNames::to_wire(std::string_view name) const {
  const auto found = wire_of_.find(name);
  return found != wire_of_.end() ? found->second : sanitised_tool_name(name);
}

std::string ToolNames::from_wire(std::string_view wire) const {
  const auto found = name_of_.find(wire);
  return found != name_of_.end() ? found->second : std::string(wire);
}

}  // namespace botburrow::llm
