#include "mcp/json_rpc.hpp"

#include "mcp/line_framer.hpp"
#include "tests/fuzz/targets.hpp"

#include <boost/json.hpp>

namespace botburrow::fuzz {
namespace {

constexpr std::size_t kLineBytesMax = 512;

struct Lines {
  std::vector<std::string> lines;
  std::vector<std::pair<std::optional<std::int64_t>, std::size_t>> oversized;
  bool operator==(const Lines&) const = default;
};

template <class Feed>
Lines lines_of(Feed feed) {
  Lines lines;
  mcp::LineFramer framer(kLineBytesMax);
  feed([&](std::string_view piece) {
    framer.feed(
        piece,
        [&](std::string_view line) {
          require(!line.empty() && line.size() <= kLineBytesMax, "a line stays within its limit");
          lines.lines.emplace_back(line);
        },
        [&](std::optional<std::int64_t> id, std::size_t size) {
          require(size > kLineBytesMax, "only what is too long is dropped");
          lines.oversized.emplace_back(id, size);
        });
    require(framer.held() <= kLineBytesMax, "no more is held than a line may have");
  });
  return lines;
}

std::string text_of(const mcp::Message& message) {
  switch (message.kind) {
    case mcp::Message::Kind::request:
      return mcp::request_text(message.id, message.method, message.params);
    case mcp::Message::Kind::notification:
      return mcp::notification_text(message.method, message.params);
    case mcp::Message::Kind::result:
      return mcp::result_text(message.id, message.result);
    case mcp::Message::Kind::error:
      return mcp::error_text(message.id, message.error);
  }
  return "";
}

void check(std::string_view line) {
  const auto messages = mcp::read_messages(line);
  require(!messages.empty() && messages.size() <= mcp::kBatchMax,
          "a line is one message or a batch");
  for (const auto& read : messages) {
    require(read.message.has_value() || !read.fault.empty(), "a fault has words");
    if (!read.message) continue;
    const auto text = text_of(*read.message);
    require(text.find('\n') == std::string::npos, "a message is one line");
    const auto again = mcp::read_message(text);
    require(again.message && again.message->kind == read.message->kind,
            "a message can be read back");
    require(again.message->id == read.message->id && again.message->method == read.message->method,
            "and is the same");
  }
}

}  // namespace

void json_rpc(std::string_view bytes) {
  const auto whole = lines_of([&](auto take) { take(bytes); });
  const auto pieces =
      lines_of([&](auto take) { in_pieces(bytes, static_cast<unsigned>(bytes.size()), take); });
  require(whole == pieces, "lines do not depend on how the bytes came");
  for (const auto& line : whole.lines)
    check(line);
}

}  // namespace botburrow::fuzz
