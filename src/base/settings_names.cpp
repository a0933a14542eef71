#include "base/settings_names.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace botburrow {

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// Names that Python images set; accepted without effect.
constexpr std::array<std::string_view, 6> kIgnored = {
    "PYTHONTRACEMALLOC", "PYTHONFAULTHANDLER",      "PYTHONUNBUFFERED",
    "PYTHONPATH",        "PYTHONDONTWRITEBYTECODE", "NODE_ENV"};

}  // namespace

std::string_view without_prefix(std::string_view name) {
  if (name.starts_with(kSettingPrefix)) name.remove_prefix(kSettingPrefix.size());
  return name;
}

bool is_family(const SettingSpec& spec) {
  return spec.name.find('*') != std::string_view::npos;
}

std::optional<std::string> member_of(const SettingSpec& family, std::string_view name) {
  const std::size_t star = family.name.find('*');
  const std::string_view head = family.name.substr(0, star), tail = family.name.substr(star + 1);
  if (name.size() <= head.size() + tail.size() || !name.starts_with(head) || !name.ends_with(tail))
    return {};
  return std::string(name.substr(head.size(), name.size() - head.size() - tail.size()));
}

bool is_injected_by_kubernetes(std::string_view name, std::string_view value) {
  if (name.ends_with("_SERVICE_HOST") || name.find("_SERVICE_PORT") != std::string_view::npos)
    return true;
  const std::size_t port = name.rfind("_PORT_");
  const bool is_port = name.ends_with("_PORT") || port != std::string_view::npos;
  for (const std::string_view scheme : {"tcp://", "udp://", "sctp://"})
    if (is_port && value.starts_with(scheme)) return true;
  for (const std::string_view protocol : {"_TCP_", "_UDP_", "_SCTP_"})
    for (const std::string_view end : {"ADDR", "PORT", "PROTO"})
      if (name.find("_PORT_") != std::string_view::npos &&
          name.ends_with(std::string(protocol) + std::string(end)))
        return true;
  return false;
}

bool is_known(std::string_view name) {
  if (std::find(kIgnored.begin(), kIgnored.end(), name) != kIgnored.end()) return true;
  const bool file = name.ends_with("_FILE");
  const std::string_view of_file = file ? name.substr(0, name.size() - 5) : name;
  for (const SettingSpec& spec : settings_table()) {
    const auto matches = [&](std::string_view candidate) {
      return candidate == name || (file && spec.secret && candidate == of_file);
    };
    if (matches(spec.name) || (is_family(spec) && member_of(spec, name))) return true;
    if (std::any_of(spec.aliases.begin(), spec.aliases.end(), matches)) return true;
  }
  return name == "HOSTNAME";
}

std::optional<std::string_view> nearest_name(std::string_view name) {
  std::optional<std::string_view> best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 2);
  for (const SettingSpec& spec : settings_table()) {
    if (is_family(spec)) continue;
    const std::size_t distance = edit_distance(name.substr(0, 100), spec.name);
    if (distance < best_distance || (distance == best_distance && !best)) {
      best = spec.name;
      best_distance = distance;
    }
  }
  return best;
}

bool is_all_in_one(std::string_view program) {
  return program == "up" || program == "demo";
}

const SettingSpec* find_setting(std::string_view name) {
  name = without_prefix(name);
  for (const SettingSpec& spec : settings_table())
    if (spec.name == name) return &spec;
  return nullptr;
}

}  // namespace botburrow
