#include "base/scrubber.hpp"

#include "tests/fuzz/targets.hpp"

namespace botburrow::fuzz {

// The first line is the secret.
void scrubber(std::string_view bytes) {
  const auto end = bytes.find('\n');
  if (end == std::string_view::npos || end < Scrubber::kBytesMin) return;
  const std::string secret(bytes.substr(0, end)), text(bytes.substr(end + 1));
  // One that is part of our own mark would be found in it.
  if (Scrubber::kMark.find(secret) != std::string_view::npos) return;
  Scrubber scrubber;
  scrubber.add(Secret(secret));
  const auto clean = scrubber.scrub(text);
  if (text.find(secret) != std::string::npos)
    require(clean != text && clean.find(Scrubber::kMark) != std::string::npos, "it is found");
  else if (!scrubber.finds_something(text))
    require(clean == text, "what holds no secret is left alone");
  require(clean.size() <= text.size() + text.size() / Scrubber::kBytesMin * Scrubber::kMark.size() +
                              Scrubber::kMark.size(),
          "it grows by marks only");
}

}  // namespace botburrow::fuzz
