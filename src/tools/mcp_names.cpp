#include "tools/mcp_names.hpp"

#include "base/hash.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::tools {
namespace {

constexpr std::size_t kBytesMax = 64;
constexpr std::size_t kMarkDigits = 8;

bool allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

std::string marked(std::string_view name, std::string_view full, int round) {
  const auto mark = sha256_hex(fmt::format("{}/{}", full, round)).substr(0, kMarkDigits);
  return fmt::format("{}_{}", name.substr(0, kBytesMax - kMarkDigits - 1), mark);
}

}  // namespace

std::string McpToolNames::add(std::string_view server, std::string_view tool) {
  const auto full = fmt::format("mcp_{}_{}", server, tool);
  std::string name = full;
  std::ranges::replace_if(name, [](char c) { return !allowed(c); }, '_');
  std::string fitting = name.size() <= kBytesMax ? name : marked(name, full, 0);
  for (int round = 1; !taken_.insert(fitting).second; ++round)
    fitting = marked(name, full, round);
  return fitting;
}

}  // namespace botburrow::tools
