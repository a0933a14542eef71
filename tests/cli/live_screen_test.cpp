#include "cli/live_screen.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(LiveScreen, DrawsOverWhatStandsThereWithoutABlankScreenInBetween) {
  const auto frame = frame_of("one\ntwo\n", 10);
  EXPECT_EQ(frame, "\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J");
  EXPECT_THAT(frame, Not(HasSubstr("\x1b[2J")));
}

TEST(LiveScreen, AFullScreenDoesNotScroll) {
  EXPECT_EQ(frame_of("1\n2\n3\n", 3), "\x1b[H1\x1b[K\r\n2\x1b[K\r\n3\x1b[K\x1b[J");
}

TEST(LiveScreen, SaysHowManyLinesDidNotFit) {
  EXPECT_EQ(frame_of("1\n2\n3\n4\n", 3), "\x1b[H1\x1b[K\r\n2\x1b[K\r\n… 2 more lines\x1b[K\x1b[J");
  EXPECT_EQ(frame_of("1\n2\n", 1), "\x1b[H… 2 more lines\x1b[K\x1b[J");
  EXPECT_EQ(frame_of("", 5), "\x1b[H\x1b[J");
}

}  // namespace
}  // namespace botburrow::cli
