#include "net/http_message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::net {
namespace {

using State = HeadScanner::State;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

State at_once(std::string_view bytes) {
  return HeadScanner().look(bytes);
}

State byte_by_byte(std::string_view bytes) {
  HeadScanner scanner;
  for (std::size_t i = 1; i <= bytes.size(); ++i) {
    const State state = scanner.look(bytes.substr(0, i));
    if (state != State::incomplete) return state;
  }
  return State::incomplete;
}

TEST(HeadScanner, HowBytesArriveMakesNoDifference) {
  const std::string line_max = "GET /" + std::string(kRequestLineMax - 16, 'a') + " HTTP/1.1\r\n";
  ASSERT_EQ(line_max.size(), kRequestLineMax);
  const std::string headers_max = std::string(kHeadersMax - 4, 'h') + "\r\n\r\n";
  const std::vector<std::pair<std::string, State>> cases{
      {"", State::incomplete},
      {"G", State::incomplete},
      {"GET / HTTP/1.1\r\n", State::incomplete},
      {"GET / HTTP/1.1\r\nA: b\r\n", State::incomplete},
      {"GET / HTTP/1.1\r\nA: b\r\n\r\n", State::complete},
      {"GET / HTTP/1.1\r\n\r\n", State::complete},
      {"GET / HTTP/1.1\n\n", State::complete},  // the parser refuses it, at once
      {"\x16\x03", State::not_http},
      {"{}", State::not_http},
      {line_max, State::incomplete},
      {line_max + "\r\n", State::complete},
      {"G" + line_max, State::line_too_long},
      {std::string(kRequestLineMax + 1, 'G'), State::line_too_long},
      {line_max + headers_max, State::complete},
      {line_max + "h" + headers_max, State::headers_too_large},
      {line_max + std::string(kHeadersMax + 1, 'h'), State::headers_too_large},
  };
  for (const auto& [bytes, state] : cases) {
    EXPECT_EQ(at_once(bytes), state) << bytes.substr(0, 40) << " of " << bytes.size();
    EXPECT_EQ(byte_by_byte(bytes), state) << bytes.substr(0, 40) << " of " << bytes.size();
  }
}

TEST(HttpMessage, TargetsAreSplit) {
  const auto split = [](std::string_view target) {
    std::string path;
    std::string query;
    return split_target(target, path, query) ? path + "|" + query : "refused";
  };
  EXPECT_EQ(split("/a/b?c=d?e"), "/a/b|c=d?e");
  EXPECT_EQ(split("/"), "/|");
  EXPECT_EQ(split("/a#part"), "/a|");
  EXPECT_EQ(split("http://h:1/x?y"), "/x|y");
  EXPECT_EQ(split("HTTPS://h"), "/|");
  EXPECT_EQ(split("http://h?q"), "/|q");
  EXPECT_EQ(split("*"), "refused");
  EXPECT_EQ(split("h:80"), "refused");
  EXPECT_EQ(split(""), "refused");
}

TEST(HttpMessage, QueriesKeepOrderAndRepetition) {
  EXPECT_THAT(
      parse_query("a=1&b&a=2&&=x&c=d=e"),
      ElementsAre(Pair("a", "1"), Pair("b", ""), Pair("a", "2"), Pair("", "x"), Pair("c", "d=e")));
  EXPECT_TRUE(parse_query("").empty());
}

TEST(HttpMessage, HeadsCannotBeSplitByValues) {
  ServerResponse response = ServerResponse::text(200, "x", "text/plain\r\nX-Evil: 1");
  response.headers.emplace_back("connection", "upgrade");
  const auto head = response_head(response, {.content_length = 1, .server_name = "s", .date = "d"});
  EXPECT_THAT(head, HasSubstr("Content-Type: text/plain  X-Evil: 1\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("upgrade")));
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
}

TEST(HttpMessage, DatesAreOfTheHttpForm) {
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(HttpMessage, ProblemsAreValidJsonWhateverTheyQuote) {
  const auto problem = ServerResponse::problem(400, "bad_request", "said \"\xff\n\"");
  EXPECT_EQ(problem.body,
            "{\"detail\":\"said \\\"\xEF\xBF\xBD\\n\\\"\",\"error\":\"said "
            "\\\"\xEF\xBF\xBD\\n\\\"\",\"code\":\"bad_request\"}");
}

}  // namespace
}  // namespace botburrow::net
