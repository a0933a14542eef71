#include "llm/foreign_answer.hpp"

#include "llm/retry.hpp"
#include "llm/transcript.hpp"
#include "llm/wire.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::llm {
namespace {

constexpr std::size_t kShownBytes = 80;

bool is_stream(std::string_view content_type) {
  return content_type.find("event-stream") != std::string_view::npos ||
         content_type.find("ndjson") != std::string_view::npos;
}

// Scheme and host of an absolute URL.
std::string_view origin_of(std::string_view url) {
  const auto host = url.find("://");
  if (host == std::string_view::npos) return {};
  return url.substr(0, std::min(url.find('/', host + 3), url.size()));
}

std::string without_user(std::string url) {
  const auto host = url.find("://");
  if (host == std::string::npos) return url;
  const auto at = std::string_view(url).substr(0, url.find('/', host + 3)).rfind('@');
  if (at != std::string_view::npos) url.erase(host + 3, at - host - 2);
  return url;
}

// The path that a protocol adds to its base.
std::string_view path_added(std::string_view asked) {
  for (const std::string_view path : {"/chat/completions", "/api/chat", "/v1/messages"}) {
    if (asked.ends_with(path)) return path;
  }
  return {};
}

}  // namespace

std::optional<Error> foreign_answer(const ProviderConfig& config, const UnreadAnswer& answer) {
  const auto encoding = one_line(answer.content_encoding, kShownBytes);
  if (!encoding.empty() && encoding != "identity") {
    return Error(errc::protocol,
                 fmt::format("{}: the answer is encoded ({}), which nobody asked for; switch the "
                             "encoding off at the server or proxy of brain.api_base {}",
                             config.provider, encoding, config.api_base));
  }
  if (is_blank(answer.first_bytes) || is_stream(answer.content_type)) return {};
  const auto type = answer.content_type.empty() ? "of no content type"
                                                : one_line(answer.content_type, kShownBytes);
  const auto shown =
      without_keys(one_line(std::string_view(answer.first_bytes), kShownBytes), config.key);
  return Error(errc::protocol,
               fmt::format("{}: not a stream of events but {}: {} (check brain.api_base {})",
                           config.provider, type, shown, config.api_base));
}

std::string redirect_words(std::string_view asked, std::string_view location) {
  if (location.empty()) return ", to no place; check brain.api_base";
  std::string target(location.substr(0, location.find_first_of("?#")));
  if (target.starts_with('/') && !target.starts_with("//"))
    target = std::string(origin_of(asked)) + target;
  target = one_line(without_user(std::move(target)), 300);
  auto base = target;
  const auto added = path_added(asked);
  if (!added.empty() && base.ends_with(added)) base.resize(base.size() - added.size());
  return fmt::format(" to {}: set brain.api_base to {}", target, base);
}

}  // namespace botburrow::llm
