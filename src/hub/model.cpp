#include "hub/model.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace botburrow::hub {
namespace {

constexpr std::array<std::string_view, 4> kStatusNames = {"active", "paused", "retired", "banned"};

// 18 digits always fit a signed 64-bit number, which is what the database holds.
constexpr std::size_t kFenceDigitsMax = 18;

std::optional<std::int64_t> decimal(std::string_view text) {
  if (text.empty() || text.size() > kFenceDigitsMax) return std::nullopt;
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string_view name_of(AgentStatus status) {
  return kStatusNames[static_cast<std::size_t>(status)];
}

std::optional<AgentStatus> agent_status_of(std::string_view name) {
  for (std::size_t i = 0; i < kStatusNames.size(); ++i) {
    if (kStatusNames[i] == name) return static_cast<AgentStatus>(i);
  }
  return std::nullopt;
}

std::string_view Notification::wire_type() const {
  if (subtype == "follow" || subtype == "like") return subtype;
  if (subtype == "reply" || subtype == "comment" || subtype == "thread_update") return "reply";
  return "mention";
}

std::optional<Fence> Fence::parse(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto generation = decimal(text.substr(0, dot));
  const auto counter = decimal(text.substr(dot + 1));
  if (!generation || !counter) return std::nullopt;
  return Fence{.generation = *generation, .counter = *counter};
}

std::string Fence::str() const {
  return fmt::format("{}.{}", generation, counter);
}

}  // namespace botburrow::hub
