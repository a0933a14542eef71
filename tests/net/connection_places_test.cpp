#include "net/connection_places.hpp"

#include <gtest/gtest.h>

namespace botburrow::net {
namespace {

using namespace std::chrono_literals;
using Doing = Occupant::Doing;
using std::chrono::steady_clock;

constexpr steady_clock::time_point at(std::chrono::milliseconds t) {
  return steady_clock::time_point(t);
}

Occupant one(std::string_view peer, Doing doing, std::chrono::milliseconds since) {
  return {.peer = peer, .doing = doing, .since = at(since), .stuck_since = {}};
}

TEST(ConnectionPlaces, TheLongestIdleOfTheAddressWithTheMostPlacesGivesWay) {
  const std::vector<Occupant> all{one("probe", Doing::waits, 1s), one("crowd", Doing::waits, 9s),
                                  one("crowd", Doing::waits, 8s), one("crowd", Doing::answers, 2s)};
  EXPECT_EQ(find_idle_to_close(all, at(10s)), 2u) << "though the probe waits longer";
}

TEST(ConnectionPlaces, WhoIsAnsweredStreamsOrLeavesCountsButStays) {
  const std::vector<Occupant> all{one("a", Doing::answers, 1s), one("a", Doing::streams, 1s),
                                  one("a", Doing::leaves, 1s), one("b", Doing::waits, 9s)};
  EXPECT_EQ(find_idle_to_close(all, at(10s)), 3u);
  EXPECT_EQ(find_idle_to_close({all.begin(), all.begin() + 3}, at(10s)), std::nullopt);
  EXPECT_EQ(find_idle_to_close({}, at(10s)), std::nullopt);
}

TEST(ConnectionPlaces, AReaderMayPauseForTwoSecondsAndNoLonger) {
  std::vector<Occupant> all{one("a", Doing::answers, 1s)};
  all[0].stuck_since = at(8001ms);
  EXPECT_EQ(find_idle_to_close(all, at(10s)), std::nullopt);
  all[0].stuck_since = at(8000ms);
  EXPECT_EQ(find_idle_to_close(all, at(10s)), 0u);
  all[0].doing = Doing::streams;
  EXPECT_EQ(find_idle_to_close(all, at(10s)), 0u) << "a stream's too";
}

TEST(ConnectionPlaces, AStreamEndsOnlyForAnAddressThatHasTwoFewer) {
  const std::vector<Occupant> all{one("a", Doing::streams, 5s), one("a", Doing::streams, 3s),
                                  one("b", Doing::streams, 1s), one("b", Doing::waits, 1s)};
  EXPECT_EQ(count_streams(all), 3u);
  EXPECT_EQ(find_stream_to_close(all, "c"), 1u);
  EXPECT_EQ(find_stream_to_close(all, "b"), std::nullopt) << "it would only turn round";
  EXPECT_EQ(find_stream_to_close(all, "a"), std::nullopt);
  EXPECT_EQ(find_stream_to_close({}, "a"), std::nullopt);
}

}  // namespace
}  // namespace botburrow::net
