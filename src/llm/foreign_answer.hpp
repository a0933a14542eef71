#pragma once

#include "base/error.hpp"
#include "llm/providers.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace botburrow::llm {

/// Of an answer with status 200 in which not one event was read.
struct UnreadAnswer {
  std::string content_type;
  std::string content_encoding;
  std::string first_bytes;
};

/// Why whoever answered is no model server: a captive portal, a proxy, another API. Such an answer
/// comes again as often as it is asked for, so the error says never to repeat. Nothing where it may
/// have been a stream that broke off before its first event.
std::optional<Error> foreign_answer(const ProviderConfig& config, const UnreadAnswer& answer);

/// What to say of a redirect (3xx): requests with a body do not follow one. `asked` is the URL of
/// the request. Shows neither user info nor query of the target.
std::string redirect_words(std::string_view asked, std::string_view location);

}  // namespace botburrow::llm
