#include "net/sse.hpp"

#include "base/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace botburrow::net {
namespace {

using testing::ElementsAre;

std::vector<std::string> events_of(std::string_view stream, std::size_t piece_bytes) {
  std::vector<std::string> out;
  SseParser parser;
  const auto note = [&](const SseEvent& event) { out.push_back(event.event + "|" + event.data); };
  for (std::size_t at = 0; at < stream.size(); at += piece_bytes)
    parser.feed(stream.substr(at, piece_bytes), note);
  parser.finish(note);
  return out;
}

TEST(Sse, ReadsEventsWithAllLineEndsAndCommentsAndAByteOrderMark) {
  const std::string stream =
      "\xef\xbb\xbf: hello\nevent: a\ndata: one\ndata:two\n\nid: 7\r\nretry: 10\r\ndata: "
      "{\"x\":\"\xc3\xa9\"}\r\n\r\n"
      "data\r\rdata: [DONE]";
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    EXPECT_THAT(events_of(stream, piece),
                ElementsAre("a|one\ntwo", "|{\"x\":\"\xc3\xa9\"}", "|", "|[DONE]"))
        << "pieces of " << piece;
  }
}

TEST(Sse, RemembersWhereToGoOnAndWhen) {
  SseParser parser;
  const auto ignore = [](const SseEvent&) {};
  EXPECT_EQ(parser.last_id(), "");
  EXPECT_EQ(parser.retry(), std::nullopt);

  parser.feed("id: 7\nretry: 1500\ndata: x\n\nid: 8\ndata: not whole", ignore);
  EXPECT_EQ(parser.last_id(), "7");
  EXPECT_EQ(parser.retry(), std::chrono::milliseconds(1500));

  parser.feed("\n\nretry: soon\nretry: -1\nid\ndata: y\n\n", ignore);
  EXPECT_EQ(parser.last_id(), "");
  EXPECT_EQ(parser.retry(), std::chrono::milliseconds(1500));
}

TEST(Sse, AnEventWithoutDataIsNone) {
  EXPECT_THAT(events_of("event: ping\n\n: x\n\n", 3), ElementsAre());
}

TEST(Sse, AnOversizedEventIsAProtocolError) {
  SseParser parser(16);
  const auto ignore = [](const SseEvent&) {};
  parser.feed("data: 0123456789\n", ignore);
  EXPECT_THROW(parser.feed("data: 0123456789\n", ignore), Error);
  // What joins two lines is part of it.
  SseParser full(16), over(16);
  full.feed("data: 0123456789\ndata: 01234\n\n", ignore);
  EXPECT_THROW(over.feed("data: 0123456789\ndata: 012345\n", ignore), Error);
  LineSplitter lines(4);
  EXPECT_THROW(lines.feed("12345", [](std::string_view) {}), Error);
}

}  // namespace
}  // namespace botburrow::net
