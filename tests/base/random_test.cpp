#include "base/random.hpp"

#include <gtest/gtest.h>

#include <regex>
#include <set>

namespace botburrow {
namespace {

using namespace std::chrono_literals;

TEST(Random, UuidsAreOfVersionFour) {
  const std::regex form("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const auto uuid = system_random().uuid4();
    EXPECT_TRUE(std::regex_match(uuid, form)) << uuid;
    seen.insert(uuid);
  }
  EXPECT_EQ(seen.size(), 200U);
}

TEST(Random, TheSameSeedGivesTheSameNumbers) {
  SeededRandom a(7), b(7), c(8);

  const auto first = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
  EXPECT_EQ(a.uuid4(), b.uuid4());
}

TEST(Random, UnitsStayBelowOneAndFillTheRange) {
  SeededRandom random(1);
  double least = 1, most = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double unit = random.unit();
    ASSERT_GE(unit, 0);
    ASSERT_LT(unit, 1);
    least = std::min(least, unit);
    most = std::max(most, unit);
  }
  EXPECT_LT(least, 0.01);
  EXPECT_GT(most, 0.99);
}

TEST(Random, JitterStaysWithinItsShare) {
  SeededRandom random(1);
  auto least = 1000ms, most = 0ms;
  for (int i = 0; i < 10'000; ++i) {
    const auto d = std::chrono::duration_cast<std::chrono::milliseconds>(random.jitter(100ms, 0.2));
    ASSERT_GE(d, 80ms);
    ASSERT_LE(d, 120ms);
    least = std::min(least, d);
    most = std::max(most, d);
  }
  EXPECT_LT(least, 85ms);
  EXPECT_GT(most, 115ms);
  EXPECT_EQ(random.jitter(100ms, 0), 100ms);
}

TEST(Random, HexHasTwoDigitsAByte) {
  EXPECT_EQ(random_hex(0), "");
  EXPECT_TRUE(std::regex_match(random_hex(24), std::regex("[0-9a-f]{48}")));
  EXPECT_NE(random_hex(16), random_hex(16));
}

}  // namespace
}  // namespace botburrow
