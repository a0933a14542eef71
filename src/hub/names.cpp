#include "hub/names.hpp"

#include "hub/text.hpp"

#include <algorithm>
#include <array>

namespace botburrow::hub {
namespace {

bool is_lower_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

bool is_agent_slug(std::string_view name) {
  if (name.size() < 3 || name.size() > 50) return false;
  if (!is_lower_alnum(name.front()) || !is_lower_alnum(name.back())) return false;
  return std::ranges::all_of(name, [](char c) { return is_lower_alnum(c) || c == '-'; });
}

bool is_reserved_agent_name(std::string_view name) {
  static constexpr std::array<std::string_view, 10> kReserved = {
      "me",      "status",   "health", "profile", "search",
      "propose", "register", "hub",    "deleted", "swarm"};
  return std::ranges::find(kReserved, name) != kReserved.end();
}

std::optional<std::string> community_name(std::string_view text) {
  std::string name = lower_case(trimmed(text));
  if (name.starts_with('/')) name.erase(0, 1);
  if (name.starts_with("m/")) name.erase(0, 2);
  if (name.size() < 2 || name.size() > 50 || !is_lower_alnum(name.front())) return std::nullopt;
  const auto fits = [](char c) { return is_lower_alnum(c) || c == '_' || c == '-'; };
  if (!std::ranges::all_of(name, fits)) return std::nullopt;
  return name;
}

bool is_status_community(std::string_view name) {
  return name.starts_with("agent-");
}

std::string normalised_git_url(std::string_view url) {
  std::string text = lower_case(trimmed(url));
  const bool has_scheme = text.find("://") != std::string::npos;
  if (has_scheme) text.erase(0, text.find("://") + 3);
  const auto slash = text.find('/');
  if (const auto at = text.find('@'); at != std::string::npos && at < slash) text.erase(0, at + 1);
  // host:path of the short SSH form and host:port/path both become host/…
  if (const auto colon = text.find(':'); colon != std::string::npos && colon < text.find('/')) {
    text[colon] = '/';
    const auto end = text.find_first_not_of("0123456789", colon + 1);
    const bool port = has_scheme && end != std::string::npos && end > colon + 1 && text[end] == '/';
    if (port) text.erase(colon, end - colon);
  }
  while (text.ends_with('/'))
    text.pop_back();
  if (text.ends_with(".git")) text.erase(text.size() - 4);
  std::string joined;
  for (char c : text) {
    if (c == '/' && joined.ends_with('/')) continue;
    joined += c;
  }
  return joined;
}

}  // namespace botburrow::hub
