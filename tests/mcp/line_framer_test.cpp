#include "mcp/line_framer.hpp"

#include "base/random.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace botburrow::mcp {
namespace {

using testing::ElementsAre;

struct Heard {
  std::vector<std::string> lines;
  std::vector<std::optional<std::int64_t>> oversized;

  void feed(LineFramer& framer, std::string_view bytes) {
    framer.feed(
        bytes, [this](std::string_view line) { lines.emplace_back(line); },
        [this](std::optional<std::int64_t> id, std::size_t) { oversized.push_back(id); });
  }
};

Heard heard(std::string_view bytes, std::size_t max = 100) {
  LineFramer framer(max);
  Heard all;
  all.feed(framer, bytes);
  return all;
}

TEST(LineFramer, LinesComeWithoutTheirEnds) {
  EXPECT_THAT(heard("a\nb\r\n\n  \n{}\nrest").lines, ElementsAre("a", "b", "{}"));
}

TEST(LineFramer, ALineMayComeInAnyPieces) {
  const std::string text = "first line\n" + std::string(30, 'x') + "\nlast\n" +
                           R"({"id":8,"result":")" + std::string(200, 'y') + "\"}\nend\n";
  const auto whole = heard(text);
  ASSERT_THAT(whole.lines, ElementsAre("first line", std::string(30, 'x'), "last", "end"));
  ASSERT_THAT(whole.oversized, ElementsAre(8));

  SeededRandom random(20);
  for (int round = 0; round < 200; ++round) {
    LineFramer framer(100);
    Heard pieces;
    for (std::string_view rest = text; !rest.empty();) {
      const auto size = std::min<std::size_t>(1 + random.next() % 17, rest.size());
      pieces.feed(framer, rest.substr(0, size));
      rest.remove_prefix(size);
    }
    ASSERT_EQ(pieces.lines, whole.lines);
    ASSERT_EQ(pieces.oversized, whole.oversized);
  }
}

TEST(LineFramer, ALineOfTheLimitPassesAndOneByteMoreDoesNot) {
  EXPECT_THAT(heard(std::string(100, 'x') + "\n").lines, ElementsAre(std::string(100, 'x')));
  EXPECT_THAT(heard(std::string(101, 'x') + "\n").lines, ElementsAre());
  EXPECT_EQ(heard(std::string(101, 'x') + "\n").oversized.size(), 1u);
}

TEST(LineFramer, AnEndlessLineHoldsNoMemory) {
  LineFramer framer(1000);
  Heard all;
  for (int i = 0; i < 10'000; ++i)
    all.feed(framer, std::string(1000, 'x'));

  EXPECT_LE(framer.held(), 1000u);
  all.feed(framer, "\nnext\n");
  EXPECT_THAT(all.lines, ElementsAre("next"));
  EXPECT_THAT(all.oversized, ElementsAre(std::nullopt));
}

std::optional<std::int64_t> id_in(std::string_view text) {
  IdScanner whole;
  whole.feed(text);
  IdScanner bytewise;
  for (const char c : text)
    bytewise.feed({&c, 1});
  EXPECT_EQ(whole.id(), bytewise.id()) << text;
  return whole.id();
}

TEST(IdScanner, FindsTheIdWhereverItStands) {
  EXPECT_EQ(id_in(R"({"jsonrpc":"2.0","id":7,"result":{}})"), 7);
  EXPECT_EQ(id_in(R"({"result":{"id":9,"x":[{"id":1}]},"jsonrpc":"2.0","id" : 12 })"), 12);
  EXPECT_EQ(id_in(R"({"result":{"text":"a \"id\":5, \\"},"id":3})"), 3);
  EXPECT_EQ(id_in(R"({"x":"id","id":-4})"), -4);
  EXPECT_EQ(id_in("{\"id\":3"), std::nullopt);  // its digits may go on
}

TEST(IdScanner, TakesNothingElseForIt) {
  EXPECT_EQ(id_in(R"({"id":"seven"})"), std::nullopt);
  EXPECT_EQ(id_in(R"({"id":7.5})"), std::nullopt);
  EXPECT_EQ(id_in(R"({"id":null})"), std::nullopt);
  EXPECT_EQ(id_in(R"({"id":{"id":3}})"), std::nullopt);
  EXPECT_EQ(id_in(R"({"id":[3]})"), std::nullopt);
  EXPECT_EQ(id_in(R"([{"id":3}])"), std::nullopt);
  EXPECT_EQ(id_in(R"({"idx":3,"i":{"id":4}})"), std::nullopt);
  EXPECT_EQ(id_in(R"({"id":99999999999999999999})"), std::nullopt);
  EXPECT_EQ(id_in("}}}]]]\"\\"), std::nullopt);
}

}  // namespace
}  // namespace botburrow::mcp
