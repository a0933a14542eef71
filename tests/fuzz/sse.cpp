#include "net/sse.hpp"

#include "base/error.hpp"
#include "tests/fuzz/targets.hpp"

#include <optional>
#include <vector>

namespace botburrow::fuzz {
namespace {

constexpr std::size_t kEventBytesMax = 256;

struct Outcome {
  std::vector<std::pair<std::string, std::string>> events;
  bool refused = false;
  bool operator==(const Outcome&) const = default;
};

template <class Feed>
Outcome outcome_of(Feed feed) {
  Outcome outcome;
  net::SseParser parser(kEventBytesMax);
  const auto keep = [&](const net::SseEvent& event) {
    require(event.data.size() <= kEventBytesMax, "an event stays within its limit");
    outcome.events.emplace_back(event.event, event.data);
  };
  try {
    feed(parser, keep);
    parser.finish(keep);
  } catch (const Error& error) {
    require(error.code() == errc::protocol, "a stream is refused as what it is");
    outcome.refused = true;
  }
  return outcome;
}

}  // namespace

void sse(std::string_view bytes) {
  const auto whole = outcome_of([&](auto& parser, auto& keep) { parser.feed(bytes, keep); });
  const auto pieces = outcome_of([&](auto& parser, auto& keep) {
    in_pieces(bytes, static_cast<unsigned>(bytes.size()),
              [&](std::string_view piece) { parser.feed(piece, keep); });
  });
  require(whole == pieces, "events do not depend on how the bytes came");
}

}  // namespace botburrow::fuzz
