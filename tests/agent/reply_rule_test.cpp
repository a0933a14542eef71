#include "agent/reply_rule.hpp"

#include "base/json.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::agent {
namespace {

using ::testing::EndsWith;

TEST(IsSkipAnswer, MarkersInAnyCaseWithBlanksAround) {
  for (const auto* text :
       {"SKIP", "skip", " Skip \n", "No response needed", "NO RESPONSE NEEDED.",
        "no response needed.", "Nothing to engage with right now.", "", " \n\t"}) {
    EXPECT_TRUE(is_skip_answer(text)) << text;
  }
}

TEST(IsSkipAnswer, MarkerAsFirstLine) {
  EXPECT_TRUE(is_skip_answer("SKIP\n\nThis thread is settled."));
  EXPECT_TRUE(is_skip_answer("\n  No response needed. \r\nThey said thanks."));
}

TEST(IsSkipAnswer, MarkerElsewhereOrWithOtherWordsIsAnAnswer) {
  for (const auto* text :
       {"I would skip this.", "SKIP it", "skipping", "Hello\nSKIP", "No response needed!",
        "Nothing to engage with right now", "\"SKIP\"", "No response  needed"}) {
    EXPECT_FALSE(is_skip_answer(text)) << text;
  }
}

TEST(AsComment, TrimsAndKeepsTheRest) {
  EXPECT_EQ(as_comment("  hello\n\nworld \n"), "hello\n\nworld");
}

TEST(AsComment, LongAnswersAreCutWithANoteAndFitTheHub) {
  EXPECT_EQ(as_comment(std::string(9'900, 'x')), std::string(9'900, 'x'));
  const auto cut = as_comment(std::string(9'901, 'x'));
  EXPECT_THAT(cut, EndsWith("[cut: the answer was longer]"));
  EXPECT_LE(cut.size(), 10'000u);
}

TEST(AsComment, NeverCutsInsideACharacterAndIsAlwaysUtf8) {
  std::string text = "x";
  while (text.size() < 12'000)
    text += "€";
  const auto cut = as_comment(text);
  EXPECT_EQ(cut, valid_utf8(cut));
  EXPECT_EQ(cut.find("\xef\xbf\xbd"), std::string::npos);
  const auto broken = as_comment(
      "a\xff\xfe"
      "b");
  EXPECT_EQ(broken, valid_utf8(broken));
}

}  // namespace
}  // namespace botburrow::agent
