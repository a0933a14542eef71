#include "cli/known_secrets.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::cli {
namespace {

/// A shorter value of a variable that we do not know may be an ordinary word.
constexpr std::size_t kUnknownBytesMin = 16;

bool is_named_like_a_secret(std::string_view name) {
  constexpr std::array<std::string_view, 7> kEnds{"_KEY", "_TOKEN",       "_SECRET",    "_PASSWORD",
                                                  "_PAT", "_CREDENTIALS", "_PASSPHRASE"};
  return std::ranges::any_of(kEnds, [&](std::string_view end) { return name.ends_with(end); });
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned char byte = 0;
    if (text[at] == '%' && at + 2 < text.size() &&
        std::from_chars(&text[at + 1], &text[at + 1] + 2, byte, 16).ptr == &text[at + 1] + 2) {
      out += static_cast<char>(byte);
      at += 2;
    } else {
      out += text[at];
    }
  }
  return out;
}

std::optional<std::string_view> password_in(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::nullopt;
  auto authority = url.substr(scheme + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  const auto at = authority.rfind('@');
  if (at == std::string_view::npos) return std::nullopt;
  const auto user = authority.substr(0, at);
  const auto colon = user.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return user.substr(colon + 1);
}

/// The password of a URL, as it stands there and decoded.
void add_password(std::vector<Secret>& secrets, std::string_view url) {
  const auto password = password_in(url);
  if (!password) return;
  secrets.emplace_back(std::string(*password));
  secrets.emplace_back(percent_decoded(*password));
}

void add_setting(std::vector<Secret>& secrets, const Settings& settings, const SettingReport& row) {
  if (row.spec->type == SettingType::json_map) {
    for (const auto& [name, value] : settings.secret_map(row.name))
      secrets.push_back(value);
    return;
  }
  secrets.push_back(settings.secret(row.name));
  add_password(secrets, settings.secret(row.name).reveal());
}

}  // namespace

void learn_secrets(Scrubber& scrubber, const Environment& environment, const Settings& settings) {
  std::vector<Secret> secrets;
  for (const auto& row : settings.report()) {
    if (row.spec->name != row.name) continue;  // of a family, such as EXECUTOR_*_COMMAND
    if (row.spec->secret)
      add_setting(secrets, settings, row);
    else if (settings.is_set(row.name))
      add_password(secrets, settings.find_text(row.name).value_or(""));
  }
  for (const auto& [name, value] : environment.variables) {
    if (is_named_like_a_secret(name) && value.size() >= kUnknownBytesMin)
      secrets.emplace_back(value);
    add_password(secrets, value);
  }
  scrubber.add(secrets);
}

}  // namespace botburrow::cli
