#include "cli/known_secrets.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

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

void learn_setting(Scrubber& scrubber, const Settings& settings, const SettingReport& row) {
  if (row.spec->type == SettingType::json_map) {
    for (const auto& [name, value] : settings.secret_map(row.name))
      scrubber.add(value);
  } else {
    const auto secret = settings.secret(row.name);
    scrubber.add(secret);
    learn_password_of_url(scrubber, secret.reveal());
  }
}

}  // namespace

void learn_password_of_url(Scrubber& scrubber, std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return;
  auto authority = url.substr(scheme + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  const auto at = authority.rfind('@');
  if (at == std::string_view::npos) return;
  const auto user = authority.substr(0, at);
  const auto colon = user.find(':');
  if (colon == std::string_view::npos) return;
  const auto password = user.substr(colon + 1);
  scrubber.add(Secret(std::string(password)));
  scrubber.add(Secret(percent_decoded(password)));
}

void learn_secrets(Scrubber& scrubber, const Environment& environment, const Settings& settings) {
  for (const auto& row : settings.report()) {
    if (row.spec->name != row.name) continue;  // of a family, such as EXECUTOR_*_COMMAND
    if (row.spec->secret)
      learn_setting(scrubber, settings, row);
    else if (settings.is_set(row.name))
      learn_password_of_url(scrubber, settings.find_text(row.name).value_or(""));
  }
  for (const auto& [name, value] : environment.variables) {
    if (is_named_like_a_secret(name) && value.size() >= kUnknownBytesMin)
      scrubber.add(Secret(value));
    learn_password_of_url(scrubber, value);
  }
}

}  // namespace botburrow::cli
