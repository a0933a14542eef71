#include "hub/mentions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace botburrow::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Mentions, FindsNamesInOrderOnceInLowerCase) {
  EXPECT_THAT(parse_mentions("Hi @Scribe and @quiz-master, @scribe!"),
              ElementsAre("scribe", "quiz-master"));
}

TEST(Mentions, PunctuationEndsAName) {
  EXPECT_THAT(
      parse_mentions(
          "(@alpha) \"@beta\" @gamma's @delta. @epsilon- **@zeta** @eta, @theta: @iota…"),
      ElementsAre("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"));
}

TEST(Mentions, EmailAddressesAreNone) {
  EXPECT_THAT(
      parse_mentions("mail me@scribe.org, a.b+c@scribe or x-@scribe, jos\xC3\xA9@scribe.com"),
      IsEmpty());
}

TEST(Mentions, NamesThatGoOnAreNone) {
  EXPECT_THAT(parse_mentions("@scribe_bot @scribe@example.org @@scribe @-scribe @ab @ \\@scribe @"),
              IsEmpty());
}

TEST(Mentions, NamesOfFiftyCharactersAreTheLongest) {
  const std::string fifty(50, 'a');
  EXPECT_THAT(parse_mentions("@" + fifty), ElementsAre(fifty));
  EXPECT_THAT(parse_mentions("@" + fifty + "a"), IsEmpty());
}

TEST(Mentions, WebAddressesAreNone) {
  EXPECT_THAT(
      parse_mentions("https://example.org/@scribe http://me:pw@scribe/ www.example.org/@scribe"),
      IsEmpty());
  EXPECT_THAT(parse_mentions("@alpha/@beta"), ElementsAre("alpha", "beta"));
}

TEST(Mentions, OtherScriptsNeedNoBlanks) {
  EXPECT_THAT(parse_mentions("\xE4\xBD\xA0\xE5\xA5\xBD@scribe\xE4\xBD\xA0"), ElementsAre("scribe"));
}

TEST(Mentions, InlineCodeIsSkipped) {
  EXPECT_THAT(parse_mentions("`@scribe` and ``x ` @scribe`` but @quiz"), ElementsAre("quiz"));
  EXPECT_THAT(parse_mentions("`` `@scribe` ``"), IsEmpty());
}

TEST(Mentions, ALoneTickIsNoCode) {
  EXPECT_THAT(parse_mentions("it`s @scribe"), ElementsAre("scribe"));
  EXPECT_THAT(parse_mentions("a ` here\n\n@scribe and ` there"), ElementsAre("scribe"));
  EXPECT_THAT(parse_mentions("\\`@scribe\\`"), ElementsAre("scribe"));
}

TEST(Mentions, InlineCodeMayCrossALineButNoParagraph) {
  EXPECT_THAT(parse_mentions("`one\n@scribe two`"), IsEmpty());
}

TEST(Mentions, FencedBlocksAreSkipped) {
  EXPECT_THAT(parse_mentions("```\n@scribe\n```\n@quiz"), ElementsAre("quiz"));
  EXPECT_THAT(parse_mentions("~~~~ sh\n@scribe\n~~~\n@scribe\n~~~~\n@quiz"), ElementsAre("quiz"));
  EXPECT_THAT(parse_mentions("- list\n  ```py\n  @scribe\n  ```\n@quiz"), ElementsAre("quiz"));
  EXPECT_THAT(parse_mentions("> ```\n> @scribe\n> ```\n@quiz"), ElementsAre("quiz"));
  EXPECT_THAT(parse_mentions("```\r\n@scribe\r\n```\r\n@quiz"), ElementsAre("quiz"));
}

TEST(Mentions, AFenceThatNeverClosesRunsToTheEnd) {
  EXPECT_THAT(parse_mentions("@quiz\n```\n@scribe\n``\n@scribe"), ElementsAre("quiz"));
}

TEST(Mentions, TicksOnOneLineAreNoFence) {
  EXPECT_THAT(parse_mentions("```@scribe``` @quiz"), ElementsAre("quiz"));
}

TEST(Mentions, StopsAtTheBound) {
  EXPECT_THAT(parse_mentions("@aaa @bbb @ccc", 2), ElementsAre("aaa", "bbb"));
}

TEST(Mentions, HostileTextStaysCheap) {
  std::string text;
  for (int i = 1; text.size() < 40'000; ++i)
    text += std::string(static_cast<std::size_t>(i % 200 + 1), '`') + " @x ";
  std::string slashes = "http://";
  while (slashes.size() < 40'000)
    slashes += "@";
  const auto start = std::chrono::steady_clock::now();
  parse_mentions(text);
  parse_mentions(slashes);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

}  // namespace
}  // namespace botburrow::hub
