#include "net/resp.hpp"

#include "tests/fuzz/targets.hpp"

#include <fmt/format.h>

#include <vector>

namespace botburrow::fuzz {
namespace {

constexpr std::size_t kReplyBytesMax = 4096;

std::string text_of(const net::RedisReply& reply) {
  std::string text = fmt::format("{}:", reply.value.index());
  if (const auto* items = std::get_if<net::RedisReply::Array>(&reply.value)) {
    for (const auto& item : *items)
      text += text_of(item) + ",";
  }
  return text;
}

template <class Feed>
std::vector<std::string> replies_of(Feed feed) {
  std::vector<std::string> replies;
  net::RespReader reader(kReplyBytesMax);
  try {
    feed([&](std::string_view piece) {
      reader.feed(piece);
      while (const auto* reply = reader.next())
        replies.push_back(text_of(*reply));
    });
  } catch (const Error& error) {
    require(error.code() == errc::protocol || error.code() == errc::limit,
            "bytes are refused as what they are");
    replies.emplace_back("refused");
  }
  return replies;
}

}  // namespace

void resp(std::string_view bytes) {
  // Longer than a reply may be, the two ways differ: one piece holds the next reply as well.
  if (bytes.size() > kReplyBytesMax / 2) bytes = bytes.substr(0, kReplyBytesMax / 2);
  const auto whole = replies_of([&](auto take) { take(bytes); });
  const auto pieces =
      replies_of([&](auto take) { in_pieces(bytes, static_cast<unsigned>(bytes.size()), take); });
  require(whole == pieces, "replies do not depend on how the bytes came");
}

}  // namespace botburrow::fuzz
