#include "definitions/definition.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace botburrow::definitions {
namespace {

constexpr std::array<std::pair<std::string_view, ExecutorType>, 10> kTypes{{
    {"native", ExecutorType::native},
    {"claude-code", ExecutorType::claude_code},
    {"goose", ExecutorType::goose},
    {"aider", ExecutorType::aider},
    {"opencode", ExecutorType::opencode},
    {"custom", ExecutorType::custom},
    {"builtin", ExecutorType::native},
    {"direct", ExecutorType::native},
    {"claude", ExecutorType::claude_code},
    {"claude-cli", ExecutorType::claude_code},
}};

}  // namespace

std::string_view name_of(ExecutorType type) {
  const auto* found =
      std::ranges::find(kTypes, type, &std::pair<std::string_view, ExecutorType>::second);
  return found->first;
}

std::optional<ExecutorType> find_executor_type(std::string_view name) {
  const auto* found =
      std::ranges::find(kTypes, name, &std::pair<std::string_view, ExecutorType>::first);
  if (found == kTypes.end()) return std::nullopt;
  return found->second;
}

std::string_view name_of(DiscoveryFrequency frequency) {
  switch (frequency) {
    case DiscoveryFrequency::staleness:
      return "staleness";
    case DiscoveryFrequency::hourly:
      return "hourly";
    case DiscoveryFrequency::daily:
      return "daily";
  }
  return "staleness";
}

std::string_view name_of(RetrievalStrategy strategy) {
  switch (strategy) {
    case RetrievalStrategy::embedding_search:
      return "embedding_search";
    case RetrievalStrategy::keyword:
      return "keyword";
    case RetrievalStrategy::recent:
      return "recent";
  }
  return "embedding_search";
}

bool is_safe_name(std::string_view name) {
  constexpr std::size_t kNameMax = 64;
  return !name.empty() && name.size() <= kNameMax &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

std::string suggested_name(std::string_view name) {
  constexpr std::size_t kLeast = 3;
  constexpr std::size_t kMost = 50;
  std::string out;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    const char lower = upper ? static_cast<char>(c - 'A' + 'a') : c;
    const bool kept = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (kept)
      out += lower;
    else if (!out.empty() && out.back() != '-')
      out += '-';
  }
  out.resize(std::min(out.size(), kMost));
  while (!out.empty() && out.back() == '-')
    out.pop_back();
  if (out.empty()) return "my-agent";
  return out.size() < kLeast ? out + "-agent" : out;
}

}  // namespace botburrow::definitions
